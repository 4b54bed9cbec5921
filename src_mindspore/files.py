"""Files are switched, never overwritten: temporary name, fsync, rename.

A process killed at any point leaves either the old file or the new one. A full
disk leaves the old one and says how much room is needed.
"""
import contextlib
import errno
import hashlib
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from src_mindspore.errors import LabError


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`; on success fsync it and rename it to `path`.

    Args:
        path: str or Path of the file to appear. Its folder is created.

    Raises:
        LabError: the disk is full, or the folder may not be written.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept: MindSpore's savers add their own to names without it.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
        os.close(handle)
        yield Path(temporary)
        # MindSpore creates its files with mode 0400; results must stay the user's to change.
        os.chmod(temporary, 0o644)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
        _fsync_folder(path.parent)
    except OSError as error:
        raise explain_os_error(error, path) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def explain_os_error(error, path):
    """Return the LabError that tells a person what an OSError about `path` means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LabError(f"The disk is full: {path} could not be written. Nothing that was there "
                        f"before is lost. Free some space in {Path(path).parent} and run the same "
                        "command again; finished parts are reused.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return LabError(f"{path} could not be written: {error.strerror}. Choose a folder that you "
                        "may write to, or change its permissions.")
    return LabError(f"{path} could not be written: {error.strerror or error}.")


def _fsync_folder(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path, data):
    """Write `data` (bytes) to `path` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """Write `text` to `path` atomically as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path, value):
    """Write `value` to `path` atomically as indented UTF-8 JSON."""
    # Piece by piece: the pieces of a manifest of 100,000 photos together take over 100 MB.
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def npy_bytes(array):
    """Return the bytes of `array` in the `.npy` format (no pickle)."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def read_json(path):
    """Return the value of a JSON file.

    Raises:
        LabError: the file cannot be read or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"{path} could not be read: {error.strerror}.") from error
    except ValueError as error:
        raise LabError(f"{path} is not valid JSON ({error}). Expected a file written by this "
                       "project; delete it and run the command that makes it again.") from error


def sha256_of(path):
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value):
    """Return the SHA-256 of a JSON-able value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
