"""The photos of a bulk job: files below a root, which may be anything.

    python -m src_mindspore.deploy.photo_files ROOT < PATHS.json

decodes photos one after another and says before each that it is begun: `fatal_photos` runs it, to
learn at which one a process dies.
"""
import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from src_mindspore.data.decode import BadImage, decode, read_file
from src_mindspore.errors import LabError

PROJECT = Path(__file__).parents[2]
# A file is read whole before its header is looked at; no photo of 100 megapixels is larger.
MAX_BYTES = 300_000_000
OUTSIDE = "lies outside the folder that photos may be read from"


def decode_inside(root, path):
    """Return the (H, W, 3) uint8 RGB pixels of a regular file that lies below a root also when
    links are followed.

    Args:
        root: str, absolute and without links.
        path: str, relative to it.

    Raises:
        BadImage: kind 'absent', 'outside', 'not-a-file' or 'enormous'; see `read_file`, `decode`.
    """
    real = os.path.realpath(os.path.join(root, path))
    if not real.startswith(os.path.join(root, "")):
        raise BadImage("outside", f"is a link to {real}, {OUTSIDE}")
    try:
        status = os.stat(real)
    except FileNotFoundError:
        raise BadImage("absent", "does not exist") from None
    except OSError as error:
        raise BadImage("unreadable", f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, for ever
        raise BadImage("not-a-file", "is a folder, a pipe or a device")
    if status.st_size > MAX_BYTES:
        raise BadImage("enormous", f"has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read")
    # Strictly: the decoder fills what a cut-off file lacks with grey, and a model would give that
    # a name.
    return decode(read_file(real), strict=True)


def fatal_photos(root, paths):
    """Find the photos that end the process that decodes them.

    Args:
        root, paths: str and list of str, as for `decode_inside`.

    Returns:
        set of int, their places in `paths`.

    Raises:
        LabError: another process, in which they are decoded, does not run at all.
    """
    fatal, first, suspect = set(), 0, None
    while (begun := _decode_apart(root, paths[first:])) is not None:
        last = first + begun - 1
        if last == suspect:
            # Twice, because a process may also be ended by a lack of memory, or by somebody.
            fatal.add(last)
            suspect, first = None, last + 1
        else:
            suspect, first = last, last
    return fatal


def _decode_apart(root, paths):
    """Decode photos in another process; return None, or how many it had begun when it ended."""
    done = subprocess.run([sys.executable, "-m", "src_mindspore.deploy.photo_files", root],
                          cwd=PROJECT, input=json.dumps(paths), text=True, capture_output=True,
                          check=False)
    if done.returncode == 0:
        return None
    begun = done.stdout.count("begun")
    if not begun:
        raise LabError("The photo that ends the job cannot be looked for: the process that should "
                       f"do it ended with code {done.returncode}. {done.stderr[-300:].strip()}")
    return begun


if __name__ == "__main__":
    for name in json.load(sys.stdin):
        print("begun", flush=True)
        with contextlib.suppress(BadImage):
            decode_inside(sys.argv[1], name)
