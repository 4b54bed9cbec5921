"""Blocks of convolutional networks: a VGG-style stack and the Inception modules v1 and v2.

Every convolution is followed by BatchNorm and ReLU, which is why none has a bias. The order is that
of a SequentialCell, so that BatchNorm can be folded into the convolution before it.
"""
import numpy as np
from mindspore import Tensor, nn, ops


def conv_bn_relu(in_channels, out_channels, kernel=3, stride=1):
    """Return convolution, BatchNorm and ReLU as a list of three cells, padded as 'same'."""
    return [nn.Conv2d(in_channels, out_channels, kernel, stride, pad_mode="same"),
            nn.BatchNorm2d(out_channels), nn.ReLU()]


class VGGStack(nn.SequentialCell):
    """3x3 convolutions one after the other; two of them see 5x5 pixels, three 7x7.

    Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    ICLR 2015 (arXiv:1409.1556).

    (N, in, H, W) -> (N, channels[-1], ceil(H/stride), ceil(W/stride)) float32, stride that of the
    last convolution.

    Args:
        in_channels: int.
        channels: sequence of int, one a convolution.
        stride: int, of the last convolution.
    """

    def __init__(self, in_channels, channels, stride=1):
        cells = []
        for number, out_channels in enumerate(channels, start=1):
            cells += conv_bn_relu(in_channels, out_channels,
                                  stride=stride if number == len(channels) else 1)
            in_channels = out_channels
        super().__init__(cells)
        self.out_channels = in_channels


class Inception(nn.Cell):
    """Four towers side by side, their maps concatenated: 1x1, 3x3, 5x5, and pooling with 1x1.

    (N, in, H, W) -> (N, sum(towers), H, W) float32.

    Args:
        in_channels: int.
        towers: four int, output channels of each tower.
        bottlenecks: two int, channels of the 1x1 convolutions before the 3x3 and the 5x5.

    Attributes:
        out_channels: int, the sum of the towers.
    """

    def __init__(self, in_channels, towers, bottlenecks):
        super().__init__()
        one, three, five, pooled = towers
        before_three, before_five = bottlenecks
        self.tower1 = nn.SequentialCell(conv_bn_relu(in_channels, one, 1))
        self.tower3 = nn.SequentialCell(conv_bn_relu(in_channels, before_three, 1)
                                        + conv_bn_relu(before_three, three))
        self.tower5 = nn.SequentialCell(conv_bn_relu(in_channels, before_five, 1)
                                        + self.five(before_five, five))
        self.tower_pool = nn.SequentialCell([self.POOL(3, 1, pad_mode="same"),
                                             *conv_bn_relu(in_channels, pooled, 1)])
        self.out_channels = sum(towers)

    def construct(self, x):
        return ops.concat((self.tower1(x), self.tower3(x), self.tower5(x), self.tower_pool(x)), 1)


class InceptionV1(Inception):
    """Szegedy et al., "Going Deeper with Convolutions", CVPR 2015 (arXiv:1409.4842), figure 2b."""

    POOL = nn.MaxPool2d

    @staticmethod
    def five(in_channels, out_channels):
        """Return the cells of a 5x5 convolution."""
        return conv_bn_relu(in_channels, out_channels, 5)


class InceptionV2(Inception):
    """The 5x5 as two 3x3: 18 weights a channel pair instead of 25, and a ReLU more.

    Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016 (arXiv:1512.00567), figure 5.
    The pooling tower averages, as in most modules of BN-Inception (arXiv:1502.03167); its gradient
    is several times faster here.
    """

    POOL = nn.AvgPool2d

    @staticmethod
    def five(in_channels, out_channels):
        """Return the cells of two 3x3 convolutions."""
        return conv_bn_relu(in_channels, out_channels) + conv_bn_relu(out_channels, out_channels)


def he_init(cell, seed):
    """Draw the weights of every convolution and Dense layer from N(0, 2 / fan_in).

    He et al., "Delving Deep into Rectifiers", ICCV 2015 (arXiv:1502.01852): behind a ReLU this
    keeps the variance from layer to layer. Drawn by NumPy, each layer from a stream of its own, so
    that the weights depend on the seed alone.

    Args:
        cell: Cell, changed in place.
        seed: int >= 0.
    """
    layers = [c for _, c in cell.cells_and_names() if isinstance(c, nn.Conv2d | nn.Dense)]
    for number, layer in enumerate(layers):
        shape = layer.weight.shape
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        values = np.random.default_rng([seed, number]).normal(0, deviation, shape)
        layer.weight.set_data(Tensor(values.astype(np.float32)))


def parameter_count(cell):
    """Return how many numbers a cell learns (moving averages of BatchNorm are not learnt)."""
    return sum(int(np.prod(p.shape)) for p in cell.trainable_params())
