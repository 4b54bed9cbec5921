"""Which rows an epoch trains on, and in which order.

A sampler is a function from a random generator to (N,) int32 row numbers, as many as there are
rows. 'balanced' and 'weighted' are the two ends of Mahajan et al., "Exploring the Limits of Weakly
Supervised Pretraining", ECCV 2018 (arXiv:1805.00932, section 2.2), who draw a photo of a class of
n with a weight of n^-power: 1 makes the classes equal, 0 leaves them as they are.
"""
import numpy as np

from src_mindspore.errors import LabError

KINDS = ("none", "balanced", "weighted")


def build_sampler(kind, labels, num_classes, power=0.5):
    """Return a sampler.

    Args:
        kind: 'none': every row once; 'balanced': every class equally often, and the rows of a
            class as evenly as that allows; 'weighted': rows drawn with replacement.
        labels: (N,) int classes, or (N, C) float soft labels, of which the likeliest class counts.
        num_classes: int.
        power: float in [0, 1], for 'weighted'.

    Raises:
        LabError: a class without rows, which no sampler can show.
    """
    count = len(labels)
    if kind == "none":
        return lambda rng: rng.permutation(count).astype(np.int32)
    labels = np.asarray(labels)
    classes = labels if labels.ndim == 1 else labels.argmax(axis=1)
    counts = np.bincount(classes, minlength=num_classes)
    if (counts == 0).any():
        raise LabError(f"The sampler {kind!r} cannot show class {int(counts.argmin())}: it has no "
                       "photo in train. Add some, remove the class folder, or take --sampler none.")
    if kind == "balanced":
        members = [np.flatnonzero(classes == c) for c in range(num_classes)]
        return lambda rng: _balanced(members, count, rng)
    weights = (counts**-float(power))[classes]
    shares = weights / weights.sum()
    return lambda rng: rng.choice(count, count, p=shares).astype(np.int32)


def _balanced(members, count, rng):
    each, rest = divmod(count, len(members))
    wanted = np.full(len(members), each)
    wanted[rng.permutation(len(members))[:rest]] += 1
    drawn = []
    for rows, number in zip(members, wanted, strict=True):
        # Whole rounds through the class before any row comes once more.
        rounds = [rng.permutation(rows) for _ in range(-(-number // len(rows)))]
        drawn.append(np.concatenate(rounds)[:number] if number else rows[:0])
    return rng.permutation(np.concatenate(drawn)).astype(np.int32)
