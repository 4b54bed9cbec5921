"""What a model said about a set of photos: the one value that metrics, plots and tables read."""
import dataclasses
import functools
from pathlib import Path

import numpy as np
from scipy.special import softmax

from src_mindspore.data.classes import ClassNames
from src_mindspore.errors import LabError

UNKNOWN = -1


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """The logits of a model for N photos and C classes, with the truth as far as it is known.

    Attributes:
        paths: tuple of N str, relative to `root`, with forward slashes.
        labels: (N,) int64, positions in `classes`; -1 where the truth is unknown.
        logits: (N, C) float32.
        classes: ClassNames of length C.
        root: Path of the image folder; only galleries read from it.
    """

    paths: tuple
    labels: np.ndarray
    logits: np.ndarray
    classes: ClassNames
    root: Path

    def __post_init__(self):
        object.__setattr__(self, "paths", tuple(self.paths))
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        object.__setattr__(self, "logits", np.asarray(self.logits, np.float32))
        object.__setattr__(self, "root", Path(self.root))
        n, c = len(self.paths), len(self.classes)
        if self.labels.shape != (n,) or self.logits.shape != (n, c):
            raise ValueError(f"{n} paths and {c} classes need labels of shape ({n},) and logits of "
                             f"shape ({n}, {c}). Received: {self.labels.shape} and "
                             f"{self.logits.shape}")
        if n and (self.labels.min() < UNKNOWN or self.labels.max() >= c):
            raise ValueError(f"labels must lie between -1 and {c - 1}. Received: "
                             f"{self.labels.min()} to {self.labels.max()}")

    @functools.cached_property
    def probabilities(self):
        """(N, C) float64, softmax of the logits; rows sum to 1."""
        return softmax(self.logits.astype(np.float64), axis=1)

    @functools.cached_property
    def predicted(self):
        """(N,) int64, the class with the largest logit; the first one of equals."""
        return self.logits.argmax(axis=1)

    @property
    def confidence(self):
        """(N,) float64, probability of the predicted class."""
        return np.take_along_axis(self.probabilities, self.predicted[:, None], axis=1)[:, 0]

    @property
    def labelled(self):
        """(N,) bool, True where the truth is known."""
        return self.labels != UNKNOWN

    def top(self, k):
        """Return (N, min(k, C)) int64, the likeliest classes first; ties in order of class."""
        return np.argsort(-self.logits, axis=1, kind="stable")[:, :k]

    def require_truth(self):
        """Refuse what cannot be judged.

        Raises:
            LabError: no photo, no photo with a known class, or logits that are not finite.
        """
        if not self.labelled.any():
            raise LabError(f"There is nothing to evaluate in {self.root}: {len(self.paths)} "
                           "photos, none of them with a known class. Expected photos in class "
                           "folders that the model knows; check dataset_path and the split.")
        broken = np.flatnonzero(~np.isfinite(self.logits).all(axis=1))
        if len(broken):
            raise LabError(f"The model's output for {self.paths[broken[0]]} is not a number "
                           f"({len(broken)} of {len(self.paths)} photos are concerned). Expected "
                           "finite logits: the training diverged or the checkpoint is damaged. "
                           "Train again with a smaller learning rate.")
