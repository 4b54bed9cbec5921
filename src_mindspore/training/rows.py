"""Rows that a head learns from: in memory, or in a scratch file where they are too many."""
import dataclasses
import os
import tempfile
from pathlib import Path

import mindspore as ms
import numpy as np

from src_mindspore.files import explain_os_error

# Rows a forward pass sees at once when a whole split is read.
ROWS_AT_ONCE = 4096


@dataclasses.dataclass(frozen=True)
class Split:
    """Rows of one split: (N, F) float32 features (an array, or rows on disk that
    `rows[numbers]` reads) and (N,) int32 labels or, in train, (N, C) float32 soft labels; in train
    also (N,) int, which photo each row shows, or None where every row is another one.
    """

    rows: object
    labels: np.ndarray
    photos: np.ndarray = None


class ScratchRows:
    """(N, G) float32 rows in a file without a name: it is gone when the process ends, however.

    Rows are read, not mapped: pages of a map count as memory of the process, and a shuffled pass
    touches all of them.

    Args:
        folder: Path of the folder whose disk is used.
        parts: iterable of (n, G) float32 arrays.

    Raises:
        LabError: the disk is full, or the folder may not be written.
    """

    def __init__(self, folder, parts):
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            # It stays open as long as this object lives.
            self.file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
            count = width = 0
            for part in parts:
                data = memoryview(np.ascontiguousarray(part, np.float32)).cast("B")
                while data:  # one write takes at most 2 GB
                    data = data[self.file.write(data):]
                count, width = count + len(part), part.shape[1]
        except OSError as error:
            raise explain_os_error(error, Path(folder) / "scratch file of the training") from error
        self.shape = (count, width)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, numbers):
        numbers = np.arange(len(self))[numbers]
        out = np.empty((len(numbers), self.shape[1]), np.float32)
        size = self.shape[1] * out.itemsize
        handle = self.file.fileno()
        # In the order of the file, which spares a disk its seeks.
        for place in np.argsort(numbers, kind="stable"):
            os.preadv(handle, [out[place]], int(numbers[place]) * size)
        return out


@dataclasses.dataclass(frozen=True)
class SubsetRows:
    """Some rows of rows on disk, without reading them: `subset[i]` is `rows[numbers[i]]`."""

    rows: object
    numbers: np.ndarray

    @property
    def shape(self):
        """(K, F)."""
        return len(self.numbers), self.rows.shape[1]

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, numbers):
        return self.rows[self.numbers[numbers]]


def subset(rows, numbers):
    """Return the rows of (K,) int numbers: an array of an array, else SubsetRows."""
    return rows[numbers] if isinstance(rows, np.ndarray) else SubsetRows(rows, numbers)


def apply_in_chunks(cell, rows):
    """Yield a Cell applied to (N, F) rows, ROWS_AT_ONCE at a time: (n, G) float32 arrays."""
    cell.set_train(False)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[first:first + ROWS_AT_ONCE]  # of an array: a view, not a copy
        yield cell(ms.Tensor.from_numpy(part)).asnumpy()


def joined(parts, count):
    """Return (n, G) arrays as one of `count` rows, which never stand in memory twice."""
    out, first = None, 0
    for part in parts:
        if out is None:
            out = np.empty((count, part.shape[1]), part.dtype)
        out[first:first + len(part)] = part
        first += len(part)
    return out


def root_statistics(rows, chunk=4096):
    """Return mean and deviation of the square root of features: two (F,) float64 arrays.

    Args:
        rows: (N, F) float32 array, or rows on disk.
        chunk: int, rows at once, so that rows on disk stay there.
    """
    count = len(rows)
    total = squares = 0.0
    for first in range(0, count, chunk):
        part = np.maximum(rows[np.arange(first, min(first + chunk, count))], 0).astype(np.float64)
        squares = squares + part.sum(axis=0)
        total = total + np.sqrt(part).sum(axis=0)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))
