"""From a configured path to photos that may be used: found, scanned, split, audited for leaks."""
import dataclasses
from pathlib import Path

from src_mindspore.data.audit import audit
from src_mindspore.data.classes import ClassNames
from src_mindspore.data.decisions import Applied, apply_decisions
from src_mindspore.data.drawn import is_drawn
from src_mindspore.data.fgvc import banner_rows
from src_mindspore.data.folder import find_data, read_folder
from src_mindspore.data.leaks import handle_leaks
from src_mindspore.data.pseudo import Joined, join_pseudo_labels
from src_mindspore.data.scan import require_usable, scan
from src_mindspore.data.split import split_plain
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of_json


@dataclasses.dataclass(frozen=True)
class Photos:
    """Photos ready for extraction.

    Attributes:
        root: Path of the data folder.
        classes: ClassNames.
        splits: dict from split name to list of FileRecord, every one usable.
        skipped: list of FileRecord, left out because they cannot be read.
        is_drawn: bool, pictures of our own generator rather than photos.
        decisions: Applied, what a decisions file changed; None without one.
        pseudo_labels: Joined, which photos a model labelled; None where none did.
    """

    root: Path
    classes: ClassNames
    splits: dict
    skipped: list
    is_drawn: bool
    decisions: Applied | None = None
    pseudo_labels: Joined | None = None

    def describe(self):
        """Return the line that a script prints about the photos."""
        return (f"photos: {self.root}, {len(self.classes)} classes, "
                + ", ".join(f"{len(r)} {split}" for split, r in self.splits.items())
                + (f", {len(self.skipped)} skipped" if self.skipped else ""))


def prepare_photos(config, progress=True):
    """Find, scan and split the photos of a configuration.

    Args:
        config: dataset_path, fgvc_level, crop_bottom, num_classes, class_index, val_fraction,
            bad_images, leaks, decisions, pseudo_labels, seed, workers and results_path are read.
        progress: bool.

    Returns:
        Photos with at least 'train' and 'val'.

    Raises:
        LabError: no photos, photos that cannot be read, a leaking split, or classes that do not
            agree with the configuration; or see `apply_decisions` and
            `join_pseudo_labels`.
    """
    root = find_data(config.dataset_path) or Path(config.dataset_path)
    folder = read_folder(root, fgvc_level=config.fgvc_level)
    _check_classes(config, folder.classes, root)
    name = sha256_of_json(str(root.resolve()))[:12]
    cache = Path(config.results_path) / "scans" / f"{root.name}-{name}.jsonl"
    records = scan(folder, cache_path=cache, workers=config.workers or None, progress=progress)
    records, skipped = require_usable(records, config.bad_images, folder.classes)
    _require_taller(records, banner_rows(config.crop_bottom, root))
    if "val" not in folder.splits:
        folder = split_plain(folder, records, config.seed, config.val_fraction,
                             splits_dir=Path(config.results_path) / "splits",
                             group_by=config.group_by)
        split_of = {file.path: split for split, file in folder.files()}
        records = [dataclasses.replace(r, split=split_of[r.path]) for r in records
                   if r.path in split_of]
    decisions = None
    if config.decisions:
        # After the split, which must not depend on them.
        records, decisions = apply_decisions(config.decisions, records, folder.classes,
                                             {file.path for _, file in folder.files()})
        print(decisions.sentence())
    pseudo = None
    if config.pseudo_labels:
        folder, records, pseudo = join_pseudo_labels(config.pseudo_labels, folder, records,
                                                     progress)
        print(pseudo.sentence())
    # A split made here cannot leak, but one edited by hand, or a test folder, can.
    records = handle_leaks(audit(folder, records, progress), folder.classes, records,
                           config.leaks)
    splits = {split: [r for r in records if r.split == split] for split in folder.splits}
    for split in ("train", "val"):
        if not splits.get(split):
            raise LabError(f"{root} has no usable photo in {split}. Add some, or give a plain "
                           "folder root/<class>/*.jpg, which is split by itself.")
    return Photos(root, folder.classes, splits, skipped, is_drawn(root), decisions,
                  pseudo)


def _require_taller(records, rows):
    """Refuse photos of which nothing is left once a banner is cut off."""
    small = [r for r in records
             if (min(r.height, r.width) if "EXIF-rotated" in r.notes else r.height) <= rows]
    if rows and small:
        raise LabError(f"{len(small)} photos are at most {rows} pixels high, such as "
                       f"{small[0].path} ({small[0].width}x{small[0].height}), and {rows} rows are "
                       "cut off the bottom of each. Remove them, or lower --crop_bottom.")


def _check_classes(config, classes, root):
    if config.num_classes and config.num_classes != len(classes):
        raise LabError(f"num_classes is {config.num_classes}, but {root} has {len(classes)} class "
                       "folders. Set --num_classes 0 to take what the data has, or check "
                       "dataset_path.")
    order = {folder: label for label, folder in enumerate(classes.folders)}
    if config.class_index and dict(config.class_index) != order:
        wrong = next(f for f in {**order, **config.class_index}
                     if order.get(f) != config.class_index.get(f))
        raise LabError(f"class_index does not agree with the folders of {root}: {wrong!r} is "
                       f"{config.class_index.get(wrong)} there and {order.get(wrong)} here "
                       "(sorted folder names). A model with another order would name every photo "
                       "wrongly; leave class_index empty.")
