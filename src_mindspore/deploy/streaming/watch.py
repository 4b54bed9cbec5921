"""What a person sees of a stream: a live line, figures, a warning about the model."""
import collections
import dataclasses
import os
import threading
import time
from pathlib import Path

import numpy as np

from src_mindspore.deploy.streaming.rows import read_file
from src_mindspore.deploy.streaming.served import Served
from src_mindspore.files import sha256_of

# So many of the newest latencies are kept: figures of a stream that runs for months stay small.
KEPT = 100_000
RATE_SECONDS = 5


class Figures:
    """Counts and latencies of rows; may be fed by several threads.

    Args:
        limit: float, milliseconds an image may take.
        clock: function () -> float, seconds (replaced in tests).
    """

    def __init__(self, limit, clock=time.monotonic):
        self.limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._latencies = collections.deque(maxlen=KEPT)
        self._times = collections.deque(maxlen=KEPT)
        self._first = None
        self.count = self.errors = self.over = 0

    def add(self, row):
        """Count a row: `total_milliseconds` where a gateway measured it, else `milliseconds`."""
        latency = row.get("total_milliseconds", row["milliseconds"])
        with self._lock:
            now = self._clock()
            self._first = now if self._first is None else self._first
            self.count += 1
            self.errors += bool(row["error"])
            self.over += latency > self.limit
            self._latencies.append(latency)
            self._times.append(now)

    def latencies(self):
        """Return the newest latencies; (N,) float64 in milliseconds."""
        with self._lock:
            return np.array(self._latencies, np.float64)

    def rate(self):
        """Return images/s over the last seconds."""
        with self._lock:
            now = self._clock()
            recent = sum(1 for moment in self._times if moment > now - RATE_SECONDS)
            span = min(RATE_SECONDS, now - self._first) if self._first is not None else 0
        return recent / span if span else 0.0

    def mean_rate(self):
        """Return images/s from the first to the newest that is kept."""
        with self._lock:
            span = self._times[-1] - self._times[0] if self._times else 0
            return (len(self._times) - 1) / span if span else 0.0

    def line(self, over_all=False):
        """Return one line for people, with the rate of the last seconds or of all the time."""
        latencies = self.latencies()
        rate = self.mean_rate() if over_all else self.rate()
        p50, p99, most = (np.percentile(latencies, (50, 99, 100)) if len(latencies) else (0, 0, 0))
        return (f"{self.count:7,} images  {rate:6.1f}/s  p50 {p50:5.0f} ms  p99 {p99:5.0f}"
                f" ms  max {most:5.0f} ms  over {self.limit:g} ms: {self.over}  "
                f"errors: {self.errors}")


class RowFiles:
    """The row files of a stream as they become visible.

    Args:
        folder: str or Path.
    """

    def __init__(self, folder):
        self._folder = Path(folder)
        self._read = set()

    def new_rows(self):
        """Yield the rows of files that were not there at the last call."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return
        # A visible file never changes. After a day there are 100,000: only the new ones are sorted.
        new = sorted(name for name in names if name not in self._read and name[0] != ".")
        for name in new:
            self._read.add(name)
            yield from read_file(self._folder / name)


@dataclasses.dataclass
class ModelWatch:
    """Notices that the file a stream was started with is another one now.

    Attributes:
        path: Path, as it was given, so a link that points elsewhere is noticed.
        sha256: str, of the model that is served.
    """

    path: Path
    sha256: str
    _stamp: tuple = ()

    @classmethod
    def of(cls, path, folder):
        """Return the watch of a path whose frozen copy lies in a folder."""
        return cls(Path(path), Served(folder).record["model_sha256"])

    def look(self):
        """Return a sentence when the file has changed since the last look, else ''."""
        try:
            status = self.path.stat()
        except OSError:
            status = None
        stamp = status and (status.st_ino, status.st_size, status.st_mtime_ns)
        if stamp == self._stamp:
            return ""
        self._stamp = stamp
        if stamp is None:
            return (f"{self.path} is gone. The stream goes on with its own copy of the model "
                    f"(SHA-256 {self.sha256[:16]}...).")
        try:
            digest = sha256_of(self.path)
        except OSError as error:
            return (f"{self.path} cannot be read ({error.strerror}). The stream goes on with its "
                    f"own copy of the model (SHA-256 {self.sha256[:16]}...).")
        if digest == self.sha256:
            return ""
        return (f"{self.path} was replaced (SHA-256 {digest[:16]}...). The new model is refused; "
                f"the stream goes on with {self.sha256[:16]}... To change the model, press Ctrl-C "
                "and start again with --resume.")
