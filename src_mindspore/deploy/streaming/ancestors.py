"""Leave with the process that one works for.

A killed TaskManager leaves its Python worker running, and that its model process. Both watch whom
they descend from and end within a second of its death.
"""
import contextlib
import ctypes
import os
import signal
import threading
import time
from pathlib import Path

LOOK = 0.5  # seconds between two looks
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def identity_of(pid):
    """Return (pid, start time) of a process, or None where it is gone or a zombie.

    A pid alone is not an identity: the system gives it away again.
    """
    fields = _stat(pid)
    return (pid, int(fields[19])) if fields and fields[0] not in ("Z", "X") else None


def ancestors_up_to(command):
    """Return the identities from this process's parent up to the nearest process of a name.

    Args:
        command: str, as the system knows it, for example 'java'.

    Returns:
        list of (pid, start time), the parent first; the parent alone where no ancestor has the
        name.
    """
    chain, pid = [], os.getppid()
    while pid > 1:
        identity = identity_of(pid)
        if identity is None:
            break
        chain.append(identity)
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == command:
                return chain
        pid = int(_stat(pid)[1])
    return chain[:1]


def die_with(chain, before=lambda: None):
    """End this process as soon as one of its ancestors is gone; watched by a thread.

    Args:
        chain: list of (pid, start time) as from `ancestors_up_to`; those between the one that is
            gone and this process are orphans too and are ended.
        before: function called first, for what this process has started.
    """
    def watch():
        while all(identity_of(pid) == (pid, born) for pid, born in chain):
            time.sleep(LOOK)
        with contextlib.suppress(Exception):
            before()
        for pid, born in chain[:-1]:
            if identity_of(pid) == (pid, born):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="ancestors", daemon=True).start()


def killed_with_parent():
    """For `Popen(preexec_fn=)`: the kernel kills the process when the thread that starts it ends.

    For programs that cannot watch by themselves, started from the main thread.
    """
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stat(pid):
    """Return the fields of /proc/<pid>/stat from the state on, or None where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()
