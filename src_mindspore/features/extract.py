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
import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from src_mindspore.data.augment import AugmentSpec, augment, rng_for
from src_mindspore.data.decode import BadImage, decode, read_file
from src_mindspore.data.mix import MixSpec, mix, soft_label
from src_mindspore.data.preprocess import PreprocessSpec, normalise, resize_and_crop
from src_mindspore.data.threads import made_ahead
from src_mindspore.errors import LabError
from src_mindspore.features.cache import CacheWriter, FeatureCache, describe_change, key_of
from src_mindspore.files import sha256_of_json
from src_mindspore.runtime import usable_cores

BATCHES_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class Views:
    """Which views of each photo are computed.

    Attributes:
        preprocess: PreprocessSpec.
        repeat: int >= 1, passes.
        include_clean: bool, pass 0 is the photo as in evaluation.
        augmentation: AugmentSpec for the other passes; None: every pass is clean.
        seed: int, of the augmentation.
        mix: MixSpec, for the augmented passes; None: no two photos are mixed.
    """

    preprocess: PreprocessSpec
    repeat: int = 1
    include_clean: bool = True
    augmentation: AugmentSpec | None = None
    seed: int = 0
    mix: MixSpec | None = None

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

    def labelled(self, image, records, position, number, read):
        """Return one view with its label, mixed where a MixSpec says so.

        Args:
            image: (h, w, 3) uint8 RGB, the photo at `position`.
            records: list of FileRecord.
            position, number: int, which photo, and the pass.
            read: function from a FileRecord to its (h, w, 3) uint8 RGB.

        Returns:
            (view, label, index): (H, W, 3) uint8 RGB; the class, or a (C,) float32 soft label; and
            (position, number), with the position of the partner behind where views are mixed.
        """
        record = records[position]
        view = self.of(image, record.path, number)
        if self.mix is None:
            return view, record.label, (position, number)
        # A stream of its own: mixing leaves the views as they would be without it.
        rng = rng_for(self.seed, f"mix {record.path}", number)
        drawn = None if self.is_clean(number) else self.mix.draw(len(records), rng)
        kind, partner, share = drawn or ("none", position, 1.0)
        other = records[partner]
        if drawn:
            view, share = mix(kind, view, self.of(read(other), other.path, number), share, rng)
        return (view, soft_label(record.label, other.label, share, self.mix.num_classes),
                (position, number, partner))

    def to_dict(self):
        """Return a JSON-able dict; what has no influence is left out, so that keys stay equal."""
        augmented = any(not self.is_clean(n) for n in range(self.repeat))
        return {"preprocess": self.preprocess.to_dict(), "repeat": self.repeat,
                "include_clean": self.is_clean(0),
                "augmentation": self.augmentation.to_dict() if augmented else None,
                "augmentation_seed": self.seed if augmented else None,
                **({"mix": self.mix.to_dict()} if augmented and self.mix else {})}


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
        **({"engine_revision": engine.revision} if engine.revision > 1 else {}),
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
    batches = read_batches(records, root, views, batch_size, workers, start)
    # Three things at once: the next batch is read and made, this one is inferred, the one before
    # is written, which waits for the disk.
    with tqdm(total=rows, initial=min(start, rows), desc=f"features of {split}", unit="img",
              disable=not progress, mininterval=0.5) as bar, \
            made_ahead(batches, BATCHES_AHEAD) as ready, ThreadPoolExecutor(1) as disk:
        written = None
        for first in range(start, rows, batch_size):
            images, label, index = next(ready)
            count = min(batch_size, rows - first)  # a shard ends before the photos do
            feature = engine(images[:count]).astype(dtype)
            if first == start:
                _require_room(writer.folder, feature.nbytes // count * (rows - first))
            if written:
                written.result()
            written = disk.submit(writer.write, feature, label[:count], index[:count])
            bar.update(count)
        if written:
            written.result()


def read_batches(records, root, views, batch_size, workers=0, start=0):
    """Read, decode, augment and normalise photos ahead in threads.

    Args:
        records: list of FileRecord.
        root: Path of the data folder.
        views: Views.
        batch_size, workers: int; workers 0: one a core.
        start: int, the first row.

    Yields:
        (images, label, index) of each batch: (N, 3, H, W) float32, the backbone's input; (N,) int32
        or, of mixed photos, (N, C) float32; (N, 2) int32, or (N, 3) of mixed photos.
    """
    items = _views_in_order(records, root, views, start, workers or usable_cores())
    try:
        while batch := list(itertools.islice(items, batch_size)):
            pixels, label, index = zip(*batch, strict=True)
            yield (normalise(np.stack(pixels), views.preprocess),
                   np.array(label, np.float32 if views.mix else np.int32),
                   np.array(index, np.int32))
    finally:
        items.close()


def _views_in_order(records, root, views, start, workers):
    """Yield (pixels, label, index) from row `start` on, decoding ahead in threads."""

    def read(record):
        return read_unchanged(root, record)

    def views_of(image, first_pass):
        pixels = read(records[image])
        return [views.labelled(pixels, records, image, number, read)
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


def read_unchanged(root, record):
    """Return the (h, w, 3) uint8 RGB pixels of a scanned photo.

    Raises:
        LabError: the file is not what the scan saw, or can no longer be read.
    """
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
