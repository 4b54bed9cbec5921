"""Weights of classes in a loss, from how many rows each has.

'effective' is Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019
(arXiv:1901.05555): the n-th photo of a class brings less news than the first, so n photos count as
(1 - beta^n) / (1 - beta).
"""
import numpy as np

from src_mindspore.errors import LabError

KINDS = ("none", "inverse", "effective")


def class_weights(kind, counts, beta=0.999):
    """Return the weight of each class: (C,) float64, their mean over all rows is 1.

    Args:
        kind: 'inverse': 1 / n; 'effective': (1 - beta) / (1 - beta^n); 'none': all 1.
        counts: (C,) int, rows of each class; of soft labels their sums.
        beta: float in [0, 1); 0 makes 'effective' the same as 'none'.

    Raises:
        LabError: a class without rows, whose weight would be infinite.
    """
    counts = np.asarray(counts, np.float64)
    if kind == "none":
        return np.ones(len(counts))
    if (counts <= 0).any():
        raise LabError(f"Class {int(np.flatnonzero(counts <= 0)[0])} has no rows, so a weight of "
                       f"kind {kind!r} would be infinite. Add photos of it, remove the class, or "
                       "take --class_weights none.")
    numbers = counts if kind == "inverse" else (1 - beta**counts) / (1 - beta)
    return counts.sum() / (counts / numbers).sum() / numbers
