"""Two caches of the same photos, one below the other: further passes of some of them."""
import numpy as np

from src_mindspore.errors import LabError


class StackedCache:
    """The rows of a cache, then those of further passes of some of its photos.

    Args:
        main: FeatureCache.
        further: FeatureCache.
        photos: (P,) int, which photo of `main` each photo of `further` is.
        keep: (R,) bool, which rows of `further` count.

    Attributes:
        labels, index, photos, what, map_side: as of FeatureCache; the last two are main's.
    """

    def __init__(self, main, further, photos, keep):
        self.main, self.further = main, further
        self.used = np.flatnonzero(keep)
        self.photos, self.what, self.map_side = main.photos, main.what, main.map_side
        index = further.index[self.used].copy()
        # Behind the passes of main: none of the two is taken for a pass of the other.
        index[:, 0] = photos[index[:, 0]]
        index[:, 1] += main.index[:, 1].max() + 1
        self.index = np.concatenate((main.index, index))
        self.labels = np.concatenate((main.labels, further.labels[self.used]))

    def __len__(self):
        return len(self.labels)

    @property
    def key(self):
        """str, the keys of both caches."""
        return f"{self.main.key}+{self.further.key}"

    @property
    def images(self):
        """As of FeatureCache."""
        return self.main.images

    def features(self, columns=slice(None), memory_limit_bytes=None):
        """Return all rows: (N, F) float32.

        Raises:
            LabError: they do not fit into the memory limit.
        """
        parts = [cache.features(columns, memory_limit_bytes) for cache in (self.main, self.further)]
        width = parts[0].shape[1]
        size = (len(parts[0]) + len(parts[1]) + len(self)) * width * 4
        if memory_limit_bytes is not None and size > memory_limit_bytes:
            raise LabError(f"Features with further passes (--upsample) need {size / 2**20:.0f} MB "
                           f"in memory; memory_limit_mb is {memory_limit_bytes / 2**20:.0f}. "
                           "Raise it, or lower --repeat or --upsample.")
        return np.concatenate((parts[0], parts[1][self.used]))


class FirstPass:
    """The clean first pass of a cache, as if it had been extracted alone.

    Args:
        cache: FeatureCache computed with include_clean.

    Attributes:
        labels: (P,) int32, of the photos in their order.

    Raises:
        LabError: the first pass is augmented.
    """

    def __init__(self, cache):
        if not cache.what["include_clean"]:
            raise LabError(f"The first pass of {cache.folder} is augmented; expected features "
                           "computed with --include_clean true.")
        self.cache = cache
        self.rows = np.flatnonzero(cache.index[:, 1] == 0)
        self.labels = cache.labels[self.rows]

    def features(self, columns=slice(None), memory_limit_bytes=None):
        """Return (P, F) float32 rows, or rows on disk; see `FeatureCache.features`."""
        from src_mindspore.training.rows import subset

        return subset(self.cache.features(columns, memory_limit_bytes), self.rows)
