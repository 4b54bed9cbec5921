"""MobileNetV2 as the course's lab has it: the backbone, a head and the two composed.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
https://arxiv.org/abs/1801.04381. Parameter names are those of the public
MindSpore checkpoint `mobilenetv2-200_1067_cpu_gpu.ckpt`.
"""
from mindspore import nn, ops

from src_mindspore.heads.linear import GlobalPooling, MobileNetV2Head
from src_mindspore.weights.sources import source_of_stem

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

    def expand(self, x):
        """Return what the first convolution makes of (N, in, H, W): (N, hidden, H, W), >= 0."""
        return self.conv[0](x)

    def construct(self, x):
        y = self.conv(x)
        return ops.add(x, y) if self.is_residual else y


class MobileNetV2Backbone(nn.Cell):
    """The convolutional part of MobileNetV2 1.0.

    (N, 3, H, W) float32 -> (N, 1280, H/32, W/32) float32, values in [0, 6].

    Weights used with the wrong padding give features that look plausible and are wrong (cosine
    about 0.87). A course notebook cannot know which padding a checkpoint needs: it writes
    `load_checkpoint(path, net=MobileNetV2Backbone())`. So without an argument the backbone looks
    at the weights it is given and takes the padding of their source. Load before the first call
    of a cell that contains the backbone: MindSpore compiles that cell with what holds then.

    Args:
        padding: 'symmetric' as in the course and PyTorch, 'same' as in Keras; None: symmetric,
            and what the source needs where known weights are loaded.

    Attributes:
        out_channels: int, 1280.
        padding: 'symmetric' or 'same', what holds now.

    Raises:
        ValueError: another padding.
    """

    def __init__(self, padding=None):
        super().__init__()
        if padding not in (None, *PADDINGS):
            raise ValueError(f"padding must be None or one of {PADDINGS}. "
                             f"Received: padding={padding!r}")
        self.padding = padding or "symmetric"
        layers = [ConvBNReLU(3, STEM_CHANNELS, stride=2, padding=self.padding)]
        channels = STEM_CHANNELS
        for expansion, out_channels, blocks, stride in STAGES:
            for block in range(blocks):
                layers.append(InvertedResidual(channels, out_channels, stride if block == 0 else 1,
                                               expansion, self.padding))
                channels = out_channels
        layers.append(ConvBNReLU(channels, OUT_CHANNELS, kernel_size=1))
        self.features = nn.SequentialCell(layers)
        self.out_channels = OUT_CHANNELS
        if padding is None:
            self._follow_weights()

    def _follow_weights(self):
        """Set the padding anew whenever the first kernel is loaded."""
        kernel = self.features[0].features[0].weight
        set_data = kernel.set_data

        def set_and_follow(*args, **kwargs):
            result = set_data(*args, **kwargs)
            source = source_of_stem(kernel.asnumpy())
            self._set_padding(source.padding if source else "symmetric")
            return result

        # MindSpore's loaders, all of them, write through Parameter.set_data; optimizers do not.
        kernel.set_data = set_and_follow

    def _set_padding(self, padding):
        if padding == self.padding:
            return
        self.padding = padding
        for _, cell in self.cells_and_names():
            if isinstance(cell, nn.Conv2d) and cell.stride == (2, 2):
                other = conv(cell.in_channels, cell.out_channels, cell.kernel_size[0], 2,
                             cell.group, padding)
                cell.pad_mode, cell.padding, cell.conv2d = (other.pad_mode, other.padding,
                                                            other.conv2d)
        self.compile_cache.clear()

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
