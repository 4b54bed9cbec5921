"""Weights of classes in a loss, from how many photos each has.

'effective' is Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019
(arXiv:1901.05555): the n-th photo of a class brings less news than the first, so n photos count as
(1 - beta^n) / (1 - beta).
"""
import numpy as np

from src_mindspore.errors import LabError

KINDS = ("none", "inverse", "effective")


def photos_of_classes(labels, photos, num_classes):
    """Return how many photos each class has: (C,) float64.

    A photo counts once, however many passes and further crops of it there are; of its soft labels
    their mean.

    Args:
        labels: (N,) int classes, or (N, C) float soft labels, one a row.
        photos: (N,) int, which photo each row shows.
        num_classes: int, C.
    """
    _, photos, rows = np.unique(photos, return_inverse=True, return_counts=True)
    shares = 1 / rows[photos]
    if labels.ndim == 2:
        return shares @ labels
    return np.bincount(labels, shares, num_classes)


def class_weights(kind, counts, beta=0.999):
    """Return the weight of each class: (C,) float64, their mean over all photos is 1.

    Args:
        kind: 'inverse': 1 / n; 'effective': (1 - beta) / (1 - beta^n); 'none': all 1.
        counts: (C,) float, photos of each class, see `photos_of_classes`.
        beta: float in [0, 1); 0 makes 'effective' the same as 'none'.

    Raises:
        LabError: a class without photos, whose weight would be infinite.
    """
    counts = np.asarray(counts, np.float64)
    if kind == "none":
        return np.ones(len(counts))
    if (counts <= 0).any():
        raise LabError(f"Class {int(np.flatnonzero(counts <= 0)[0])} has no photos, so a weight "
                       f"of kind {kind!r} would be infinite. Add photos of it, remove the class, "
                       "or take --class_weights none.")
    numbers = counts if kind == "inverse" else (1 - beta**counts) / (1 - beta)
    return counts.sum() / (counts / numbers).sum() / numbers
