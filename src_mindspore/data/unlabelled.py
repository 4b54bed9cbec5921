"""Photos without labels: found below a folder, scanned, refused where they are known already."""
import os
from pathlib import Path

from src_mindspore.data.decode import EXTENSIONS
from src_mindspore.data.duplicates import ALIKE, COPY, duplicate_groups, similar_pairs
from src_mindspore.data.folder import ImageFile, ImageFolder, list_files
from src_mindspore.data.scan import listing, scan
from src_mindspore.errors import LabError

SPLIT = "unlabelled"


def read_unlabelled(path, photos, cache_path=None, progress=True):
    """Find and scan photos without labels; names of folders among them mean nothing.

    Args:
        path: str or Path of a folder, its subfolders included.
        photos: Photos that are labelled.
        cache_path: see `scan`.
        progress: bool.

    Returns:
        list of FileRecord with split 'unlabelled' and label -1, their paths relative to the root
        of the labelled photos (so that one root serves both). Left out and named: unusable files,
        further copies of one photo, and photos much like one of val or test.

    Raises:
        LabError: no such folder, no usable photo in it, or a photo in it, or a near copy of it,
            that stands in train, val or test.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise LabError(f"There is no folder {folder} of unlabelled photos. Expected a folder with "
                       f"photos ({', '.join(EXTENSIONS)}), in subfolders or not.")
    found = [relative_to(photos.root, file) for file in list_files(folder)
             if file.suffix.lower() in EXTENSIONS]
    records = scan(folder_of(photos, found), cache_path, progress=progress)
    bad = [record for record in records if record.problem]
    if bad:
        print(f"unlabelled files that cannot be used and are left out: {len(bad)}\n"
              + listing(f"{record.path} {record.reason}" for record in bad))
    records = [record for record in records if not record.problem]
    if not records:
        raise LabError(f"{folder} holds no usable photo; expected files ending in "
                       f"{', '.join(EXTENSIONS)}.")
    return _unknown(folder, records, photos, progress)


def folder_of(photos, paths):
    """Return an ImageFolder of unlabelled files, so that `scan` can read them."""
    return ImageFolder(photos.root, photos.classes,
                       {SPLIT: tuple(ImageFile(path, -1) for path in paths)})


def relative_to(root, path):
    """Return a path relative to the data root, also where it stands beside it: '../more/a.jpg'."""
    return Path(os.path.relpath(Path(path).resolve(), Path(root).resolve())).as_posix()


def _unknown(folder, records, photos, progress):
    """Return the records that no split knows; copies among them once."""
    known = [record for split in photos.splits.values() for record in split]
    every = [*known, *records]
    split_of = {record.path: record.split for record in every}
    pairs = similar_pairs(photos.root, every, progress)
    seen, again = [], set()
    for group in duplicate_groups(every, pairs, COPY):
        mine = [path for path in group.paths if split_of[path] == SPLIT]
        theirs = [path for path in group.paths if split_of[path] != SPLIT]
        seen.extend((path, theirs[0]) for path in mine if theirs)
        again.update(mine[1:])
    if seen:
        raise LabError(
            f"{len(seen)} photos of {folder} are, or are near copies of, photos that have a label "
            "already:\n" + listing(f"{mine} = {theirs}" for mine, theirs in seen)
            + "\nLearning from them again, or from photos that validation asks about, would make "
            "every score too good. Remove them from the folder.")
    # Pairs, not groups: a chain of likenesses must not empty the folder.
    asked = {every[other].path for left, right in zip(pairs.left, pairs.right, strict=True)
             for one, other in ((left, right), (right, left))
             if every[one].split in ("val", "test") and every[other].split == SPLIT}
    if asked:
        print(f"left out, because they are much like a photo of val or test (similarity above "
              f"{ALIKE:g}): {len(asked)}\n" + listing(sorted(asked)))
    if again:
        print(f"left out, because another unlabelled photo is the same: {len(again)}")
    return [record for record in records if record.path not in asked | again]
