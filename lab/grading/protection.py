"""What confines a hand-in on this machine: found out by trying, and told to people."""
import dataclasses
import os
import sys
import tempfile
from pathlib import Path

import src_mindspore
from lab.grading.inside import syscalls
from lab.grading.limits import Limits
from src_mindspore.errors import LabError

INSIDE = Path(__file__).parent / "inside"
LIBRARY = Path(src_mindspore.__file__).parent
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime",
          "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/alternatives", "/etc/fonts",
          "/sys/devices/system/cpu")
# Started as root, hand-ins run as users that nobody is: each slot its own.
FIRST_USER = 61_000


@dataclasses.dataclass(frozen=True)
class Protection:
    """Which layers of confinement are in force.

    Attributes:
        namespaces: bool, a root folder, network, process list and queues of its own.
        landlock: int, ABI of Landlock, 0 where there is none.
        seccomp: bool, a filter of system calls.
        as_root: bool, the grading itself runs as user 0.
    """

    namespaces: bool
    landlock: int
    seccomp: bool
    as_root: bool

    @property
    def gaps(self):
        """Tuple of the keys of `rows` that a grading should not do without and that are missing."""
        needed = ("hidden", "writes", "network", "processes", "signals")
        return tuple(key for key, how in self.rows() if key in needed and not how)

    def rows(self):
        """Return what is enforced: list of (key, tuple of the layers that enforce it; empty: none).

        Keys and layers are explained in texts.py.
        """
        files = self._by(namespaces=self.namespaces, landlock=self.landlock)
        return [
            ("hidden", files),
            ("writes", files),
            ("network", self._by(namespaces=self.namespaces, seccomp=self.seccomp)),
            # User 0 is exempt from RLIMIT_NPROC; with namespaces another user runs the hand-in.
            ("processes", self._by(rlimits=self.namespaces or not self.as_root)),
            ("signals", self._by(namespaces=self.namespaces, landlock=self.landlock >= 6)),
            ("strays", self._by(namespaces=self.namespaces, watchdog=True)),
            ("time", ("rlimits", "watchdog")),
            ("memory", ("rlimits", "watchdog")),
            ("disk", self._by(tmpfs=self.namespaces, rlimits=True,
                              watchdog=not self.namespaces)),
            ("output", ("watchdog",)),
            ("privileges", self._by(user=self.namespaces and self.as_root, seccomp=self.seccomp,
                                    no_new_privs=True)),
        ]

    @staticmethod
    def _by(**layers):
        return tuple(name for name, active in layers.items() if active)


def find_protection():
    """Try what this machine allows.

    Returns:
        Protection with every layer that works here.

    Raises:
        LabError: not even a plain process could be started.
    """
    if not sys.platform.startswith("linux"):
        raise LabError(f"Hand-ins are confined by the Linux kernel; this is {sys.platform}. Grade "
                       "on Linux, in a virtual machine or in WSL 2.")
    best = Protection(namespaces=syscalls.IS_X86_64, landlock=syscalls.landlock_version(),
                      seccomp=syscalls.has_seccomp(), as_root=os.geteuid() == 0)
    plain = dataclasses.replace(best, namespaces=False)
    return best if best.namespaces and not _trial(best) else _working(plain)


def _working(protection):
    problem = _trial(protection)
    if problem:
        raise LabError(f"No hand-in can be started on this machine: {problem}")
    return protection


def _trial(protection):
    """Start an empty hand-in; the problem as text, '' where it answers."""
    from lab.grading.session import Ended, LaunchFailed, Session

    with tempfile.TemporaryDirectory(prefix="grade-trial-") as folder:
        (Path(folder) / "main.py").write_text("def predict(image):\n    return ''\n")
        try:
            with Session(Path(folder), protection, Limits(import_seconds=60)):
                return ""
        except (LaunchFailed, Ended) as error:
            return str(error)


def readable_paths():
    """Return the paths a hand-in may read besides its own copy: the system, Python, the worker."""
    python = {sys.base_prefix, sys.prefix, os.path.realpath(sys.prefix), str(INSIDE)}
    return [*SYSTEM, *sorted(python)]


def require_out_of_reach(paths):
    """Refuse folders that a hand-in could read because they lie within Python or the system.

    Args:
        paths: dict from what it is, for people, to Path.

    Raises:
        LabError: a path lies below a readable one.
    """
    for what, path in paths.items():
        for readable in map(os.path.realpath, readable_paths()):
            if os.path.commonpath([readable, os.path.realpath(path)]) == readable:
                raise LabError(f"{what} {path} lies in {readable}, which every hand-in may read "
                               "because Python or the system is in it. Move it elsewhere.")
