"""Photos to batches for a network that is trained whole: every epoch sees every photo anew."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from src_mindspore.data.preprocess import normalise
from src_mindspore.data.threads import map_in_order
from src_mindspore.features.extract import read_unchanged
from src_mindspore.runtime import usable_cores


class PhotoSource:
    """Reads, augments and normalises photos in threads, ahead of the training.

    Args:
        records: list of FileRecord.
        root: Path of the data folder.
        views: Views.
        workers: int, threads; 0: one a core. Never changes the result.
    """

    def __init__(self, records, root, views, workers=0):
        self.records = records
        self.root = root
        self.views = views
        self.workers = workers or usable_cores()
        self.labels = np.array([r.label for r in records], np.int32)

    def batches(self, numbers, size, number=0):
        """Yield batches in the order of `numbers`.

        Args:
            numbers: (K,) int, positions of photos.
            size: int, photos of a batch; the last one has what is left.
            number: int, the pass: it decides the random views.

        Yields:
            (images, labels): (n, 3, H, W) float32, and (n,) int32 or (n, C) float32 where photos
            are mixed.
        """
        def read(record):
            return read_unchanged(self.root, record)

        def view(position):
            return self.views.labelled(read(self.records[position]), self.records, position,
                                       number, read)[:2]

        with ThreadPoolExecutor(self.workers) as pool:
            items = map_in_order(pool, view, map(int, numbers), ahead=2 * size)
            try:
                for first in range(0, len(numbers), size):
                    part = [next(items) for _ in range(min(size, len(numbers) - first))]
                    pixels = np.stack([pixel for pixel, _ in part])
                    labels = np.array([label for _, label in part])
                    yield (normalise(pixels, self.views.preprocess),
                           labels.astype(np.int32 if labels.ndim == 1 else np.float32))
            finally:
                items.close()
