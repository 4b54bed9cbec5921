"""A support vector machine with an RBF kernel as a Cell: it holds its support vectors.

Cortes and Vapnik, "Support-Vector Networks", Machine Learning 1995; one class against the rest. A
linear SVM needs no Cell of its own: it is MobileNetV2Head with the SVM's weights.
"""
from mindspore import nn

from src_mindspore.heads.linear import (
    GlobalPooling,
    activation_cell,
    dense_layer,
    feature_width,
)
from src_mindspore.heads.rbf import KernelMap


class SVMHead(nn.Cell):
    """Pool, compare with the support vectors, and weigh: the decision values are the logits.

    (N, input_channel, h, w) float32 -> (N, num_classes) float32.

    Args:
        input_channel, num_classes, reduction, activation, has_bias, weight_init, seed: as for
            RBFHead; the initial weights only hold the place until the SVM is fitted.
        centres: int, support vectors.
    """

    def __init__(self, input_channel, num_classes, centres, reduction="mean", activation="None",
                 has_bias=True, weight_init="he", seed=0):
        super().__init__()
        self.pooling = GlobalPooling(reduction)
        self.prepare = KernelMap(feature_width(input_channel, 1, reduction), centres)
        self.dense = dense_layer(centres, num_classes, has_bias, weight_init, seed)
        self.activation = activation_cell(activation)

    def construct(self, x):
        logits = self.dense(self.prepare(self.pooling(x)))
        return logits if self.training else self.activation(logits)
