"""Losses on logits: cross-entropy, and what all losses of this package share.

Every loss takes labels either as (N,) int32 classes or as (N, C) float32 soft labels whose rows
sum to 1 (mixup, pseudo-labels), and may leave rows out: those whose class is `ignore_index`, or
whose soft labels are all zero.
"""
import numpy as np
from mindspore import Tensor, float32, nn, ops

from src_mindspore.errors import LabError

# How far the sum of a row of soft labels may be from 1; float32 sums of 1,000 classes stay within.
SUM_TOLERANCE = 1e-4


def require_labels(labels, num_classes, ignored=False):
    """Refuse labels that no loss could read.

    Args:
        labels: (N,) int classes, or (N, C) float soft labels.
        num_classes: int, C.
        ignored: bool, class -1 and rows of zeros are allowed: they are left out of the loss.

    Raises:
        LabError: another shape, a class out of range, a negative soft label, or a row that does
            not sum to 1.
    """
    labels = np.asarray(labels)
    if labels.ndim == 1:
        low = -1 if ignored else 0
        if len(labels) and (labels.min() < low or labels.max() >= num_classes):
            wrong = int(np.flatnonzero((labels < low) | (labels >= num_classes))[0])
            raise LabError(f"The label of row {wrong} is {labels[wrong]}; expected a class from "
                           f"{low} to {num_classes - 1}.")
        return
    if labels.ndim != 2 or labels.shape[1] != num_classes:
        raise LabError(f"Labels have the shape {labels.shape}; expected (N,) classes or (N, "
                       f"{num_classes}) soft labels, one column a class.")
    sums = labels.sum(axis=1, dtype=np.float64)
    right = np.abs(sums - 1) <= SUM_TOLERANCE
    if ignored:
        right |= (labels == 0).all(axis=1)
    right &= (labels >= 0).all(axis=1)
    if not right.all():
        wrong = int(np.flatnonzero(~right)[0])
        raise LabError(
            f"The soft labels of row {wrong} sum to {sums[wrong]:.4g} with a smallest value of "
            f"{labels[wrong].min():.4g}; {int((~right).sum())} of {len(labels)} rows are wrong. "
            "Expected values from 0 that sum to 1 in every row"
            + (", or zeros alone for a row to leave out" if ignored else "")
            + ". Divide each row by its sum where they are shares.")


class Targets(nn.Cell):
    """Labels as the distribution that a loss compares with.

    Label smoothing (Szegedy et al., arXiv:1512.00567, section 7) moves a part of the probability
    to all classes evenly; of soft labels as of hard ones.

    (N,) int32 or (N, C) float32 -> (N, C) float32; a row that is left out is all zero.

    Args:
        num_classes: int.
        label_smoothing: float in [0, 1).
        ignore_index: int, or None where no row is left out.
        class_weights: (C,) float > 0, or None. A row is multiplied by the weight of its class as a
            whole: were the weights put on what smoothing spreads, a rare class would be taught by
            the photos of every other one.
    """

    def __init__(self, num_classes, label_smoothing=0.0, ignore_index=None, class_weights=None):
        super().__init__()
        self.num_classes = num_classes
        self.keep = 1 - label_smoothing
        self.spread = label_smoothing / num_classes
        self.ignore_index = ignore_index
        self.weighted = class_weights is not None
        weights = np.asarray(class_weights if self.weighted else np.ones(num_classes))
        self.weights = Tensor(weights.astype(np.float32))
        table = (np.eye(num_classes) * self.keep + self.spread) * weights[:, None]
        # The row behind the classes is the one of what is left out.
        self.table = Tensor(np.vstack((table, np.zeros(num_classes))).astype(np.float32))
        self.gather = ops.Gather()

    def construct(self, labels):
        if labels.ndim == 1:
            if self.ignore_index is not None:
                labels = ops.where(labels == self.ignore_index, self.num_classes, labels)
            return self.gather(self.table, labels, 0)
        if self.weighted:
            labels = labels * self.weights
            return labels * self.keep + self.spread * ops.sum(labels, 1, keepdim=True)
        if not self.spread:
            return labels
        targets = labels * self.keep + self.spread
        if self.ignore_index is not None:
            targets = targets * (ops.sum(labels, 1, keepdim=True) > 0).astype(float32)
        return targets


def mean_of_rows(losses, targets, every_row):
    """Return the mean of (N,) losses over the rows whose (N, C) targets are not all zero.

    `every_row` is True where no row can be left out, which spares the counting.
    """
    if every_row:
        return ops.mean(losses)
    count = ops.sum((ops.sum(targets, 1) > 0).astype(float32))
    return ops.sum(losses) / ops.maximum(count, Tensor(1.0, float32))


class SoftmaxCrossEntropy(nn.Cell):
    """Mean cross-entropy between softmax(logits) and smoothed labels, classes weighted if asked.

    (N, C) float32 logits, (N,) int32 or (N, C) float32 labels -> scalar float32.

    Args:
        num_classes: int.
        label_smoothing: float in [0, 1).
        class_weights: (C,) float factors of the rows by their class (see class_weights.py and
            `Targets`), or None.
        ignore_index: int class that is left out, or None.
    """

    def __init__(self, num_classes, label_smoothing=0.0, class_weights=None, ignore_index=None):
        super().__init__()
        self.targets = Targets(num_classes, label_smoothing, ignore_index, class_weights)
        self.every_row = ignore_index is None
        self.plain = self.every_row and class_weights is None
        # One kernel gives loss and gradient; in a head's step every kernel counts. Its gradient
        # is right only where targets sum to 1, so not with weights or rows left out.
        self.of_rows = ops.SoftmaxCrossEntropyWithLogits()

    def construct(self, logits, labels):
        targets = self.targets(labels)
        if self.plain:
            losses, _ = self.of_rows(logits, targets)
            return ops.mean(losses)
        terms = targets * ops.log_softmax(logits, axis=1)
        return mean_of_rows(-ops.sum(terms, 1), targets, self.every_row)
