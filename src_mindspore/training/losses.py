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

    def construct(self, logits, labels):
        log_probabilities = ops.log_softmax(logits, axis=1)
        return -ops.sum(self.targets[labels] * log_probabilities) / logits.shape[0]
