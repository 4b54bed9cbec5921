"""A backbone that looks at every photo twice, as it is and mirrored, and averages its feature maps.

Averaging over the views of a photo is as old as AlexNet (Krizhevsky et al., NIPS 2012, section
4.1). A garbage photo means the same seen in a mirror; features that know so need not be taught it
by further passes. It happens inside the network, so everything behind it (cache, head, export,
stream) takes the result as it takes any backbone's, at twice the time.
"""
import dataclasses

from mindspore import nn, ops

PREFIX = "mirrored:"


class MirroredBackbone(nn.Cell):
    """(N, 3, H, W) float32 -> (N, C, h, w) float32: the mean of a backbone's map of the photo and
    of its map of the mirrored photo, mirrored back.

    Args:
        inner: Cell; its parameters keep their names, so its weights fit.
    """

    def __init__(self, inner):
        super().__init__(auto_prefix=False)
        self.inner = inner
        self.mirror = ops.ReverseV2([3])

    def construct(self, x):
        return (self.inner(x) + self.mirror(self.inner(self.mirror(x)))) / 2


def mirrored_entry(entry):
    """Return the BackboneEntry of an architecture, mirrored."""
    return dataclasses.replace(entry, build=lambda padding: MirroredBackbone(entry.build(padding)))


def mirrored_backbone(backbone):
    """Return a Backbone, mirrored; its name says so."""
    cell = MirroredBackbone(backbone.cell).set_train(False)
    return dataclasses.replace(backbone, name=PREFIX + backbone.name, cell=cell)
