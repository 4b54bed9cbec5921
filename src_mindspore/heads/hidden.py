"""The head of a CNN from scratch: a hidden Dense layer with BatchNorm, then the classifier."""
from mindspore import nn

from src_mindspore.heads.linear import (
    GlobalPooling,
    activation_cell,
    dense_layer,
    feature_width,
)


class HiddenHead(nn.Cell):
    """Flatten or pool, one hidden layer, and classify.

    (N, input_channel, hw, hw) float32 -> (N, num_classes) float32: logits, or probabilities where
    an activation is set and the cell is not training.

    Args:
        input_channel, hw, num_classes, reduction, activation, has_bias, weight_init, seed: as for
            MobileNetV2Head.
        width: int, values of the hidden layer.
    """

    def __init__(self, input_channel, hw, num_classes, width, reduction=None, activation="None",
                 has_bias=True, weight_init="he", seed=0):
        super().__init__()
        self.pooling = GlobalPooling(reduction) if reduction else nn.Flatten()
        # BatchNorm brings its own shift, so the hidden layer needs no bias.
        hidden = nn.Dense(feature_width(input_channel, hw, reduction), width, has_bias=False)
        self.prepare = nn.SequentialCell(hidden, nn.BatchNorm1d(width), nn.ReLU())
        self.dense = dense_layer(width, num_classes, has_bias, weight_init, seed)
        self.activation = activation_cell(activation)

    def construct(self, x):
        logits = self.dense(self.prepare(self.pooling(x)))
        return logits if self.training else self.activation(logits)
