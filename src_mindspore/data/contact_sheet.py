"""One picture of what the audit found: pairs side by side, with their names and the finding."""
import collections
import itertools

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from src_mindspore import files
from src_mindspore.data.decode import BadImage, load_rgb
from src_mindspore.evaluation.fonts import use_cjk_font

COLUMNS = 4
TILES_PER_FINDING = 16
SIDE = 224
GAP = 12
GREY = 235
COLOURS = {"leak": "#b2182b", "label conflict": "#b2182b", "cannot be used": "#b2182b",
           "alike across splits": "#b35806", "copy": "#2166ac"}
OTHER_COLOUR = "#4d4d4d"
NAME_WIDTH = 34


def draw_contact_sheet(folder, report, path):
    """Draw the findings of an audit.

    Args:
        folder: ImageFolder.
        report: AuditReport.
        path: str or Path of the PNG file.

    Returns:
        The path, or None where there is nothing to show (an older sheet is then removed).
    """
    tiles = list(_tiles(report))
    if not tiles:
        files.Path(path).unlink(missing_ok=True)
        return None
    use_cjk_font()
    rows = -(-len(tiles) // COLUMNS)
    figure = Figure(figsize=(3.6 * COLUMNS, 2.45 * rows + 0.7), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{report.name}: what the audit found", fontsize=14)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis, tile in itertools.zip_longest(axes, tiles):
        axis.set_axis_off()
        if tile is not None:
            _draw_tile(axis, folder.root, *tile)
    with files.replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def _tiles(report):
    """Yield (finding, comment, paths), at most TILES_PER_FINDING of each finding."""
    conflicting = {group.paths for group in report.conflicts}
    leaking = {leak.path for leak in report.leaks}
    found = collections.defaultdict(list)
    for leak in report.leaks:
        found["leak"].append((_bytes(leak.exact), (leak.twin, leak.path)))
    for group in report.duplicates:
        finding = "label conflict" if group.paths in conflicting else "copy"
        if finding == "copy" and leaking & set(group.paths):
            continue  # shown as a leak
        more = f", {len(group.paths)} files" if len(group.paths) > 2 else ""
        found[finding].append((_bytes(group.exact) + more, group.paths[:2]))
    for record in report.problems:
        found["cannot be used"].append((record.problem, (record.path,)))
    for twin in report.alike:
        found["alike across splits"].append(("look: same photo?", (twin.twin, twin.path)))
    for note, paths in report.notes.items():
        found[note] = [("handled", (path,)) for path in paths]
    order = [*COLOURS, *(finding for finding in found if finding not in COLOURS)]
    for finding in order:
        for number, (comment, paths) in enumerate(found[finding][:TILES_PER_FINDING], 1):
            yield f"{finding} {number} of {len(found[finding])}", comment, paths


def _bytes(exact):
    return "same bytes" if exact else "same picture"


def _draw_tile(axis, root, finding, comment, paths):
    canvas = np.full((SIDE, 2 * SIDE + GAP, 3), 255, np.uint8)
    for place, path in enumerate(paths):
        left = place * (SIDE + GAP)
        canvas[:, left:left + SIDE] = _picture(root / path)
    axis.imshow(canvas, interpolation="none")
    colour = next((c for name, c in COLOURS.items() if finding.startswith(name)), OTHER_COLOUR)
    axis.set_title(f"{finding}: {comment}", fontsize=9, color=colour,
                   loc="left", pad=4)
    for place, path in enumerate(paths):
        axis.text(place * (SIDE + GAP), SIDE + 8, _short(path), fontsize=6.5, va="top",
                  parse_math=False)


def _picture(path):
    """Return a photo fitted into a (SIDE, SIDE, 3) uint8 square; only grey if unusable."""
    square = np.full((SIDE, SIDE, 3), GREY, np.uint8)
    try:
        image = load_rgb(path)
    except BadImage:
        return square
    scale = SIDE / max(image.shape[:2])
    width, height = (max(1, round(length * scale)) for length in image.shape[1::-1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    square[top:top + height, left:left + width] = cv2.resize(image, (width, height),
                                                             interpolation=method)
    return square


def _short(path):
    """Return a path that fits under a picture: split, class and the ends of a long name."""
    if len(path) <= NAME_WIDTH:
        return path
    return f"{path[:NAME_WIDTH // 2 - 1]}\N{HORIZONTAL ELLIPSIS}{path[-NAME_WIDTH // 2:]}"
