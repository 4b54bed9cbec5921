"""Which lines of a long list stand in it before: exact, with memory that does not grow with it."""
import contextlib
import hashlib
import heapq
import shutil
import tempfile
from pathlib import Path

import numpy as np

BUCKETS = 256
# 16 bytes of hash: two different among 10^12 are alike with a probability of 10^-15.
RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("row", "<i8")])


class RepeatFinder(contextlib.AbstractContextManager):
    """Finds the numbers of repeated texts: the hashes go to files by their first byte.

    Each file holds a 256th of them and is sorted by itself; 24 bytes a text on disk while it runs.

    Args:
        folder: Path, where the files stand; they are removed at the end of the block.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.count = 0

    def __enter__(self):
        self.scratch = Path(tempfile.mkdtemp(dir=self.folder, prefix=".repeats-"))
        self.files = [open(self.scratch / str(i), "wb") for i in range(BUCKETS)]  # noqa: SIM115
        return self

    def __exit__(self, *_):
        for file in self.files:
            file.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def add(self, text):
        """Note the next text."""
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self.files[digest[0]].write(digest + self.count.to_bytes(8, "little", signed=True))
        self.count += 1

    def repeats(self):
        """Yield the numbers (from 0) of texts that were added before, in rising order."""
        for file in self.files:
            file.close()
        found = []
        for number in range(BUCKETS):
            records = np.fromfile(self.scratch / str(number), RECORD)
            order = np.lexsort((records["row"], records["low"], records["high"]))
            records = records[order]
            same = np.zeros(len(records), bool)
            same[1:] = (records["high"][1:] == records["high"][:-1]) \
                & (records["low"][1:] == records["low"][:-1])
            path = self.scratch / f"repeats-{number}"
            np.sort(records["row"][same]).tofile(path)
            found.append(path)
        yield from heapq.merge(*map(_rows, found))


def _rows(path):
    """Yield the numbers in a file, a block at a time."""
    with open(path, "rb") as file:
        while len(block := np.fromfile(file, "<i8", 4096)):
            yield from block.tolist()
