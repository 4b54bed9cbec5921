"""The photos an evaluation asks about, labelled in the order of the model's classes."""
from pathlib import Path

import numpy as np

from src_mindspore.data.decode import EXTENSIONS
from src_mindspore.data.fgvc import is_fgvc, level_of
from src_mindspore.data.folder import ImageFile, ImageFolder, find_data, read_folder
from src_mindspore.data.scan import require_usable, scan
from src_mindspore.data.split import find_split
from src_mindspore.errors import LabError


def photos_for(classes, path, split, bad_images="fail", splits_dir=None, progress=True):
    """Find and scan the photos to evaluate.

    Args:
        classes: ClassNames of the model.
        path: data folder with splits, a folder of class folders, or a folder of photos alone.
        split: str; which split, where the folder has splits.
        bad_images: 'fail' or 'skip'.
        splits_dir: where splits drawn by training are kept, or None.
        progress: bool.

    Returns:
        (root, paths, labels, skipped, split): Path; tuple of str; (N,) int64 by name, -1 where the
        photos have no class folder; list of FileRecord; the split that was taken, 'all' for a
        folder that was never split.

    Raises:
        LabError: no such folder or split, or classes that the model does not know.
    """
    root = find_data(path) or Path(path)
    loose = _loose_photos(root)
    if loose:
        folder = ImageFolder(root, classes, {"all": tuple(ImageFile(name, 0) for name in loose)})
        records, skipped = _usable(folder, None, bad_images, progress)
        return root, tuple(r.path for r in records), np.full(len(records), -1), skipped, "all"
    level = level_of(root, classes.folders) if is_fgvc(root) else "variant"
    folder = read_folder(root, least_classes=1, fgvc_level=level)
    unknown = sorted(set(folder.classes.folders) - set(classes.folders))
    if unknown:
        raise LabError(
            f"The model knows {len(classes)} classes ({', '.join(classes.folders[:3])}, ...), "
            f"{root} has {len(folder.classes)}: {len(unknown)} of them, such as {unknown[0]!r}, "
            "are unknown to the model. Classes are matched by the names of their folders; use the "
            "data the model was trained for, or train on this folder.")
    records, skipped, split = _records_of_split(folder, split, bad_images, splits_dir, progress)
    position = {name: label for label, name in enumerate(classes.folders)}
    labels = [position[folder.classes.folders[record.label]] for record in records]
    return root, tuple(r.path for r in records), np.array(labels, np.int64), skipped, split


def _records_of_split(folder, split, bad_images, splits_dir, progress):
    """Return (records, skipped, split) of the split on disk, of the one drawn, or of all photos."""
    if split in folder.splits:
        return *_usable(folder, split, bad_images, progress), split
    whole = "all" if folder.is_plain else "train"
    records, skipped = _usable(folder, whole, bad_images, progress)
    drawn = find_split(folder, records, splits_dir) if splits_dir else None
    if drawn and split in drawn:
        wanted = set(drawn[split])
        return [r for r in records if r.path in wanted], skipped, split
    if not folder.is_plain:
        raise LabError(f"{folder.root} has no split {split!r}; it has {', '.join(folder.splits)}. "
                       "Choose one with --split.")
    print(f"{folder.root.name} was never split here: all {len(records)} photos are asked about. If "
          "the model learnt from some of them, the score is too good.")
    return records, skipped, "all"


def _loose_photos(root):
    """Return the sorted names of the photos that stand directly in a folder."""
    try:
        visible = [f for f in root.iterdir() if not f.name.startswith(".")]
        if any(f.is_dir() for f in visible):
            return []  # a picture beside class folders is not what was meant
        return sorted(f.name for f in visible if f.suffix.lower() in EXTENSIONS)
    except OSError:
        return []  # read_folder says what is wrong with it


def _usable(folder, split, bad_images, progress):
    records = scan(folder, progress=progress, splits=[split] if split else None)
    bad = [r for r in records if r.problem]
    if bad and bad_images == "fail":
        require_usable(records, "fail", folder.classes)
    usable = [r for r in records if not r.problem]
    if not usable:
        raise LabError(f"{folder.root} has no usable photo"
                       + (f" in {split}." if split else "."))
    return usable, bad
