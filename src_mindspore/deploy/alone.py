"""One process to a folder of answers."""
import contextlib

from filelock import FileLock, Timeout

from src_mindspore.errors import LabError
from src_mindspore.files import explain_os_error


@contextlib.contextmanager
def alone(out, what):
    """Make a folder and hold its lock, which the system lets go of when the process ends.

    Args:
        out: Path.
        what: str, what another process that holds it does there and how to go on, for people.

    Raises:
        LabError: another process holds it, or the folder cannot be made.
    """
    lock = FileLock(out / ".lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise LabError(what) from None
    except OSError as error:
        raise explain_os_error(error, out) from error
    try:
        yield
    finally:
        lock.release()
