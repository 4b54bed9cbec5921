"""CBAM: first the channels of a map are weighed, then its positions.

Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module", ECCV 2018,
https://arxiv.org/abs/1807.06521.
"""
import math

import numpy as np
from mindspore import Tensor, nn, ops

from src_mindspore.attention.squeeze_excite import hidden_channels
from src_mindspore.heads.linear import dense_layer

KERNEL = 7


class ChannelAttention(nn.Cell):
    """sigmoid(MLP(mean(x)) + MLP(max(x))), one MLP for both; equation 2 of the paper.

    (N, C, H, W) float32 -> (N, C, 1, 1) float32 in (0, 1).

    Args:
        channels, ratio, seed: as for SqueezeExcite.
    """

    def __init__(self, channels, ratio=16, seed=0):
        super().__init__()
        hidden = hidden_channels(channels, ratio)
        self.squeeze = dense_layer(channels, hidden, True, "he", seed)
        self.excite = dense_layer(hidden, channels, True, "he", seed + 1)
        self.reduce_max = ops.ReduceMax()

    def shared(self, pooled):
        """Return the MLP of (N, C) pooled channels: (N, C)."""
        return self.excite(ops.relu(self.squeeze(pooled)))

    def construct(self, x):
        total = self.shared(ops.mean(x, (2, 3))) + self.shared(self.reduce_max(x, (2, 3)))
        return ops.expand_dims(ops.expand_dims(ops.sigmoid(total), -1), -1)


class SpatialAttention(nn.Cell):
    """sigmoid of a 7x7 convolution over the mean and the maximum of the channels; equation 3.

    (N, C, H, W) float32 -> (N, 1, H, W) float32 in (0, 1).

    Args:
        seed: int, of the initial kernel.
    """

    def __init__(self, seed=0):
        super().__init__()
        bound = 1 / math.sqrt(2 * KERNEL**2)
        kernel = np.random.default_rng(seed).uniform(-bound, bound, (1, 2, KERNEL, KERNEL))
        self.conv = nn.Conv2d(2, 1, KERNEL, pad_mode="pad", padding=KERNEL // 2,
                              weight_init=Tensor(kernel.astype(np.float32)))
        self.reduce_max = ops.ReduceMax(keep_dims=True)

    def construct(self, x):
        pooled = ops.concat((ops.mean(x, 1, True), self.reduce_max(x, 1)), 1)
        return ops.sigmoid(self.conv(pooled))


class CBAM(nn.Cell):
    """Channel attention, then spatial attention on its result.

    (N, C, H, W) float32 -> (N, C, H, W) float32. It can stand behind any layer that gives C
    channels.

    Args:
        channels, ratio, seed: as for SqueezeExcite.
    """

    def __init__(self, channels, ratio=16, seed=0):
        super().__init__()
        self.of_channels = ChannelAttention(channels, ratio, seed)
        self.of_positions = SpatialAttention(seed + 2)

    def construct(self, x):
        x = x * self.of_channels(x)
        return x * self.of_positions(x)
