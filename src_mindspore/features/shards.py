"""Extraction in parts: over processes or machines that share a folder, then merged.

A shard is a run of whole batches, so the files of a merged cache are byte for byte those of a cache
computed at once. Its folder, `<key>-shard-2-of-4`, stands beside the caches; the key is that of the
whole cache, so shards that do not belong together cannot be merged.
"""
import dataclasses
import os
import re
import shutil
from pathlib import Path

import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.features.cache import (
    PARTS,
    CacheWriter,
    FeatureCache,
    differences,
    key_of,
    show_differences,
)
from src_mindspore.features.extract import compute, contract_of
from src_mindspore.files import read_json, sha256_of, write_json

FOLDER = re.compile(r"([0-9a-f]+)-shard-(\d+)-of-(\d+)")


@dataclasses.dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of`."""

    number: int
    of: int

    def __str__(self):
        return f"{self.number}/{self.of}"

    def batches(self, count):
        """Return the range of the batches, of `count`, that this shard computes."""
        return range(count * (self.number - 1) // self.of, count * self.number // self.of)

    def folder(self, features_path, key):
        """Return the Path of the shard's files."""
        return Path(features_path) / f"{key}-shard-{self.number}-of-{self.of}"


def parse_shard(text):
    """Return the Shard that '2/4' names.

    Raises:
        LabError: not two numbers, or not 1 <= number <= of.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or not 1 <= shard.number <= shard.of:
        raise LabError(f"--shard is {text!r}; expected number/count counted from 1, for example "
                       "1/4, 2/4, 3/4 and 4/4 on four machines.")
    return shard


def extract_shard(records, root, split, backbone, engine, views, features_path, *, shard,
                  dtype="float32", pooling="mean+max", workers=0, progress=True, patience=0):
    """Compute one shard of the features of photos; goes on where it was interrupted.

    Args:
        shard: Shard.
        patience: float, seconds to wait for another process that is computing it.
        records, root, split, backbone, engine, views, features_path, dtype, pooling, workers,
            progress: as for `extract`.

    Returns:
        Path of the shard's folder, or of the whole cache where that is there already.

    Raises:
        LabError: see `extract`.
    """
    _, what = contract_of(records, split, backbone, engine, views, dtype, pooling)
    whole = Path(features_path) / key_of(what)
    folder = shard.folder(features_path, whole.name)
    for ready in (whole, folder):
        if (ready / "manifest.json").exists():
            print(f"features of {split}, shard {shard}: nothing to do, {ready} is there")
            return ready
    batches = shard.batches(count_batches(records, views, engine))
    with CacheWriter(features_path, what, folder.name, batches.start, patience) as writer:
        compute(records, Path(root), split, engine, views, writer, np.dtype(dtype), workers,
                progress, batches)
        # Where each batch belongs is said by `first`; the photos stand in the merged manifest.
        write_json(folder / "manifest.json", {
            "format": 1, "what": what, "shard": [shard.number, shard.of],
            "first": batches.start, "batches": writer.done})
    print(f"features of {split}, shard {shard}: {len(writer.done)} batches in {folder}")
    return folder


def count_batches(records, views, engine):
    """Return how many batches the whole cache has."""
    return -(-len(records) * views.repeat // engine.batch_size)


def merge(records, root, split, backbone, engine, views, features_path, *, dtype="float32",
          pooling="mean+max", workers=0, progress=True):
    """Verify all shards of a cache and make it whole; the shards are removed when it is.

    Args:
        as for `extract`; root, workers and progress are not needed and ignored.

    Returns:
        FeatureCache.

    Raises:
        LabError: shards are missing, of other settings, of different counts, unfinished or
            damaged; nothing is removed then.
    """
    images, what = contract_of(records, split, backbone, engine, views, dtype, pooling)
    whole = Path(features_path) / key_of(what)
    if (whole / "manifest.json").exists():
        print(f"features of {split}: already whole in {whole}")
        return FeatureCache(whole)
    shards = _complete(Path(features_path), split, what)
    total = count_batches(records, views, engine)
    digests = []
    for shard, folder in shards.items():
        digests += _verified(folder, shard, what, total)
    with CacheWriter(features_path, what) as writer:
        for number, digest in enumerate(digests[len(writer.done):], len(writer.done)):
            folder = next(f for s, f in shards.items() if number in s.batches(total))
            for part in PARTS:
                _link(folder / f"{part}_{number}.npy", whole / f"{part}_{number}.npy")
            writer.note(digest)
        writer.finish(images)
    cache = FeatureCache(whole)  # reads and verifies every file again, now in its place
    for folder in shards.values():
        shutil.rmtree(folder)
    print(f"features of {split}: {len(shards)} shards, {len(digests)} batches, {len(cache)} rows "
          f"merged in {whole}")
    return cache


def _complete(root, split, what):
    """Return {Shard: folder} of all shards of a cache, in order."""
    key = key_of(what)
    found, others = {}, []
    for folder in sorted(root.glob("*-shard-*-of-*")):
        match = FOLDER.fullmatch(folder.name)
        if match and match[1] == key:
            found[Shard(int(match[2]), int(match[3]))] = folder
        elif match:
            others.append(folder)
    hint = _explain_others(others, split, what)
    if not found:
        raise LabError(f"There is no shard of the features of {split} in {root} that these "
                       f"settings and photos ask for (key {key[:8]}).{hint} Run --shard 1/n to n/n "
                       "with the same flags first.")
    counts = sorted({shard.of for shard in found})
    if len(counts) > 1:
        raise LabError(f"The shards of {split} in {root} overlap, because they come from divisions "
                       f"into {' and '.join(map(str, counts))}: "
                       f"{', '.join(map(str, sorted(found, key=_order)))}. Delete the folders of "
                       f"all divisions but one ({root / key}-shard-*).")
    missing = [shard for shard in (Shard(i, counts[0]) for i in range(1, counts[0] + 1))
               if not (shard in found and (found[shard] / "manifest.json").exists())]
    if missing:
        states = ", ".join(f"{shard} ({'unfinished' if shard in found else 'absent'})"
                           for shard in missing)
        raise LabError(f"{len(missing)} of {counts[0]} shards of the features of {split} are "
                       f"missing: {states}.{hint} Run them with the same flags (an unfinished one "
                       "goes on where it stopped), then merge again.")
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(shard):
    return shard.of, shard.number


def _explain_others(folders, split, what):
    """Say how shards of another key differ, '' where there are none of this split."""
    for folder in folders:
        try:
            other = read_json(folder / "manifest.json")
            changes = differences(other["what"], what)
        except (LabError, KeyError, TypeError):
            continue
        if other["what"].get("split") == split:
            return (f" {folder.name} was made with other settings or photos: "
                    f"{show_differences(changes)} (there -> here).")
    return ""


def _verified(folder, shard, what, total):
    """Return the digests of a shard's batches after reading every file."""
    manifest = read_json(folder / "manifest.json")
    batches = shard.batches(total)
    remedy = f"Delete {folder} and run --shard {shard} again."
    if not isinstance(manifest, dict) or manifest.get("what") != what \
            or manifest.get("shard") != [shard.number, shard.of] \
            or manifest.get("first") != batches.start:
        raise LabError(f"{folder / 'manifest.json'} is not the manifest of shard {shard} of this "
                       f"cache (damaged or swapped). {remedy}")
    if len(manifest.get("batches", ())) != len(batches):
        raise LabError(f"The shard {folder} has {len(manifest.get('batches', ()))} batches; "
                       f"expected {len(batches)} (numbers {batches.start} to {batches.stop - 1}). "
                       f"{remedy}")
    for number, digests in zip(batches, manifest["batches"], strict=True):
        for part in PARTS:
            path = folder / f"{part}_{number}.npy"
            if not path.exists() or sha256_of(path) != digests[part]:
                raise LabError(f"{path} is not the file that was written (absent, truncated, "
                               f"damaged or swapped), so the shards are not merged. {remedy}")
    return manifest["batches"]


def _link(source, target):
    """Put a file in its place without a second copy where the disk allows that."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
