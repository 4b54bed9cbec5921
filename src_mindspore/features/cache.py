"""The feature cache: a folder of `.npy` files a batch, and a manifest that is written last.

    results/features/<key>/feature_{i}.npy   (B, F) or (B, C, h, w), float32 or float16
                           label_{i}.npy     (B,) int32; (B, classes) float32 of mixed photos
                           index_{i}.npy     (B, 2) int32: which image of the manifest, which pass;
                                             a third column names the partner of mixed photos
                           manifest.json     what was computed from what, SHA-256 of every file

The key is a hash of everything that decides the features, so a cache can never be stale.
"""
import json
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from src_mindspore.errors import LabError
from src_mindspore.files import (
    explain_os_error,
    npy_bytes,
    read_json,
    sha256_of,
    sha256_of_json,
    write_bytes,
    write_json,
    write_text,
)

PARTS = ("feature", "label", "index")
KEY_DIGITS = 20


def key_of(what):
    """Return the key of a cache: the first digits of the hash of what decides the features."""
    return sha256_of_json(what)[:KEY_DIGITS]


def describe_change(root, what):
    """Say what is new against the most similar cache.

    Args:
        root: Path of all caches.
        what: dict, as hashed into the key.

    Returns:
        str, '' where there is no cache of this split to compare with.
    """
    best, changes = None, {}
    for manifest in sorted(Path(root).glob("*/manifest.json")):
        try:
            other = json.loads(manifest.read_text(encoding="utf-8"))["what"]
        except (OSError, ValueError, KeyError):
            continue
        if other.get("split") != what["split"]:
            continue
        different = differences(other, what)
        if best is None or len(different) < len(changes):
            best, changes = manifest.parent.name, different
    if best is None:
        return ""
    return f"differs from cache {best[:8]} in: {show_differences(changes)}"


def show_differences(changes):
    """Return what `differences` found as one line of text."""
    return "; ".join(f"{name} {_short(old)} -> {_short(new)}"
                     for name, (old, new) in sorted(changes.items()))


def differences(old, new, prefix=""):
    """Return a dict from dotted name to (old value, new value), down to single settings."""
    different = {}
    for name in {*old, *new}:
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            different.update(differences(before, after, f"{prefix}{name}."))
        elif before != after:
            different[prefix + name] = (before, after)
    return different


def _short(value):
    text = str(value)
    return text if len(text) <= 40 else text[:12] + "..."


class CacheWriter:
    """Writes one cache, or one shard of it, batch by batch; goes on after the last complete batch.

    Use as a context manager: it holds the folder's lock.

    Args:
        root: Path of all caches.
        what: dict that decides the features.
        name: str, of the folder; None: the key.
        first: int, number of the first batch written here.
        patience: float, seconds to wait for another process that is writing.

    Raises:
        LabError: another process is writing this cache, and went on for longer than that.
    """

    def __init__(self, root, what, name=None, first=0, patience=0):
        self.what = what
        self.first = first
        self.patience = patience
        self.folder = Path(root) / (name or key_of(what))
        self.journal = self.folder / "batches.jsonl"
        self.lock = FileLock(self.folder / ".lock")

    def __enter__(self):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock.acquire(timeout=self.patience)
        except Timeout:
            raise LabError(f"Another run is computing these features now ({self.folder}). Wait "
                           "until it has finished, then run the same command: it will find them "
                           "ready. Or set another --features_path.") from None
        except OSError as error:
            raise explain_os_error(error, self.folder) from error
        self.done = self._read_journal()
        return self

    def __exit__(self, *_):
        self.lock.release()

    def _read_journal(self):
        """Return the hashes of the batches that are complete and undamaged, from the first on."""
        done = []
        try:
            lines = self.journal.read_text(encoding="utf-8").splitlines()
        except OSError:
            return done
        for number, line in enumerate(lines, self.first):
            try:
                digests = json.loads(line)
                right = all(sha256_of(self.folder / f"{part}_{number}.npy") == digests[part]
                            for part in PARTS)
            except (OSError, ValueError, KeyError, TypeError):
                break  # a line cut short by a kill, or a file that is gone
            if not right:
                break
            done.append(digests)
        return done

    def write(self, feature, label, index):
        """Add the next batch: arrays as in the module's docstring.

        Raises:
            LabError: the disk is full, or the folder may not be written.
        """
        number = self.first + len(self.done)
        digests = {}
        for part, array in zip(PARTS, (feature, label, index), strict=True):
            path = self.folder / f"{part}_{number}.npy"
            write_bytes(path, npy_bytes(array))
            digests[part] = sha256_of(path)
        self.note({**digests, "rows": len(label)})

    def note(self, digests):
        """Count the next batch as written: a dict with the SHA-256 of each part, and its rows."""
        self.done.append(digests)
        if not self._appending:
            # Writing it anew drops whatever a kill left behind the last complete line.
            write_text(self.journal, "".join(json.dumps(d) + "\n" for d in self.done))
            self._appending = True
            return
        try:
            with open(self.journal, "a", encoding="utf-8") as file:
                file.write(json.dumps(digests) + "\n")
        except OSError as error:
            raise explain_os_error(error, self.journal) from error

    _appending = False

    def finish(self, images):
        """Write the manifest; from now on the cache counts.

        Args:
            images: list of dicts with path, size and sha256, in the order of the index.
        """
        # The journal stays: should a file be damaged later, the batches before it are still good.
        write_json(self.folder / "manifest.json",
                   {"format": 1, "what": self.what, "batches": self.done, "images": images})


class FeatureCache:
    """A complete cache, verified when it is opened.

    Args:
        folder: Path.

    Attributes:
        what: dict that decided the features.
        labels: (N,) int32, or (N, classes) float32 where photos were mixed.
        index: (N, 2) int32: image number and pass.
        photos: int, how many photos the rows show.

    Raises:
        LabError: incomplete, or a file is missing, truncated or swapped.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        manifest = read_json(self.folder / "manifest.json")
        if not isinstance(manifest, dict) or key_of(manifest.get("what")) != self.folder.name \
                or not manifest.get("batches") or "images" not in manifest:
            raise self._damaged(self.folder / "manifest.json",
                                "it is not the manifest of this cache (damaged or swapped)")
        self.what = manifest["what"]
        self.photos = len(manifest["images"])
        self.batches = manifest["batches"]
        self._verify()
        self.labels = np.concatenate([self._load("label", i) for i in range(len(self.batches))])
        self.index = np.concatenate([self._load("index", i) for i in range(len(self.batches))])

    def __len__(self):
        return len(self.labels)

    @property
    def key(self):
        """str, the hash of what decided the features."""
        return self.folder.name

    @property
    def map_side(self):
        """int, positions on a side of the feature maps; None where features are pooled."""
        if self.what["pooling"] != "none":
            return None
        return self._load("feature", 0, "r").shape[2]

    @property
    def images(self):
        """List of dicts with path, size and sha256; read again each time, not kept."""
        return read_json(self.folder / "manifest.json")["images"]

    def _verify(self):
        for number, digests in enumerate(self.batches):
            for part in PARTS:
                path = self.folder / f"{part}_{number}.npy"
                try:
                    digest = sha256_of(path)
                except OSError as error:
                    raise self._damaged(path, error.strerror or str(error)) from None
                if digest != digests[part]:
                    raise self._damaged(path, "it is not the file that was written (truncated, "
                                        "damaged or swapped)")

    def _damaged(self, path, reason):
        return LabError(f"The feature cache {self.folder} cannot be used: {path.name}: {reason}. "
                        f"Delete {self.folder / 'manifest.json'} (or the whole folder) and run "
                        "the same command: everything from there on is computed again.")

    def _load(self, part, number, mmap_mode=None):
        return np.load(self.folder / f"{part}_{number}.npy", mmap_mode=mmap_mode,
                       allow_pickle=False)

    def _rows(self, number, mmap_mode=None):
        """Return one batch of features as (B, F); whole maps are flattened."""
        feature = self._load("feature", number, mmap_mode)
        return feature.reshape(len(feature), -1)

    def features(self, columns=slice(None), memory_limit_bytes=None):
        """Return all rows as something that `rows[numbers]` reads.

        Args:
            columns: slice of the values of a row.
            memory_limit_bytes: int; larger caches stay on disk. None: no limit.

        Returns:
            (N, F) float32 array, or MappedRows that gives the same values.
        """
        width = self._rows(0, "r")[:1, columns].shape[1]
        size = len(self) * width * 4
        if memory_limit_bytes is not None and size > memory_limit_bytes:
            return MappedRows(lambda number: self._rows(number, "r"),
                              [batch["rows"] for batch in self.batches], columns)
        rows = np.empty((len(self), width), np.float32)
        start = 0
        for number, batch in enumerate(self.batches):
            rows[start:start + batch["rows"]] = self._rows(number)[:, columns]
            start += batch["rows"]
        return rows


class MappedRows:
    """Rows that stay on disk: `mapped[numbers]` equals `array[numbers]`.

    A file is mapped while it is read and no longer: a process may have about a thousand open, and
    pages that stay mapped count as its memory.

    Args:
        open_batch: function from the number of a batch to its (B, F) array, memory-mapped.
        lengths: list of int, B of every batch.
        columns: slice.
    """

    def __init__(self, open_batch, lengths, columns):
        self.open_batch = open_batch
        self.columns = columns
        self.starts = np.cumsum([0, *lengths])
        self.shape = (int(self.starts[-1]), open_batch(0)[:1, columns].shape[1])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, numbers):
        numbers = np.arange(len(self))[numbers]
        out = np.empty((len(numbers), self.shape[1]), np.float32)
        batches = np.searchsorted(self.starts, numbers, side="right") - 1
        order = np.argsort(batches, kind="stable")
        for here in np.split(order, np.flatnonzero(np.diff(batches[order])) + 1):
            if len(here):
                rows = self.open_batch(batches[here[0]])
                out[here] = rows[numbers[here] - self.starts[batches[here[0]]]][:, self.columns]
        return out
