"""The hand-ins of a folder: found, checked before anything of them is opened, unpacked, hashed.

Nothing here trusts a name or a size that a zip states about itself.
"""
import contextlib
import dataclasses
import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from lab.grading.limits import MEGABYTE
from src_mindspore.errors import LabError
from src_mindspore.evaluation.tables import printable
from src_mindspore.files import sha256_of, sha256_of_json

MOST_MB = 500
MOST_FILES = 5_000
MOST_DEPTH = 20
# What operating systems and editors leave behind.
LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "__pycache__", ".git", ".ipynb_checkpoints")


class Refused(Exception):
    """A hand-in that is not even started; `code` and `detail` say why (see texts.py)."""

    def __init__(self, code, **detail):
        super().__init__(f"{code} {detail or ''}")
        self.code = code
        self.detail = detail


@dataclasses.dataclass(frozen=True)
class Submission:
    """One hand-in.

    Attributes:
        name: str, of its folder or zip without extension, unique in a grading.
        path: Path of the folder or zip.
    """

    name: str
    path: Path

    @property
    def file_name(self):
        """The name, short enough for a file with an extension."""
        if len(self.name.encode("utf-8")) <= 150:
            return self.name
        return f"{self.name[:40]}-{sha256_of_json(self.name)[:8]}"


def find_submissions(folder):
    """List the hand-ins of a folder.

    Args:
        folder: Path; each visible folder and each .zip in it is a hand-in.

    Returns:
        (submissions, others): list of Submission in order of name; list of str, names of the files
        that are neither.

    Raises:
        LabError: no such folder, or no hand-in in it.
    """
    folder = Path(folder)
    try:
        entries = sorted(e for e in folder.iterdir() if not e.name.startswith("."))
    except OSError as error:
        raise LabError(f"The folder of hand-ins {folder} cannot be read: {error.strerror}. "
                       "Expected a folder with one folder or one zip a student.") from error
    if (folder / "main.py").is_file():
        raise LabError(f"{folder} is itself a hand-in: it holds main.py. Name the folder "
                       "around it, or try a single one with --check.")
    found = [e for e in entries if e.name not in LITTER
             and (e.is_dir() or e.suffix.lower() == ".zip")]
    if not found:
        raise LabError(f"{folder} holds no hand-in; expected one folder or one zip a student, each "
                       "with main.py.")
    stems = [printable(e.name if e.is_dir() else e.stem).strip() for e in found]
    submissions = [
        Submission(stem if stems.count(stem) == 1 else f"{printable(entry.name)} ({number})", entry)
        for number, (stem, entry) in enumerate(zip(stems, found, strict=True), 1)]
    return submissions, [e.name for e in entries if e not in found]


@contextlib.contextmanager
def opened(submission):
    """Check a hand-in and yield the Path of the folder that holds its main.py.

    A zip is unpacked into a temporary folder that is removed afterwards.

    Raises:
        Refused: no main.py, too large, links, special files, or a zip that would write elsewhere.
    """
    with tempfile.TemporaryDirectory(prefix="grade-zip-") as temporary:
        folder = submission.path
        if submission.path.is_symlink():
            raise Refused("link", name=submission.path.name)
        if submission.path.is_file():
            folder = Path(temporary)
            _unpack(submission.path, folder)
        _check_tree(folder)
        yield _with_main(folder)


def hash_of(folder):
    """Return the SHA-256 of a folder's files and their relative names, in any order of listing."""
    files = [[name.as_posix(), sha256_of(folder / name)] for name in files_of(folder)]
    return sha256_of_json(files)


def files_of(folder):
    """Return the sorted relative Paths of a hand-in's files, litter left out."""
    return sorted(relative for path in folder.rglob("*") if path.is_file()
                  for relative in [path.relative_to(folder)]
                  if not set(relative.parts) & set(LITTER))


def hash_of_refused(path):
    """Return the SHA-256 that names a hand-in which may not be opened: its zip, or its listing."""
    if path.is_file():
        return sha256_of(path)
    listing = hashlib.sha256()
    for place, folders, names in os.walk(path):
        for name in sorted([*folders, *names]):
            state = os.lstat(os.path.join(place, name))
            listing.update(repr((place, name, state.st_mode, state.st_size,
                                 state.st_mtime_ns)).encode("utf-8", "surrogateescape"))
        folders.sort()
    return listing.hexdigest()


def _with_main(folder):
    """Return the folder itself, or the single one in it, that holds main.py."""
    for _ in range(3):
        if (folder / "main.py").is_file():
            return folder
        inner = [e for e in folder.iterdir() if e.name not in LITTER and not e.name.startswith(".")]
        if len(inner) != 1 or not inner[0].is_dir():
            break
        folder = inner[0]
    raise Refused("no_main")


def _check_tree(folder):
    """Refuse links, special files, and more than a hand-in may be."""
    files, size, to_do = 0, 0, [(folder, 0)]
    while to_do:
        place, depth = to_do.pop()
        if depth > MOST_DEPTH:
            raise Refused("deep", limit=MOST_DEPTH)
        if not os.access(place, os.R_OK | os.X_OK):
            raise Refused("unreadable", name=os.path.relpath(place, folder))
        for entry in os.scandir(place):
            mode = entry.stat(follow_symlinks=False).st_mode
            name = os.path.relpath(entry.path, folder)
            if stat.S_ISLNK(mode):
                raise Refused("link", name=name)
            if stat.S_ISDIR(mode):
                to_do.append((entry.path, depth + 1))
            elif not stat.S_ISREG(mode):
                raise Refused("special", name=name)
            elif not os.access(entry.path, os.R_OK):
                raise Refused("unreadable", name=name)
            files += 1
            size += entry.stat(follow_symlinks=False).st_size
            if files > MOST_FILES:
                raise Refused("files", limit=MOST_FILES)
            if size > MOST_MB * MEGABYTE:
                raise Refused("large", limit_mb=MOST_MB)


def _unpack(path, target):
    """Unpack a zip, counting what really comes out of it."""
    if path.stat().st_size > MOST_MB * MEGABYTE:
        raise Refused("large", limit_mb=MOST_MB)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_FILES:
                raise Refused("files", limit=MOST_FILES)
            room = MOST_MB * MEGABYTE
            for entry in entries:
                room -= _unpack_entry(archive, entry, target, room)
    except Refused:
        raise
    except Exception as error:  # zipfile and its decompressors raise a dozen types
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise Refused("zip", reason=reason[:120]) from None


def _unpack_entry(archive, entry, target, room):
    """Write one entry below `target`; returns its bytes."""
    name = _name_of(entry)
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or set(parts) & set(LITTER):
        return 0
    if parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in name:
        raise Refused("traversal", name=name[:80])
    if len(parts) > MOST_DEPTH:
        raise Refused("deep", limit=MOST_DEPTH)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise Refused("link", name=name[:80])
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused("special", name=name[:80])
    if entry.flag_bits & 1:
        raise Refused("encrypted")
    place = target.joinpath(*parts)
    if entry.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return 0
    place.parent.mkdir(parents=True, exist_ok=True)
    # The stated size is only a statement: one byte more than there is room for is asked for.
    with archive.open(entry) as source, open(place, "xb") as file:
        shutil.copyfileobj(_Bounded(source, room), file, MEGABYTE)
        return file.tell()


class _Bounded:
    """A readable file that refuses to give more than `room` bytes."""

    def __init__(self, source, room):
        self._source, self._room = source, room

    def read(self, size):
        data = self._source.read(size)
        self._room -= len(data)
        if self._room < 0:
            raise Refused("bomb", limit_mb=MOST_MB)
        return data


def _name_of(entry):
    """Return an entry's name; zips packed on a Chinese Windows hold GBK without saying so."""
    if entry.flag_bits & 0x800:
        return entry.filename
    raw = entry.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gbk"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return entry.filename
