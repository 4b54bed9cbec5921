"""Train and validation for folders that come without, and folds for cross-validation.

Copies of one photo always stay on one side, every class is divided in the same proportion, and the
same seed gives the same split. The split is a JSON file that a person may read and edit.
"""
import collections
import dataclasses
import fractions
import glob
import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from src_mindspore import files
from src_mindspore.data.duplicates import group_ids
from src_mindspore.data.folder import ImageFile
from src_mindspore.errors import LabError

# A fraction is made of whole folds, of at most so many.
MAX_FOLDS = 20


def split_plain(folder, records, seed, val_fraction=0.2, *, splits_dir, group_by=""):
    """Divide the photos to learn from into train and val, once; later calls read the file.

    Args:
        folder: ImageFolder that is plain, or has train but no val. A test split stays as it is.
        records: list of FileRecord, usable ones only; what is not among them is left out.
        seed: int.
        val_fraction: float in (0, 1), approximate: copies of a photo are never separated, and
            every class with two different photos has one on each side.
        splits_dir: str or Path of the folder for split files. The name of the file holds the
            folder's name, a digest of the photos' paths and bytes, the seed and the fraction (and
            of group_by, where it is given).
        group_by: str, see `duplicates.group_ids`.

    Returns:
        ImageFolder with the splits train and val.

    Raises:
        LabError: no class has two different photos, or the split file is damaged.
    """
    if not 0 < val_fraction < 1:
        raise LabError(f"val_fraction is {val_fraction}; expected a number between 0 and 1, for "
                       "example 0.2 for one photo in five.")
    if "val" in folder.splits:
        raise LabError(f"{folder.root} already has a val folder; a split is made only for folders "
                       "without. Rename val if another one should be drawn from train.")
    records, digest, stem = _identity(folder, records)
    if group_by:
        stem += f"-by{files.sha256_of_json(group_by)[:8]}"
    path = files.Path(splits_dir) / f"{stem}-seed{seed}-val{val_fraction:g}.json"
    if path.exists():
        splits = _read(path, records, folder.classes)
    else:
        groups = group_ids(folder.root, records, group_by=group_by)
        in_val = _draw(records, groups, seed, val_fraction, folder)
        splits = {name: [r.path for r, side in zip(records, in_val, strict=True) if side == chosen]
                  for name, chosen in (("train", False), ("val", True))}
        files.write_json(path, {"data": folder.root.resolve().name, "seed": seed,
                                "val_fraction": val_fraction, "photos": digest, **splits})
        print(f"split: {len(splits['train'])} train, {len(splits['val'])} val, kept in {path}")
    labels = {record.path: record.label for record in records}
    found = {name: tuple(ImageFile(p, labels[p]) for p in sorted(paths))
             for name, paths in splits.items()}
    rest = {name: part for name, part in folder.splits.items() if name not in ("all", "train")}
    return dataclasses.replace(folder, splits={**found, **rest})


def find_split(folder, records, splits_dir):
    """Read the split that was drawn for a folder earlier.

    Args:
        folder, records, splits_dir: as for `split_plain`.

    Returns:
        dict from 'train' and 'val' to lists of paths, the newest where there are several; None
        where no split was drawn for these photos.

    Raises:
        LabError: the split file is damaged.
    """
    records, _, stem = _identity(folder, records)
    found = sorted(files.Path(splits_dir).glob(f"{glob.escape(stem)}-*.json"),
                   key=lambda path: path.stat().st_mtime)
    return _read(found[-1], records, folder.classes) if found else None


def _identity(folder, records):
    """Return the records to divide, their digest, and the beginning of their split file's name."""
    records = [record for record in records if record.split in ("all", "train")]
    digest = files.sha256_of_json(sorted((record.path, record.sha256) for record in records))
    return records, digest, f"{folder.root.resolve().name}-{digest[:12]}"


def grouped_folds(labels, groups, folds, seed, names=None):
    """Deal photos into folds for cross-validation.

    Args:
        labels: (N,) int.
        groups: (N,) int from `group_ids`; a group is never divided.
        folds: int >= 2.
        seed: int.
        names: sequence of class names for the error message, by label.

    Returns:
        (N,) int, the fold of each photo, 0 to folds-1; every class is spread evenly.

    Raises:
        LabError: fewer than two folds, or a class with fewer different photos than folds.
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    if folds < 2:
        raise LabError(f"{folds} folds were asked for; cross-validation needs at least 2, for "
                       "example folds 5.")
    counts = {label: len(np.unique(groups[labels == label])) for label in np.unique(labels)}
    label = min(counts, key=counts.get)
    if counts[label] < folds:
        name = names[label] if names is not None else label
        raise LabError(f"{folds} folds were asked for, but class {name} has only {counts[label]} "
                       "different photos (copies count once), so some folds would have none of "
                       f"it. Expected folds of at most {max(counts[label], 2)}; lower folds or add "
                       f"photos to class {name}.")
    return _deal(labels, groups, folds, seed)


def dealt_folds(labels, groups, folds, seed):
    """Deal photos into folds where classes may be smaller than the number of folds.

    Args:
        labels: (N,) int.
        groups: (N,) int; a group of a class is never divided.
        folds: int >= 2.
        seed: int, or a sequence of int.

    Returns:
        (N,) int. The groups of every class go to the folds in turn, so a class of two groups is
        asked about by heads that know the other one; a class of one group is not learnt then.
    """
    rng, result = np.random.default_rng(seed), np.zeros(len(labels), int)
    for start, label in enumerate(np.unique(labels)):
        mine = labels == label
        for place, group in enumerate(rng.permutation(np.unique(groups[mine]))):
            # Each class begins at another fold: small classes must not all miss the same one.
            result[mine & (groups == group)] = (start + place) % folds
    return result


def _deal(labels, groups, folds, seed):
    """Return (N,) int folds; like `grouped_folds` without its conditions."""
    result = np.zeros(len(labels), int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Classes smaller than the number of folds are looked after by the callers.
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, rows) in enumerate(splitter.split(labels, labels, groups)):
            result[rows] = fold
    return result


def _draw(records, groups, seed, val_fraction, folder):
    """Return (N,) bool, True for val."""
    labels = np.array([record.label for record in records], int)
    sizes = {label: len(np.unique(groups[labels == label])) for label in np.unique(labels)}
    largest = max(sizes.values(), default=0)
    if largest < 2:
        raise LabError(f"No class of {folder.root} has two different photos (copies count once), "
                       "so there is nothing to put into validation. Expected at least two per "
                       "class; add photos.")
    for label, size in sizes.items():
        if size == 1:
            print(f"note: class {folder.classes.folders[label]} has a single photo (copies count "
                  "once); it stays in train, and validation says nothing about this class.")
    part = fractions.Fraction(val_fraction).limit_denominator(MAX_FOLDS)
    folds = min(part.denominator, largest) if 0 < part < 1 else min(MAX_FOLDS, largest)
    taken = min(max(round(folds * val_fraction), 1), folds - 1)
    in_val = _deal(labels, groups, folds, seed) < taken
    for label in sorted(sizes, key=sizes.get):
        if sizes[label] == 1:
            in_val[np.isin(groups, groups[labels == label])] = False
            continue
        for side in (True, False):
            if not (in_val[labels == label] == side).any():
                _move_one(label, side, in_val, labels, groups)
    return in_val


def _move_one(label, side, in_val, labels, groups):
    """Move the smallest group of a class to the side that has none, where no class is emptied."""
    candidates, counts = np.unique(groups[labels == label], return_counts=True)
    for group in candidates[np.argsort(counts, kind="stable")]:
        moved = groups == group
        left = (in_val != side) & ~moved
        if set(labels[moved]) <= set(labels[left]):
            in_val[moved] = side
            return


def _read(path, records, classes):
    """Return {'train': paths, 'val': paths} of a split file that fits the records."""
    value = files.read_json(path)
    remedy = f"Repair {path}, or delete it to draw the split again."
    if not (isinstance(value, dict) and all(_is_list_of_paths(value.get(name))
                                            for name in ("train", "val"))):
        raise LabError(f"{path} is not a split file; expected a JSON object with the lists train "
                       f"and val of photo paths. {remedy}")
    splits = {name: value[name] for name in ("train", "val")}
    labels = {record.path: record.label for record in records}
    count = collections.Counter(splits["train"] + splits["val"])
    for photo in sorted(set(count) | set(labels)):
        if photo not in labels or count[photo] != 1:
            what = f"lists {photo!r} {count[photo]} times" if photo in labels \
                else f"lists {photo!r}, which is not among the usable photos"
            raise LabError(f"{path} {what}; expected every photo once, in train or in val. "
                           f"{remedy}")
    missing = set(labels.values()) - {labels[p] for p in splits["train"]}
    if missing or not splits["val"]:
        what = f"no train photo of class {classes.folders[min(missing)]}" if missing \
            else "no val photo"
        raise LabError(f"{path} has {what}; expected at least one. {remedy}")
    return splits


def _is_list_of_paths(value):
    return isinstance(value, list) and all(isinstance(path, str) for path in value)
