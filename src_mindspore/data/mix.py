"""Two photos in one, with soft labels of exactly their shares.

Mixup: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018 (arXiv:1710.09412): a
weighted sum of the pixels. CutMix: Yun et al., ICCV 2019 (arXiv:1905.04899): a box of one photo
in the other. The share of the first photo is drawn from Beta(alpha, alpha).
"""
import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class MixSpec:
    """How photos are mixed.

    Attributes:
        num_classes: int, length of a soft label.
        mixup, cutmix: alpha of the Beta distribution; 0 turns it off. With both, each is taken
            half of the time.
        probability: float in [0, 1], part of the augmented views that are mixed.
    """

    num_classes: int
    mixup: float = 0.0
    cutmix: float = 0.0
    probability: float = 0.5

    def to_dict(self):
        """Return a JSON-able dict."""
        return dataclasses.asdict(self)

    def draw(self, count, rng):
        """Draw what happens to one view.

        Args:
            count: int, photos to choose a partner from.
            rng: numpy Generator.

        Returns:
            (kind, partner, share): 'mixup' or 'cutmix', int below count and float in [0, 1]; None
            where the view stays as it is.
        """
        kinds = [kind for kind in ("mixup", "cutmix") if getattr(self, kind)]
        if not kinds or rng.random() >= self.probability:
            return None
        kind = kinds[int(rng.integers(len(kinds)))]
        alpha = getattr(self, kind)
        return kind, int(rng.integers(count)), float(rng.beta(alpha, alpha))


def mix(kind, one, other, share, rng):
    """Mix two pictures.

    Args:
        kind: 'mixup' or 'cutmix'.
        one, other: (H, W, C) arrays of one shape, uint8 or float.
        share: float in [0, 1], wanted share of `one`.
        rng: numpy Generator; places CutMix's box.

    Returns:
        (picture, share): an array like `one`, and the share of `one` that it really has: a box
        consists of whole pixels and ends at the border.
    """
    if kind == "mixup":
        mixed = share * one.astype(np.float32) + (1 - share) * other.astype(np.float32)
        if np.issubdtype(one.dtype, np.integer):
            mixed = np.rint(mixed)
        return mixed.astype(one.dtype), share
    height, width = one.shape[:2]
    top, bottom, left, right = cut_box(height, width, share, rng)
    mixed = one.copy()
    mixed[top:bottom, left:right] = other[top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def cut_box(height, width, share, rng):
    """Return (top, bottom, left, right) of a box of about (1 - share) of the area.

    Its middle is anywhere, and what would be outside is cut off, as in the paper.
    """
    side = math.sqrt(1 - share)
    box_height, box_width = round(height * side), round(width * side)
    top = int(rng.integers(height)) - box_height // 2
    left = int(rng.integers(width)) - box_width // 2
    return (max(top, 0), min(top + box_height, height),
            max(left, 0), min(left + box_width, width))


def soft_label(one, other, share, num_classes):
    """Return the label of a mixed picture: (num_classes,) float32, sum 1.

    Args:
        one, other: int classes.
        share: float in [0, 1], of `one`.
        num_classes: int.
    """
    label = np.zeros(num_classes, np.float32)
    label[one] += share
    label[other] += 1 - share
    return label
