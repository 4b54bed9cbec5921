"""A CNN of ten parameterised layers for small pictures, trained from scratch.

Two convolutions, an Inception module three deep, another, and two Dense layers (the head). About
four million weights: 15 MB.
"""
from mindspore import nn

from src_mindspore.attention import BLOCKS
from src_mindspore.networks.blocks import InceptionV2, VGGStack

STRIDE = 16     # pixels of the input for one position of the map
CHANNELS = 192  # of the map
HIDDEN = 256    # values of the Dense layer before the classifier


def architecture_of(attention):
    """Return the name that the CNN has in the registry: 'cnn', 'cnn_se' or 'cnn_cbam'.

    Args:
        attention: 'none' or a key of BLOCKS.
    """
    return "cnn" if attention == "none" else f"cnn_{attention}"


class ScratchCNN(nn.Cell):
    """The convolutional part of the CNN.

    (N, 3, H, W) float32 -> (N, 192, ceil(H/16), ceil(W/16)) float32, values from 0.

    Attention stands behind each stage, the convolutions and both modules, where squeeze and
    excitation stands in an Inception module too (arXiv:1709.01507, figure 2).

    Args:
        padding: 'same'.
        attention: 'none' or a key of BLOCKS.

    Attributes:
        out_channels: int, 192.
        dropout_channels: tuple of int, channels of the maps that spatial dropout thins.
    """

    def __init__(self, padding="same", attention="none"):
        super().__init__()
        if padding != "same":
            raise ValueError(f"the CNN pads as 'same'. Received: padding={padding!r}")

        def behind(stage):
            return nn.Identity() if attention == "none" else BLOCKS[attention](stage.out_channels)
        self.stack = VGGStack(3, (64, 128), stride=2)
        self.stack_attention = behind(self.stack)
        self.inception1 = InceptionV2(128, (64, 96, 96, 64), (64, 64))
        self.inception1_attention = behind(self.inception1)
        self.inception2 = InceptionV2(320, (32, 64, 64, 32), (96, 96))
        self.inception2_attention = behind(self.inception2)
        self.pool = nn.MaxPool2d(2, 2, pad_mode="same")
        self.out_channels = self.inception2.out_channels
        self.dropout_channels = (self.inception1.out_channels, self.inception2.out_channels)

    def construct(self, x, kept=None):
        """Compute the map.

        Args:
            x: (N, 3, H, W) float32.
            kept: in training two (N, C, 1, 1) float32 factors of whole channels (spatial dropout,
                Tompson et al., arXiv:1411.4280): 0, or 1 / keep probability; else None.
        """
        x = self.pool(self.stack_attention(self.stack(x)))
        x = self.pool(self.inception1_attention(self.inception1(x)))
        if kept is not None:
            x = x * kept[0]
        x = self.pool(self.inception2_attention(self.inception2(x)))
        return x if kept is None else x * kept[1]
