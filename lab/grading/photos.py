"""The hidden photos: their pixels go out one by one, the truth never does."""
import threading
from pathlib import Path

import numpy as np

from src_mindspore.data.classes import COURSE_CLASSES, name_classes, read_label_file
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.folder import find_data, read_folder
from src_mindspore.data.preprocess import PreprocessSpec, resize_and_crop
from src_mindspore.evaluation.photos_of_model import photos_for
from src_mindspore.files import sha256_of, sha256_of_json

# The photos as handed over, and the replays: what a hand-in may have wanted instead.
VIEWS = ("given", "swapped", "cropped")
# The course's Resize(256) and CenterCrop(224).
COURSE_GEOMETRY = PreprocessSpec()
CACHE_BYTES = 500_000_000


class HiddenPhotos:
    """Photos with their truth.

    Args:
        path: str or Path of a data folder (class folders, or splits with class folders).
        split: str, which split, where the folder has splits.
        channels: 'RGB' or 'BGR', what `predict` is handed.
        progress: bool.

    Attributes:
        root: Path.
        paths: tuple of N str.
        labels: (N,) int64, positions in `classes`.
        classes: ClassNames, all that `predict` may answer.
        split: str, the split that was taken.
        order: (N,) int64, the order of asking. Shuffled, because the order of folders gives the
            classes away; fixed by the photos, so that every hand-in is asked alike.
        key: str, SHA-256 of photos, truth and channels.
        label_file: dict from folder or group to name in the order of label.txt, {} without one.

    Raises:
        LabError: no photos, or photos that cannot be read.
    """

    def __init__(self, path, split, channels, progress=True):
        root = find_data(path) or Path(path)
        folders = read_folder(root, least_classes=1).classes
        course = name_classes(folder for folder, _, _ in COURSE_CLASSES)
        self.classes = course if set(folders.folders) <= set(course.folders) else folders
        self.root, self.paths, self.labels, _, self.split = photos_for(
            self.classes, root, split, progress=progress)
        self.channels = channels
        hashes = [sha256_of(self.root / path) for path in self.paths]
        self.key = sha256_of_json([hashes, self.labels.tolist(), self.classes.to_dict(), channels])
        # The truth is in the seed: nobody finds the order out from the photos alone.
        self.order = np.random.default_rng(int(self.key, 16)).permutation(len(self.paths))
        label_file = self.root / "label.txt"
        self.label_file = read_label_file(label_file) if label_file.is_file() else {}
        self._cache, self._room, self._lock = {}, CACHE_BYTES, threading.Lock()

    def __len__(self):
        return len(self.paths)

    def pixels(self, number, view="given"):
        """Return a photo as `predict` gets it.

        Args:
            number: int, position in `paths`.
            view: 'given', 'swapped' (red and blue exchanged) or 'cropped' (Resize(256) and
                CenterCrop(224) already done).

        Returns:
            (H, W, 3) uint8, C-contiguous.
        """
        image = self._rgb(number)
        if view == "cropped":
            image = resize_and_crop(image, COURSE_GEOMETRY)
        if (self.channels == "BGR") != (view == "swapped"):
            image = image[:, :, ::-1]
        return np.ascontiguousarray(image)

    def _rgb(self, number):
        image = self._cache.get(number)
        if image is None:
            image = load_rgb(self.root / self.paths[number])
            with self._lock:
                if number not in self._cache and image.nbytes <= self._room:
                    self._room -= image.nbytes
                    self._cache[number] = image
        return image
