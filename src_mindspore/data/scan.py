"""Read every photo once: is it usable, and what are its hashes. Unchanged files are only stat-ed.

The scan stands before every extraction, so a damaged file is named at once and not after hours.
"""
import contextlib
import dataclasses
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import imagehash
from PIL import Image
from tqdm import tqdm

from src_mindspore import files
from src_mindspore.data.decode import BadImage, decode, read_file, read_header
from src_mindspore.data.threads import map_in_order
from src_mindspore.errors import LabError

# Raise it when the scan computes anything differently: older caches are then ignored.
CACHE_VERSION = 2
# What the cache remembers of a file; label and split come from the folder as it is now.
CONTENT = ("sha256", "width", "height", "notes", "phash", "problem", "reason")
THUMBNAIL = 32
# Standard deviation, in grey levels, of a thumbnail that shows anything to compare. Below it the
# signs of the DCT are noise or rounding, and every blank wall would equal every other.
MIN_CONTRAST = 3.0
LISTED = 20


@dataclasses.dataclass(frozen=True, slots=True)
class FileRecord:
    """What the scan found out about one file.

    Attributes:
        path: str, relative to the root of the data folder, with forward slashes.
        label: int, position in the folder's classes.
        split: str, 'train', 'val', 'test' or 'all'.
        size: int, bytes.
        sha256: str of 64 hexadecimal digits, '' where the file could not be read.
        width, height: int, pixels as stored; 0 where the header could not be read.
        notes: tuple of str, see `decode.ImageHeader`.
        phash: str of 16 hexadecimal digits, the perceptual hash of the decoded pixels; '' for
            a file that is not usable and for a photo too uniform to compare.
        problem: str, '' if the photo is usable, else one word (the `kind` of `BadImage`).
        reason: str, the problem in words, '' if there is none.
    """

    path: str
    label: int
    split: str
    size: int
    sha256: str = ""
    width: int = 0
    height: int = 0
    notes: tuple = ()
    phash: str = ""
    problem: str = ""
    reason: str = ""


def scan(folder, cache_path=None, workers=None, progress=True, splits=None):
    """Read and strictly decode every photo of a folder.

    Args:
        folder: ImageFolder.
        cache_path: str or Path of a JSON-lines file, read and written, or None. A file whose
            path, size and modification time stand in it is not read again. A damaged cache is
            ignored and written anew; an interrupted scan leaves what it finished.
        workers: int, threads; default the number of processors.
        progress: bool, show rate and time left on stderr.
        splits: iterable of split names to scan; default all.

    Returns:
        list of FileRecord in the folder's order.

    Raises:
        LabError: the cache cannot be written.
    """
    wanted = [(split, file) for split, file in folder.files() if not splits or split in splits]
    stamps = {file.path: _stamp(folder.root / file.path) for _, file in wanted}
    known = _read_cache(cache_path, folder.root)
    contents = {path: known[path, *stamp] for path, stamp in stamps.items()
                if (path, *stamp) in known}
    missing = [path for path in stamps if path not in contents]
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        results = map_in_order(pool, lambda path: _inspect(folder.root / path), missing)
        for path, content in zip(missing, tqdm(results, "scan", len(missing), unit="photo",
                                               disable=not (progress and missing)), strict=True):
            contents[path] = content
    finally:
        pool.shutdown(cancel_futures=True)
        if cache_path is not None and missing:
            _write_cache(cache_path, folder, known, stamps, contents)
    return [FileRecord(file.path, file.label, split, stamps[file.path][0], *contents[file.path])
            for split, file in wanted]


def require_usable(records, bad_images, classes):
    """Refuse or set aside the files that cannot be used.

    Args:
        records: list of FileRecord.
        bad_images: 'fail' or 'skip'.
        classes: ClassNames of the folder.

    Returns:
        (usable, skipped), two lists of FileRecord. Under 'fail' the second is empty.

    Raises:
        LabError: a file is not usable and bad_images is 'fail', or a class to learn is left
            without any photo.
    """
    usable = [record for record in records if not record.problem]
    skipped = [record for record in records if record.problem]
    if skipped and bad_images == "fail":
        raise LabError(f"{len(skipped)} of {len(records)} files cannot be used as photos:\n"
                       + listing(f"{record.path} {record.reason}" for record in skipped)
                       + "\nExpected every file to be a whole JPEG, PNG, BMP or WebP photo. Repair "
                       "or remove them, or leave them out with `--bad_images skip`; "
                       "`python -m src_mindspore.data.audit PATH` lists and pictures them all.")
    learnt = [record for record in records if record.split in ("train", "all")]
    empty = empty_classes(classes, (r for r in learnt if not r.problem))
    if learnt and empty:
        raise LabError(" ".join(explain_empty(name, english) for name, english in empty))
    return usable, skipped


def empty_classes(classes, records):
    """Return (folder, English name) of the classes that have none of the records."""
    present = {record.label for record in records}
    return [(classes.folders[label], classes.english[label])
            for label in range(len(classes)) if label not in present]


def is_eggshell(folder, english):
    """True for the class that the published editions of the course data got wrong."""
    return (folder, english) == ("03_02", "Eggshell")


def explain_empty(folder, english):
    """Return the sentences for a class without any usable photo."""
    if is_eggshell(folder, english):
        return ("The class folder 03_02 (Eggshell) has no usable photo to learn from. This is a "
                "known fault: one published edition of the data came with 03_02 empty. Put "
                "eggshell photos into it that are not copies of the val photos, or remove 03_02 "
                "from every split to go on with the other classes.")
    return (f"The class folder {folder} has no usable photo to learn from; expected at least one "
            f"per class. Add photos to {folder}, or remove it from every split.")


def listing(lines):
    """Return lines of text indented and cut after the first `LISTED`."""
    lines = list(lines)
    more = [f"  and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join([f"  {line}" for line in lines[:LISTED]] + more)


def thumbnail(image):
    """Shrink a photo to what the duplicate search compares.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (32, 32, 3) uint8 RGB, each pixel the mean of its area; the aspect ratio is not kept.
    """
    return cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)


def perceptual_hash(image):
    """Return the 64-bit DCT hash of (H, W, 3) uint8 RGB pixels as hex, '' if too uniform."""
    small = cv2.cvtColor(thumbnail(image), cv2.COLOR_RGB2GRAY)
    if small.std() < MIN_CONTRAST:
        return ""
    return str(imagehash.phash(Image.fromarray(small)))


def _inspect(path):
    """Return the values of `CONTENT` for one file; never raises for a bad one."""
    sha256, width, height, notes, phash = "", 0, 0, (), ""
    try:
        data = read_file(path)
        sha256 = hashlib.sha256(data).hexdigest()
        header = read_header(data, path.name)
        width, height, notes = header.width, header.height, header.notes
        phash = perceptual_hash(decode(data, strict=True))
    except BadImage as error:
        return sha256, width, height, notes, "", error.kind, str(error)
    return sha256, width, height, notes, phash, "", ""


def _stamp(path):
    """Return (size, mtime_ns); zeros for a file that is gone: reading it will say why."""
    try:
        stat = os.stat(path)
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _cache_head(root):
    return {"scan": CACHE_VERSION, "root": str(root.resolve())}


def _read_cache(path, root):
    """Return a dict from (path, size, mtime_ns) to the values of `CONTENT`; empty if damaged."""
    known = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        with open(path, encoding="utf-8") as lines:
            if json.loads(next(lines, "")) != _cache_head(root):
                return {}
            for line in lines:
                name, size, mtime, *content = json.loads(line)
                content = dict(zip(CONTENT, content, strict=True))
                content["notes"] = tuple(content["notes"])
                known[name, size, mtime] = tuple(content.values())
        return known
    return {}


def _write_cache(path, folder, known, stamps, contents):
    # Splits that were not scanned this time keep what is known of them.
    paths = {file.path for _, file in folder.files()}
    lines = {key: content for key, content in known.items()
             if key[0] in paths and key[0] not in contents}
    # Permissions change without the modification time: an unreadable file is tried again.
    lines |= {(path, *stamps[path]): content for path, content in contents.items()
              if content[CONTENT.index("problem")] != "unreadable"}
    with files.replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(json.dumps(_cache_head(folder.root)) + "\n")
        for key, content in lines.items():
            file.write(json.dumps([*key, *content]) + "\n")
