"""Manifests: text files that name photos, one a line, and the rules for a path from a stranger.

A line is `path` or `id<TAB>path`. Paths are relative to the allowed root, or absolute and inside
it. Without an id the path is the id.
"""
import os
import stat
import tempfile
from pathlib import Path

from src_mindspore.deploy.streaming.frames import MOST_BYTES
from src_mindspore.errors import LabError


class BadEntry(ValueError):
    """A line of a manifest that names no usable photo; the text is the row's error."""


def parse_line(line):
    """Split a line of a manifest.

    Args:
        line: str.

    Returns:
        (id, path), two str; ('', '') for an empty line.
    """
    first, tab, second = line.strip("\r\n \ufeff").partition("\t")
    path = (second if tab else first).strip()
    return (first.strip() or path, path)


def resolve(path, root):
    """Find the file that a line names, if it may be read.

    Args:
        path: str.
        root: str, real path of the folder outside of which nothing is read.

    Returns:
        str, the file's real path.

    Raises:
        BadEntry: outside the root (also through links or `..`), absent, no regular file, or larger
            than any photo.
    """
    if "\0" in path:
        raise BadEntry("the path holds a zero byte")
    real = os.path.realpath(os.path.join(root, path))
    if os.path.commonpath((real, root)) != root:
        raise BadEntry(f"the path leads outside the allowed root {root}")
    try:
        status = os.stat(real)
    except OSError as error:
        raise BadEntry(f"the file cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise BadEntry("the path names no regular file")
    if status.st_size > MOST_BYTES:
        raise BadEntry(f"the file has {status.st_size:,} bytes; at most {MOST_BYTES:,} are read")
    return real


def read_manifest(path, root):
    """Read a bounded list and refuse what a person would want to know before a job starts.

    Args:
        path: str or Path of a manifest.
        root: str or Path, the allowed root.

    Returns:
        list of (id, path).

    Raises:
        LabError: unreadable, empty, an id twice, or no line names a photo below the root.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise LabError(f"The manifest {path} cannot be read: {reason}. Expected a text file with "
                       "the path of one photo a line.") from error
    entries = [entry for entry in map(parse_line, text.split("\n")) if entry[1]]
    if not entries:
        raise LabError(f"The manifest {path} names no photo; expected one path a line, relative to "
                       f"{root}.")
    seen = set()
    for number, (identity, _) in enumerate(entries, 1):
        if identity in seen:
            raise LabError(f"The manifest {path} lists {identity!r} twice (again as entry "
                           f"{number}); every row of the result needs an id of its own. Remove one "
                           "or give it another id: `id<TAB>path`.")
        seen.add(identity)
    problems = []
    for _, photo in entries:
        try:
            resolve(photo, os.path.realpath(root))
            break
        except BadEntry as error:
            problems.append(error)
    else:
        raise LabError(f"The manifest {path} names no usable photo: {entries[0][1]}: {problems[0]}."
                       " Check --root: paths are relative to it.")
    return entries


def write_manifest(path, entries):
    """Write a manifest so that a watching job never sees a part of it.

    Args:
        path: str or Path.
        entries: iterable of (id, path).

    Raises:
        LabError: an id or a path holds a tab or a line break.
    """
    path = Path(path)
    for entry in entries:
        if any(mark in part for part in entry for mark in "\t\r\n"):
            raise LabError(f"{entry[1]!r} cannot stand in a manifest: it holds a tab or a line "
                           "break. Rename the file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A leading dot hides the file from Flink until it is whole.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".manifest-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(f"{identity}\t{photo}\n" for identity, photo in entries)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
