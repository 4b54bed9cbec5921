"""A backbone that also shows what its inner layers saw, not its last map alone.

Pretrained layers grow from general to specific (Yosinski et al., "How transferable are features in
deep neural networks?", NIPS 2014), and the last one has thrown away what ImageNet's classes did
not need: textures, which tell glass from plastic. Reading several layers at once goes back to
hypercolumns (Hariharan et al., CVPR 2015). Two expansions of inverted residual blocks are read
beside the last map: they end in ReLU6, so their means are never negative, as heads expect it, and
they are computed anyway.
"""
import dataclasses

from mindspore import nn, ops

from src_mindspore import mobilenetv2
from src_mindspore.backbones import efficientnet_lite

PREFIX = "multilevel:"
# (stage, block) from 0, whose expansions are read: of 16 pixels' stride, and of 32.
LEVELS = ((4, 0), (5, 1))


def level_blocks(name):
    """Return which blocks of an architecture are read, and the channels of their expansions.

    Args:
        name: 'mobilenet_v2' or a variant of EfficientNet-Lite.

    Returns:
        (positions, channels): tuples of int, a position counting blocks from 0.
    """
    if name in efficientnet_lite.VARIANTS:
        stages = [(out, expansion, blocks)
                  for _, expansion, out, blocks, _ in efficientnet_lite.stages_of(name)]
    else:
        stages = [(out, expansion, blocks) for expansion, out, blocks, _ in mobilenetv2.STAGES]
    positions, channels = [], []
    for stage, block in LEVELS:
        out, expansion, _ = stages[stage]
        positions.append(sum(blocks for _, _, blocks in stages[:stage]) + block)
        channels.append(expansion * (out if block else stages[stage - 1][0]))
    return tuple(positions), tuple(channels)


class MultilevelBackbone(nn.Cell):
    """(N, 3, H, W) float32 -> (N, C, h, w) float32 >= 0: two expansions, then the last map.

    The finer expansion is averaged over the 2 x 2 positions that one of the last map covers.

    Args:
        inner: MobileNetV2Backbone or EfficientNetLite; its parameters keep their names, so its
            weights fit.
        name: str, of the inner one, as for `level_blocks`.
    """

    def __init__(self, inner, name):
        super().__init__(auto_prefix=False)
        self.inner = inner
        blocks = [number for number, layer in enumerate(inner.features)
                  if isinstance(layer, mobilenetv2.InvertedResidual | efficientnet_lite.MBConv)]
        self.fine, self.coarse = (blocks[position] for position in level_blocks(name)[0])
        self.pool = nn.AvgPool2d(2, 2, pad_mode="same")

    def construct(self, x):
        levels = ()
        for number in range(len(self.inner.features)):
            layer = self.inner.features[number]
            if number == self.fine:
                levels = (self.pool(layer.expand(x)),)
            elif number == self.coarse:
                levels = (*levels, layer.expand(x))
            x = layer(x)
        return ops.cat((*levels, x), 1)


def multilevel_entry(entry, name):
    """Return the BackboneEntry of an architecture, read at several levels."""
    return dataclasses.replace(
        entry, build=lambda padding: MultilevelBackbone(entry.build(padding), name),
        channels=entry.channels + sum(level_blocks(name)[1]))


def multilevel_backbone(backbone):
    """Return a Backbone, read at several levels; its name says so."""
    cell = MultilevelBackbone(backbone.cell, backbone.name).set_train(False)
    return dataclasses.replace(backbone, name=PREFIX + backbone.name, cell=cell,
                               channels=backbone.channels + sum(level_blocks(backbone.name)[1]))
