"""A head that weighs an unpooled feature map before it pools and classifies it."""
from mindspore import nn, ops

from src_mindspore.attention import BLOCKS
from src_mindspore.heads.linear import activation_cell, dense_layer


class MapClassifier(nn.Cell):
    """Attention, mean over the positions, one Dense layer; all of it learns.

    (N, C * hw * hw) float32, a flattened map -> (N, num_classes) float32 logits.

    Args:
        kind: key of BLOCKS.
        channels, hw, num_classes: int.
        has_bias, weight_init, seed: as for `dense_layer`.

    Attributes:
        in_channels, out_channels: int, as of a Dense layer: C * hw * hw and num_classes.
    """

    def __init__(self, kind, channels, hw, num_classes, has_bias=True, weight_init="he", seed=0):
        super().__init__()
        self.shape = (-1, channels, hw, hw)
        self.in_channels = channels * hw * hw
        self.out_channels = num_classes
        self.attention = BLOCKS[kind](channels, seed=seed + 10)
        self.dense = dense_layer(channels, num_classes, has_bias, weight_init, seed)

    def construct(self, rows):
        attended = self.attention(ops.reshape(rows, self.shape))
        return self.dense(ops.mean(attended, (2, 3)))


class MapAttentionHead(nn.Cell):
    """The head of an unpooled map: (N, C, hw, hw) float32 -> (N, num_classes) float32 logits.

    Args:
        kind: 'se' or 'cbam'.
        input_channel, hw, num_classes, activation, has_bias, weight_init, seed: as for
            MobileNetV2Head.
    """

    def __init__(self, kind, input_channel, hw, num_classes, activation="None", has_bias=True,
                 weight_init="he", seed=0):
        super().__init__()
        self.pooling = nn.Flatten()
        self.prepare = nn.Identity()
        self.dense = MapClassifier(kind, input_channel, hw, num_classes, has_bias,
                                         weight_init, seed)
        self.activation = activation_cell(activation)

    def construct(self, x):
        logits = self.dense(self.prepare(self.pooling(x)))
        return logits if self.training else self.activation(logits)
