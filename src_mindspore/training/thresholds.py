"""How sure a head must be before its answer about an unlabelled photo is taken for a label.

A level is a wanted precision. For each class and level the threshold is the smallest confidence at
which the head, asked about photos it did not learn from, was right often enough when it named
that class: the column of the confusion matrix, of confident answers alone. How many photos a class
may gain follows from the distribution of the classes, so that the frequent ones do not drown the
others. Curriculum labelling (Cascante-Bonilla et al., AAAI 2021, arXiv:2001.06001) loosens its
thresholds from round to round in the same way.
"""
import numpy as np

# The precision of all classes counts as so many answers of each: a class with few photos borrows.
BORROWED = 10


def class_thresholds(probabilities, labels, levels):
    """Derive the thresholds of every class at every level.

    Args:
        probabilities: (N, C) float, out of fold.
        labels: (N,) int.
        levels: sequence of L float in (0, 1), the wanted precisions, the strictest first.

    Returns:
        (L, C) float64 in (0, 1]; inf where no confidence was right often enough. Thresholds never
        rise from a level to the next.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = predicted == labels
    order = np.argsort(-confidence, kind="stable")
    overall = np.empty(len(order))
    overall[order] = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    thresholds = np.full((len(levels), probabilities.shape[1]), np.inf)
    for c in range(probabilities.shape[1]):
        mine = order[predicted[order] == c]
        count = np.arange(1, len(mine) + 1)
        precision = (np.cumsum(right[mine]) + BORROWED * overall[mine]) / (count + BORROWED)
        for level, wanted in enumerate(levels):
            enough = np.flatnonzero(precision >= wanted)
            if len(enough):
                thresholds[level, c] = confidence[mine[enough[-1]]]
    return np.minimum.accumulate(thresholds, axis=0)


def class_room(counts, share):
    """Return how many photos each class may gain.

    Args:
        counts: (C,) int, labelled photos of each class.
        share: float >= 0; a class may gain this part of what it has, or be filled up to the
            largest class, whichever is more.

    Returns:
        (C,) int.
    """
    counts = np.asarray(counts)
    return np.maximum(counts.max() - counts, np.ceil(share * counts)).astype(int)


def accept(probabilities, thresholds, room):
    """Choose the photos whose predicted class is taken for their label.

    Args:
        probabilities: (N, C) float of unlabelled photos.
        thresholds: (L, C) float, of the levels that are open.
        room: (C,) int, the most photos of each class; the most confident are taken.

    Returns:
        (numbers, classes, levels): (K,) int each, in the order of the photos; the level is the
        strictest one that is met.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    met = confidence >= thresholds[:, predicted]
    taken = np.zeros(len(predicted), bool)
    for c, most in enumerate(room):
        mine = np.flatnonzero((predicted == c) & met.any(axis=0))
        taken[mine[np.argsort(-confidence[mine], kind="stable")][:most]] = True
    numbers = np.flatnonzero(taken)
    return numbers, predicted[numbers], met[:, numbers].argmax(axis=0)
