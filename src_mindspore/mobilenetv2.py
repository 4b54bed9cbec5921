"""MobileNetV2 as the course's lab has it: the backbone, a head and the two composed.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
https://arxiv.org/abs/1801.04381. Parameter names are those of the public
MindSpore checkpoint `mobilenetv2-200_1067_cpu_gpu.ckpt`.
"""
from mindspore import nn, ops

from src_mindspore.heads.linear import GlobalPooling, MobileNetV2Head

__all__ = ["ConvBNReLU", "GlobalPooling", "InvertedResidual", "MobileNetV2Backbone",
           "MobileNetV2Combine", "MobileNetV2Head", "mobilenet_v2"]

# (expansion, output channels, blocks, stride of the first block); table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
          (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM_CHANNELS = 32
OUT_CHANNELS = 1280
PADDINGS = ("symmetric", "same")


def conv(in_channels, out_channels, kernel_size, stride=1, group=1, padding="symmetric"):
    """A convolution without bias, padded as the network the weights were trained in.

    `symmetric` pads (k-1)/2 on every side (the course, PyTorch); `same` pads only bottom
    and right where the stride is 2 and the input even (Keras, TensorFlow).
    """
    if padding == "same":
        return nn.Conv2d(in_channels, out_channels, kernel_size, stride, pad_mode="same",
                         group=group)
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, pad_mode="pad",
                     padding=(kernel_size - 1) // 2, group=group)


class ConvBNReLU(nn.Cell):
    """Convolution, BatchNorm, ReLU6: (N, in, H, W) -> (N, out, H/stride, W/stride) float32."""

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, group=1,
                 padding="symmetric"):
        super().__init__()
        self.features = nn.SequentialCell(
            conv(in_channels, out_channels, kernel_size, stride, group, padding),
            nn.BatchNorm2d(out_channels), nn.ReLU6())

    def construct(self, x):
        return self.features(x)


class InvertedResidual(nn.Cell):
    """Expand, filter depthwise, project linearly; add the input where the shapes allow it."""

    def __init__(self, in_channels, out_channels, stride, expansion, padding="symmetric"):
        super().__init__()
        hidden = in_channels * expansion
        layers = []
        if expansion != 1:
            layers.append(ConvBNReLU(in_channels, hidden, kernel_size=1))
        layers += [ConvBNReLU(hidden, hidden, stride=stride, group=hidden, padding=padding),
                   conv(hidden, out_channels, 1), nn.BatchNorm2d(out_channels)]
        self.conv = nn.SequentialCell(layers)
        self.is_residual = stride == 1 and in_channels == out_channels

    def construct(self, x):
        y = self.conv(x)
        return ops.add(x, y) if self.is_residual else y


class MobileNetV2Backbone(nn.Cell):
    """The convolutional part of MobileNetV2 1.0.

    (N, 3, H, W) float32 -> (N, 1280, H/32, W/32) float32, values in [0, 6].

    Args:
        padding: 'symmetric' for the course's weights, 'same' for weights from Keras. Weights used
            with the wrong one give features that look plausible and are wrong (cosine about 0.87):
            `src_mindspore.backbones.load_backbone` reads the right one from the checkpoint.
    """

    def __init__(self, padding="symmetric"):
        super().__init__()
        if padding not in PADDINGS:
            raise ValueError(f"padding must be one of {PADDINGS}. Received: padding={padding!r}")
        layers = [ConvBNReLU(3, STEM_CHANNELS, stride=2, padding=padding)]
        channels = STEM_CHANNELS
        for expansion, out_channels, blocks, stride in STAGES:
            for block in range(blocks):
                layers.append(InvertedResidual(channels, out_channels, stride if block == 0 else 1,
                                               expansion, padding))
                channels = out_channels
        layers.append(ConvBNReLU(channels, OUT_CHANNELS, kernel_size=1))
        self.features = nn.SequentialCell(layers)
        self.out_channels = OUT_CHANNELS
        self.padding = padding

    def construct(self, x):
        return self.features(x)


class MobileNetV2Combine(nn.Cell):
    """A backbone followed by a head: (N, 3, H, W) float32 -> (N, classes) float32 logits."""

    def __init__(self, backbone, head):
        # Without a prefix the backbone's parameters keep the names of its own checkpoint.
        super().__init__(auto_prefix=False)
        self.backbone = backbone
        self.head = head

    def construct(self, x):
        return self.head(self.backbone(x))


def mobilenet_v2(backbone, head):
    """Compose a backbone and a head, as the course's lab does.

    Args:
        backbone: Cell, (N, 3, H, W) -> (N, C, h, w).
        head: Cell, (N, C, h, w) -> (N, classes).

    Returns:
        MobileNetV2Combine.
    """
    return MobileNetV2Combine(backbone, head)
