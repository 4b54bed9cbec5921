"""The joint loss of contest code: a weighted sum of plain and label-smoothed cross-entropy.

Label smoothing: Szegedy et al., arXiv:1512.00567, section 7. Cross-entropy is linear in its
targets, so the sum equals one label smoothing of (1 - share) * label_smoothing; it stays because
reports name it, and so that this can be seen.
"""
from mindspore import nn

from src_mindspore.training.losses import SoftmaxCrossEntropy


class JointLoss(nn.Cell):
    """`share * cross-entropy + (1 - share) * label-smoothed cross-entropy`.

    (N, C) float32 logits, (N,) int32 or (N, C) float32 labels -> scalar float32.

    Args:
        num_classes: int.
        share: float in [0, 1], weight of the plain cross-entropy.
        label_smoothing, class_weights, ignore_index: as for SoftmaxCrossEntropy.
    """

    def __init__(self, num_classes, share=0.5, label_smoothing=0.1, class_weights=None,
                 ignore_index=None):
        super().__init__()
        self.share = share
        self.plain = SoftmaxCrossEntropy(num_classes, 0.0, class_weights, ignore_index)
        self.smoothed = SoftmaxCrossEntropy(num_classes, label_smoothing, class_weights,
                                            ignore_index)

    def construct(self, logits, labels):
        return self.share * self.plain(logits, labels) \
            + (1 - self.share) * self.smoothed(logits, labels)
