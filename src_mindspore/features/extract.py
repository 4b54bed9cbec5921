"""Photos to cached features: decode and augment in threads, infer in batches, write each batch.

    python -m src_mindspore.features.extract                  # the features train_head.py needs
    python -m src_mindspore.features.extract --shard 1/4      # a quarter of them; then 2/4, ...
    python -m src_mindspore.features.extract --merge          # all four verified and made one cache

The order is photo by photo, all passes of one together, so that a file is read and decoded once
however large `repeat` is, and memory does not grow with the data.
"""
import collections
import dataclasses
import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from src_mindspore.data.augment import AugmentSpec, augment, rng_for
from src_mindspore.data.decode import BadImage, decode, read_file
from src_mindspore.data.preprocess import PreprocessSpec, normalise, resize_and_crop
from src_mindspore.errors import LabError
from src_mindspore.features.cache import CacheWriter, FeatureCache, describe_change, key_of
from src_mindspore.files import sha256_of_json
from src_mindspore.runtime import usable_cores


@dataclasses.dataclass(frozen=True)
class Views:
    """Which views of each photo are computed.

    Attributes:
        preprocess: PreprocessSpec.
        repeat: int >= 1, passes.
        include_clean: bool, pass 0 is the photo as in evaluation.
        augmentation: AugmentSpec for the other passes; None: every pass is clean.
        seed: int, of the augmentation.
    """

    preprocess: PreprocessSpec
    repeat: int = 1
    include_clean: bool = True
    augmentation: AugmentSpec | None = None
    seed: int = 0

    def is_clean(self, number):
        """True where pass `number` is not augmented."""
        return self.augmentation is None or (self.include_clean and number == 0)

    def of(self, image, path, number):
        """Return one view: (H, W, 3) uint8 RGB.

        Args:
            image: (h, w, 3) uint8 RGB, any size.
            path: str, the identity of the photo.
            number: int, the pass.
        """
        if self.is_clean(number):
            return resize_and_crop(image, self.preprocess)
        return augment(image, self.preprocess, self.augmentation,
                       rng_for(self.seed, path, number))

    def to_dict(self):
        """Return a JSON-able dict; what has no influence is left out, so that keys stay equal."""
        augmented = any(not self.is_clean(n) for n in range(self.repeat))
        return {"preprocess": self.preprocess.to_dict(), "repeat": self.repeat,
                "include_clean": self.is_clean(0),
                "augmentation": self.augmentation.to_dict() if augmented else None,
                "augmentation_seed": self.seed if augmented else None}


def extract(records, root, split, backbone, engine, views, features_path, *, dtype="float32",
            pooling="mean+max", workers=0, progress=True):
    """Return the features of photos, computing what is not cached yet.

    Args:
        records: list of FileRecord, usable ones, in the order of the rows.
        root: Path of the data folder.
        split: str, for messages and the key.
        backbone: Backbone.
        engine: see engines.py; its batch_size is the rows of one cache file.
        views: Views.
        features_path: Path of all caches.
        dtype: 'float32' or 'float16' on disk.
        pooling: 'mean+max' or 'none'.
        workers: int, threads; 0: one a core. Never changes the result.
        progress: bool.

    Returns:
        FeatureCache.

    Raises:
        LabError: a photo changed or became unreadable since the scan, the disk is too small, the
            cache is damaged, or another process is writing it.
    """
    images, what = contract_of(records, split, backbone, engine, views, dtype, pooling)
    folder = Path(features_path) / key_of(what)
    if (folder / "manifest.json").exists():
        print(f"features of {split}: {len(records)} photos x {views.repeat}, cached in {folder}")
        return FeatureCache(folder)
    change = describe_change(features_path, what)
    if change:
        print(f"features of {split}: new key {folder.name[:8]}, {change}")
    with CacheWriter(features_path, what) as writer:
        if not (folder / "manifest.json").exists():  # another run may have finished it meanwhile
            compute(records, Path(root), split, engine, views, writer, np.dtype(dtype), workers,
                    progress)
            writer.finish(images)
    return FeatureCache(folder)


def contract_of(records, split, backbone, engine, views, dtype, pooling):
    """Return (images, what): the photos as the manifest lists them, and what the key hashes."""
    images = [{"path": r.path, "size": r.size, "sha256": r.sha256} for r in records]
    return images, {
        "split": split, "backbone": backbone.contract(), **views.to_dict(),
        "images": sha256_of_json(images), "labels": sha256_of_json([r.label for r in records]),
        "batch_size": engine.batch_size, "pooling": pooling, "dtype": dtype,
        "engine": engine.name, "precision": engine.precision,
    }


def compute(records, root, split, engine, views, writer, dtype, workers, progress, batches=None):
    """Compute the batches that a CacheWriter lacks; `batches` (a range) of them, None: all."""
    batch_size = engine.batch_size
    rows = len(records) * views.repeat
    if batches is not None:
        rows = min(rows, batches.stop * batch_size)
    start = (writer.first + len(writer.done)) * batch_size
    if writer.done:
        print(f"features of {split}: going on after {min(start, rows)} of {rows}")
    items = _views_in_order(records, root, views, start, workers or usable_cores())
    with tqdm(total=rows, initial=min(start, rows), desc=f"features of {split}", unit="img",
              disable=not progress, mininterval=0.5) as bar:
        for first in range(start, rows, batch_size):
            batch = [next(items) for _ in range(min(batch_size, rows - first))]
            pixels = np.stack([view for view, _, _ in batch])
            feature = engine(normalise(pixels, views.preprocess)).astype(dtype)
            if first == start:
                _require_room(writer.folder, feature.nbytes // len(batch) * (rows - first))
            label = np.array([records[image].label for _, image, _ in batch], np.int32)
            index = np.array([(image, number) for _, image, number in batch], np.int32)
            writer.write(feature, label, index)
            bar.update(len(batch))


def _views_in_order(records, root, views, start, workers):
    """Yield (pixels, image number, pass) from row `start` on, decoding ahead in threads."""

    def views_of(image, first_pass):
        pixels = _read_unchanged(root, records[image])
        return [(views.of(pixels, records[image].path, number), image, number)
                for number in range(first_pass, views.repeat)]

    first_image, first_pass = divmod(start, views.repeat)
    # Enough to keep the threads busy while a batch is inferred, and no more memory than that.
    ahead = workers + max(2, 64 // views.repeat)
    with ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        upcoming = iter(range(first_image, len(records)))
        try:
            while True:
                while len(waiting) < ahead and (image := next(upcoming, None)) is not None:
                    waiting.append(pool.submit(
                        views_of, image, first_pass if image == first_image else 0))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _read_unchanged(root, record):
    path = root / record.path
    try:
        data = read_file(path)
        if hashlib.sha256(data).hexdigest() != record.sha256:
            raise LabError(f"{path} changed while the run was going on. Run the same command "
                           "again.")
        return decode(data)
    except BadImage as error:
        raise LabError(f"{path} {error}, although it was readable before. Run the same command "
                       "again; --bad_images skip leaves such files out.") from None


def _require_room(folder, needed):
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LabError(f"The disk is too small for the features: {needed / 1e6:.0f} MB are needed "
                       f"in {folder}, {free / 1e6:.0f} MB are free. Free some space, choose "
                       "another --features_path, lower --repeat, or take --feature_dtype float16.")


if __name__ == "__main__":
    import sys

    from src_mindspore.errors import run_as_script
    from src_mindspore.features.command import main
    run_as_script(main, sys.argv[1:])
