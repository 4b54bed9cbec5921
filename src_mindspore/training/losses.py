"""Losses on logits."""
import numpy as np
from mindspore import Tensor, nn, ops


class SoftmaxCrossEntropy(nn.Cell):
    """Mean cross-entropy between softmax(logits) and smoothed labels.

    Label smoothing (Szegedy et al., arXiv:1512.00567, section 7) moves a part of the probability
    from the true class to all classes evenly.

    (N, C) float32 logits, (N,) int32 labels -> scalar float32.

    Args:
        num_classes: int.
        label_smoothing: float in [0, 1).
    """

    def __init__(self, num_classes, label_smoothing=0.0):
        super().__init__()
        off = label_smoothing / num_classes
        self.targets = Tensor((np.eye(num_classes) * (1 - label_smoothing) + off)
                              .astype(np.float32))

        # One kernel gives loss and gradient; in a head's step every kernel counts.
        self.of_rows = ops.SoftmaxCrossEntropyWithLogits()
        self.gather = ops.Gather()

    def construct(self, logits, labels):
        losses, _ = self.of_rows(logits, self.gather(self.targets, labels, 0))
        return ops.mean(losses)
