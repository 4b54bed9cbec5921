"""Focal loss: what is already right with certainty counts less.

Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017 (arXiv:1708.02002), there for two
classes; here each class's term of the cross-entropy is weakened by (1 - p)^gamma of its own
probability, which for one-hot labels is the usual softmax form.
"""
import numpy as np
from mindspore import Tensor, nn, ops

from src_mindspore.training.losses import Targets, mean_of_rows


class FocalLoss(nn.Cell):
    """Mean over rows of `-sum_c t_c (1 - p_c)^gamma log p_c`, p = softmax(logits), t smoothed and
    weighted by `Targets`.

    With gamma 0 it is the cross-entropy.

    (N, C) float32 logits, (N,) int32 or (N, C) float32 labels -> scalar float32.

    Args:
        num_classes: int.
        gamma: float >= 0; the paper's choice is 2.
        label_smoothing, class_weights, ignore_index: as for SoftmaxCrossEntropy.
    """

    def __init__(self, num_classes, gamma=2.0, label_smoothing=0.0, class_weights=None,
                 ignore_index=None):
        super().__init__()
        self.targets = Targets(num_classes, label_smoothing, ignore_index, class_weights)
        self.every_row = ignore_index is None
        self.gamma = gamma
        # Below it (1 - p)^gamma has no finite slope for gamma < 1.
        self.least = Tensor(np.float32(1e-7))

    def construct(self, logits, labels):
        targets = self.targets(labels)
        log_p = ops.log_softmax(logits, axis=1)
        rest = ops.maximum(1 - ops.exp(log_p), self.least)
        terms = targets * ops.pow(rest, self.gamma) * log_p
        return mean_of_rows(-ops.sum(terms, 1), targets, self.every_row)
