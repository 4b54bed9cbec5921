"""All processes of one hand-in, watched together: memory, processor time, number, files; and ended.

The kernel's limits hold for one process each; sums are what a fork bomb hides behind.
"""
import contextlib
import os
import time

import psutil

from lab.grading.limits import MEGABYTE

LOOK = 0.2  # seconds between two looks


class Ended(Exception):
    """A hand-in is over before its time; `code` and `detail` say why (see texts.py)."""

    def __init__(self, code, **detail):
        super().__init__(f"{code} {detail or ''}")
        self.code = code
        self.detail = detail


class Watchdog:
    """Watches the descendants of a launcher.

    Args:
        launcher: int, process that adopts orphans, so that every process of the hand-in descends
            from it; not itself counted.
        limits: Limits.
        scratch: folder whose size is watched too, or None where the kernel bounds it.
        copied: int, bytes that were in the folder before.

    Attributes:
        peak_memory_mb: float, largest sum of memory seen.
        cpu_seconds: float, processor time so far.
    """

    def __init__(self, launcher, limits, scratch, copied):
        self._launcher, self._limits = launcher, limits
        self._scratch, self._copied = scratch, copied
        self._seen, self._next = set(), 0.0
        self.peak_memory_mb, self.cpu_seconds = 0.0, 0.0

    def look(self, now):
        """Measure, when it is time.

        Args:
            now: float, of `time.monotonic`.

        Raises:
            Ended: 'memory', 'cpu', 'processes' or 'disk', the limit that is passed.
        """
        if now < self._next:
            return
        self._next = now + LOOK
        limits, processes = self._limits, self._processes()
        self._seen.update(processes)
        if len(processes) > limits.processes:
            raise Ended("processes", limit=limits.processes)
        resident, cpu = 0, 0.0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                resident += process.memory_info().rss
                cpu += sum(process.cpu_times()[:4])
        if resident > limits.memory_mb * MEGABYTE:
            # Pages that forked processes share count once only in this slower figure.
            resident = sum(map(_proportional, processes))
        self.cpu_seconds = max(self.cpu_seconds, cpu)
        self.peak_memory_mb = max(self.peak_memory_mb, resident / MEGABYTE)
        if resident > limits.memory_mb * MEGABYTE:
            raise Ended("memory", limit_mb=limits.memory_mb)
        if cpu > limits.cpu_seconds:
            raise Ended("cpu", seconds=limits.cpu_seconds)
        if self._scratch and _size(self._scratch) > self._copied + limits.scratch_mb * MEGABYTE:
            raise Ended("disk", limit_mb=limits.scratch_mb)

    def end_all(self):
        """Kill every descendant, and whatever was one when it was last looked at."""
        while living := [p for p in {*self._processes(), *self._seen} if _lives(p)]:
            for process in living:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            time.sleep(0.005)

    def _processes(self):
        try:
            return psutil.Process(self._launcher).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


def tasks_of_this_user():
    """Return how many processes and threads the user of this process has at the moment."""
    own, count = os.geteuid(), 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        if process.info["uids"] and process.info["uids"].real == own:
            count += process.info["num_threads"] or 0
    return count


def _lives(process):
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _proportional(process):
    """Return the proportional set size; the resident one where a process hides the former."""
    with contextlib.suppress(psutil.Error):
        return process.memory_full_info().pss
    with contextlib.suppress(psutil.Error):
        return process.memory_info().rss
    return 0


def _size(folder):
    """Return the bytes that the files below a folder take."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total
