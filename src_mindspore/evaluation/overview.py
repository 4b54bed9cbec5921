"""A sheet with some photos of every class: the first thing to look at, before any number."""
import numpy as np

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import PreprocessSpec, resize_and_crop
from src_mindspore.evaluation.plots import NAME_WIDTH, saved_figure
from src_mindspore.evaluation.tables import shorten

SIDE = 120  # pixels of a thumbnail
GAP = 4
THUMBNAIL = 0.85  # inches
NAME = 1.75  # inches for a class name


def plot_overview(records, classes, root, path, language="en", per_class=5):
    """Draw a row of photos for every class, in two columns of classes.

    The photos are spread evenly over those of the class, so that a folder filled from two sources
    shows both.

    Args:
        records: list of FileRecord, usable ones.
        classes: ClassNames.
        root: Path that the records' paths are relative to.
        path: str or Path of the PNG.
        language: 'en' or 'zh', of the class names.
        per_class: int, photos of a class.

    Raises:
        BadImage: a photo can no longer be read.
    """
    names = classes.in_language(language)
    rows = -(-len(classes) // 2)
    strip = per_class * THUMBNAIL
    column = NAME + strip
    width, height = 2 * column + 0.3, rows * THUMBNAIL
    with saved_figure(path, width, height) as figure:
        for label, name in enumerate(names):
            left = label // rows * (column + 0.3)
            bottom = height - (label % rows + 1) * THUMBNAIL
            figure.text((left + NAME - 0.1) / width, (bottom + THUMBNAIL / 2) / height,
                        shorten(name, NAME_WIDTH), ha="right", va="center", fontsize=9)
            axes = figure.add_axes(((left + NAME) / width, bottom / height, strip / width,
                                    THUMBNAIL / height))
            axes.set_axis_off()
            axes.imshow(_strip([r for r in records if r.label == label], root, per_class))


def _strip(records, root, per_class):
    """Return (SIDE, per_class * SIDE, 3) uint8: square thumbnails side by side, white where none.
    """
    canvas = np.full((SIDE, per_class * SIDE, 3), 255, np.uint8)
    chosen = np.unique(np.linspace(0, len(records) - 1, per_class).astype(int)) if records else ()
    inner = SIDE - GAP
    square = PreprocessSpec(inner, inner, inner, "area")
    for place, number in enumerate(chosen):
        image = resize_and_crop(load_rgb(root / records[number].path), square)
        start = place * SIDE + GAP // 2
        canvas[GAP // 2:GAP // 2 + inner, start:start + inner] = image
    return canvas
