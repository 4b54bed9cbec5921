"""Squeeze and excitation: every channel is weighed by what the whole map shows.

Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018, https://arxiv.org/abs/1709.01507.
"""
from mindspore import nn, ops

from src_mindspore.heads.linear import dense_layer


def hidden_channels(channels, ratio):
    """Return the width of the bottleneck: a `ratio`-th of the channels, at least 1."""
    return max(1, channels // ratio)


class SqueezeExcite(nn.Cell):
    """x * sigmoid(W2 relu(W1 mean(x))), the mean over all positions.

    (N, C, H, W) float32 -> (N, C, H, W) float32, every channel times a factor in (0, 1). It can
    stand behind any layer that gives C channels.

    Args:
        channels: int, C.
        ratio: int, by how much the bottleneck is narrower; 16 in the paper.
        seed: int, of the initial weights.
    """

    def __init__(self, channels, ratio=16, seed=0):
        super().__init__()
        hidden = hidden_channels(channels, ratio)
        self.squeeze = dense_layer(channels, hidden, True, "he", seed)
        self.excite = dense_layer(hidden, channels, True, "he", seed + 1)

    def construct(self, x):
        weight = ops.sigmoid(self.excite(ops.relu(self.squeeze(ops.mean(x, (2, 3))))))
        return x * ops.expand_dims(ops.expand_dims(weight, -1), -1)
