"""Several frozen backbones side by side: each member's features cached on their own, then joined.

A member reads a photo at its own size with its own preprocessing; its cache has the key it would
have alone, so adding a member computes that member only.
"""
import numpy as np

from src_mindspore.errors import LabError


class JoinedCache:
    """The caches of several members as one, rows joined by image and pass.

    Args:
        caches: dict from member to FeatureCache with pooling 'mean+max'.

    Attributes:
        labels, index, photos: as of FeatureCache, in the order of the first member.
        what: dict, what all members have in common of what decided their features.
        channels: int, of all members together.
        map_side: None, as features are pooled.

    Raises:
        LabError: the members did not read the same photos, gave them other labels (another order
            of classes), or one lacks a pass of a photo.
    """

    map_side = None

    def __init__(self, caches):
        (first_name, first), *others = caches.items()
        self.labels, self.index, self.photos = first.labels, first.index, first.photos
        self.caches = dict(caches)
        self.what = {name: value for name, value in first.what.items()
                     if all(cache.what.get(name) == value for _, cache in others)}
        self.orders = {first_name: np.arange(len(first))}
        wanted = _rows(first)
        for name, cache in others:
            self.orders[name] = self._matched(first_name, wanted, name, cache)
        for name, cache in caches.items():
            if cache.what["pooling"] != "mean+max":
                raise LabError(f"The features of {name} are not pooled (--reduction none); only "
                               "pooled ones can be joined.")
        self.channels = sum(self._width(cache) for cache in caches.values()) // 2

    @property
    def key(self):
        """str, the keys of the members' caches."""
        return "+".join(cache.key for cache in self.caches.values())

    @staticmethod
    def _width(cache):
        return cache.features(memory_limit_bytes=0).shape[1]

    def _matched(self, first_name, wanted, name, cache):
        """Return the rows of a member in the order of the first."""
        have = {row: number for number, row in enumerate(_rows(cache))}
        theirs, ours = {row[0] for row in have}, {row[0] for row in wanted}
        for one, other, missing in ((name, first_name, ours - theirs),
                                    (first_name, name, theirs - ours)):
            if missing:
                raise LabError(
                    f"{one} did not read {min(missing)[0]}, {other} did ({len(missing)} photos "
                    "differ, or changed in between). Extract all members from the same photos.")
        if len(have) != len(wanted) or not all(row in have for row in wanted):
            raise LabError(
                f"{name} and {first_name} did not read the photos equally often: "
                f"{cache.index[:, 1].max() + 1} and {self.index[:, 1].max() + 1} passes. Extract "
                "all members with the same --repeat.")
        order = np.array([have[row] for row in wanted])
        different = np.flatnonzero(
            (cache.labels[order] != self.labels).reshape(len(order), -1).any(axis=1))
        if len(different):
            row = different[0]
            raise LabError(
                f"{wanted[row][0][0]} has label {self.labels[row]} for {first_name} and "
                f"{cache.labels[order[row]]} for {name}: the members were extracted with another "
                "order of classes. Extract them again with the same class_index.")
        return order

    def __len__(self):
        return len(self.labels)

    def features(self, columns=slice(None), memory_limit_bytes=None):
        """Return all rows: the mean of every member, then the maximum of every member.

        Args:
            columns: slice of the values of a row.
            memory_limit_bytes: int; larger features stay on disk. None: no limit.

        Returns:
            (N, F) float32 array, or JoinedRows that give the same values.
        """
        start, stop, _ = columns.indices(2 * self.channels)
        parts, at = [], 0
        for half in (0, 1):
            for name, cache in self.caches.items():
                width = self._width(cache) // 2
                low, high = max(at, start), min(at + width, stop)
                if low < high:
                    here = slice(half * width + low - at, half * width + high - at)
                    parts.append((slice(low - start, high - start),
                                  cache.features(here, memory_limit_bytes=0), self.orders[name]))
                at += width
        rows = JoinedRows(parts, (len(self), stop - start))
        size = len(self) * (stop - start) * 4
        return rows if memory_limit_bytes is not None and size > memory_limit_bytes else rows[:]


class JoinedRows:
    """Joined rows that stay on disk: `joined[numbers]` equals `array[numbers]`.

    Args:
        parts: list of (slice of a row, MappedRows, (N,) int), one a member: the values that its
            rows fill, and which of them belongs to each row.
        shape: (N, F).
    """

    def __init__(self, parts, shape):
        self.parts, self.shape = parts, shape

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, numbers):
        numbers = np.arange(len(self))[numbers]
        out = np.empty((len(numbers), self.shape[1]), np.float32)
        for place, rows, order in self.parts:
            out[:, place] = rows[order[numbers]]
        return out


def _rows(cache):
    """Return what each row is: ((path, SHA-256), pass), and the partner where photos are mixed."""
    images = [(image["path"], image["sha256"]) for image in cache.images]
    return [(images[image], int(number), *(images[other] for other in partner))
            for image, number, *partner in cache.index]
