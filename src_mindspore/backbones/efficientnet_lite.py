"""EfficientNet-Lite 0 to 2: EfficientNet for phones, without squeeze-excite and with ReLU6.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
https://arxiv.org/abs/1905.11946; the Lite variants are those of TensorFlow's TPU repository
(models/official/efficientnet/lite): stem, head, and the depth of the first and the last stage are
not scaled.
"""
import functools
import math

from mindspore import nn, ops

from src_mindspore.mobilenetv2 import conv

# (kernel, expansion, output channels, blocks, stride of the first block); table 1 of the paper.
STAGES = ((3, 1, 16, 1, 1), (3, 6, 24, 2, 2), (5, 6, 40, 2, 2), (3, 6, 80, 3, 2),
          (5, 6, 112, 3, 1), (5, 6, 192, 4, 2), (3, 6, 320, 1, 1))
STEM_CHANNELS = 32
OUT_CHANNELS = 1280
EPSILON = 1e-3
# variant -> (width, depth)
VARIANTS = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1),
            "efficientnet_lite2": (1.1, 1.2)}


def round_channels(channels, width):
    """Return scaled channels, the multiple of 8 nearest to them but never a tenth below."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


@functools.cache
def stages_of(variant):
    """Return the stages of a variant: a tuple like STAGES, width and depth scaled.

    Raises:
        ValueError: another variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {tuple(VARIANTS)}. Received: {variant!r}")
    width, depth = VARIANTS[variant]
    ends = (0, len(STAGES) - 1)
    return tuple((kernel, expansion, round_channels(channels, width),
                  blocks if number in ends else math.ceil(blocks * depth), stride)
                 for number, (kernel, expansion, channels, blocks, stride) in enumerate(STAGES))


def conv_norm(in_channels, out_channels, kernel, stride, group, padding):
    """Return convolution and BatchNorm as two cells, side by side so that they can be folded."""
    return [conv(in_channels, out_channels, kernel, stride, group, padding),
            nn.BatchNorm2d(out_channels, eps=EPSILON)]


class MBConv(nn.Cell):
    """Expand, filter depthwise, project linearly; add the input where the shapes allow it.

    (N, in, H, W) -> (N, out, ceil(H/stride), ceil(W/stride)) float32.
    """

    def __init__(self, in_channels, out_channels, kernel, stride, expansion, padding):
        super().__init__()
        hidden = in_channels * expansion
        layers = []
        if expansion != 1:
            layers += [*conv_norm(in_channels, hidden, 1, 1, 1, padding), nn.ReLU6()]
        layers += [*conv_norm(hidden, hidden, kernel, stride, hidden, padding), nn.ReLU6(),
                   *conv_norm(hidden, out_channels, 1, 1, 1, padding)]
        self.layers = nn.SequentialCell(layers)
        self.is_residual = stride == 1 and in_channels == out_channels

    def expand(self, x):
        """Return what the first convolution makes of (N, in, H, W): (N, hidden, H, W), >= 0."""
        return self.layers[2](self.layers[1](self.layers[0](x)))

    def construct(self, x):
        y = self.layers(x)
        return ops.add(x, y) if self.is_residual else y


class EfficientNetLite(nn.Cell):
    """The convolutional part of an EfficientNet-Lite.

    (N, 3, H, W) float32 -> (N, 1280, ceil(H/32), ceil(W/32)) float32, values in [0, 6].

    Args:
        variant: 'efficientnet_lite0', 'efficientnet_lite1' or 'efficientnet_lite2'.
        padding: 'same' as in TensorFlow, where the weights come from, or 'symmetric'.

    Attributes:
        out_channels: int, 1280.
        padding: as given.

    Raises:
        ValueError: another variant.
    """

    def __init__(self, variant, padding="same"):
        super().__init__()
        self.out_channels = OUT_CHANNELS
        self.padding = padding
        layers = [*conv_norm(3, STEM_CHANNELS, 3, 2, 1, padding), nn.ReLU6()]
        channels = STEM_CHANNELS
        for kernel, expansion, out_channels, blocks, stride in stages_of(variant):
            for block in range(blocks):
                layers.append(MBConv(channels, out_channels, kernel, stride if block == 0 else 1,
                                     expansion, padding))
                channels = out_channels
        layers += [*conv_norm(channels, OUT_CHANNELS, 1, 1, 1, padding), nn.ReLU6()]
        self.features = nn.SequentialCell(layers)

    def construct(self, x):
        return self.features(x)
