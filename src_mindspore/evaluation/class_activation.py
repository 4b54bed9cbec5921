"""Grad-CAM: where in the photo the evidence for a class lies.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017 (arXiv:1610.02391). For a class c and a feature map A of K channels

    alpha_k = mean over positions of d logit_c / d A_k,        heat = ReLU(sum_k alpha_k A_k).

Any network will do that is cut in two: cells from pixels to the map, cells from the map to the
logits. `cut` does so for the networks of this project.
"""
import dataclasses

import mindspore as ms
import numpy as np
from mindspore import nn

from src_mindspore.errors import LabError
from src_mindspore.features.engines import padded

BATCH = 16


class Chain(nn.Cell):
    """Cells one after the other, their parameters' names left as they are.

    Args:
        cells: list of Cell.
    """

    def __init__(self, cells):
        super().__init__(auto_prefix=False)
        self.cells_in_order = nn.CellList(cells, auto_prefix=False)

    def construct(self, x):
        for cell in self.cells_in_order:
            x = cell(x)
        return x


class ClassScore(nn.Cell):
    """The sum of every photo's logit of its class, and all logits: what the gradient is taken of.

    Args:
        rest: Cell, (N, K, h, w) -> (N, C) logits.
    """

    def __init__(self, rest):
        super().__init__(auto_prefix=False)
        self.rest = rest

    def construct(self, feature_map, wanted):
        logits = self.rest(feature_map)
        return (logits * wanted).sum(), logits


@dataclasses.dataclass(frozen=True)
class Cut:
    """A network in two parts.

    Attributes:
        layer: str, name of the layer whose output is the map.
        features: Cell, (N, 3, H, W) -> (N, K, h, w) float32.
        rest: Cell, (N, K, h, w) -> (N, C) float32 logits.
    """

    layer: str
    features: nn.Cell
    rest: nn.Cell


def layer_names(network):
    """Return the names of the layers a network can be cut behind, first to last.

    Args:
        network: Cell with `backbone` and `head`. A backbone that is nothing but its SequentialCell
            `features` can be cut behind each of its cells, any other behind its end alone.

    Returns:
        list of str, such as 'features.18', or 'backbone'.
    """
    sequence = getattr(network.backbone, "features", None)
    if not isinstance(sequence, nn.SequentialCell):
        return ["backbone"]
    return [f"features.{number}" for number in range(len(sequence))]


def cut(network, layer=None):
    """Cut a network behind a layer; the head's activation is left off, so it ends in logits.

    Args:
        network: Cell with `backbone` (pixels to feature map) and `head` (feature map to logits),
            in evaluation mode. Its cells are shared, not copied.
        layer: one of `layer_names`; None: the last one, the map that the head reads.

    Returns:
        Cut.

    Raises:
        LabError: there is no such layer; the message lists those there are.
    """
    names = layer_names(network)
    layer = layer or names[-1]
    if layer not in names:
        listed = ", ".join(names) if len(names) <= 4 else f"{names[0]} to {names[-1]}"
        raise LabError(f"There is no layer {layer!r}. This {type(network.backbone).__name__} can "
                       f"be read behind {listed}; without --layer it is {names[-1]}, the map that "
                       "the head reads.")
    head = network.head
    if hasattr(head, "activation"):
        head.activation = nn.Identity()
    if names == ["backbone"]:
        return Cut(layer, network.backbone, head)
    cells, behind = list(network.backbone.features), names.index(layer) + 1
    return Cut(layer, Chain(cells[:behind]), Chain([*cells[behind:], head]))


class GradCAM:
    """Heat maps of photos for classes.

        cam = GradCAM(cut(network))
        heat, logits = cam(images, classes)

    Args:
        parts: Cut.
        batch_size: int, photos at once; the graph is compiled for it.
    """

    def __init__(self, parts, batch_size=BATCH):
        self.parts = parts
        self.batch_size = batch_size
        self.gradient = ms.value_and_grad(ClassScore(parts.rest).set_train(False), grad_position=0,
                                          weights=None, has_aux=True)

    def feature_maps(self, images):
        """Return the maps of the layer.

        Args:
            images: (N, 3, H, W) float32 from `preprocess`.

        Returns:
            (N, K, h, w) float32.
        """
        size = self.batch_size
        return np.concatenate([
            self.parts.features(ms.Tensor(padded(images[i:i + size], size))).asnumpy()
            [:len(images[i:i + size])] for i in range(0, len(images), size)])

    def __call__(self, images, classes=None):
        """Compute the heat of a class in every photo.

        Args:
            images: (N, 3, H, W) float32 from `preprocess`.
            classes: (N,) int; None: the class with the largest logit.

        Returns:
            (heat, logits): (N, h, w) float32, 0 where the class gains nothing, in units of the
            logit; (N, C) float32.
        """
        return self.of_maps(self.feature_maps(images), classes)

    def of_maps(self, maps, classes=None):
        """As calling it, on (N, K, h, w) float32 maps that `feature_maps` returned."""
        size, heats, answers = self.batch_size, [], []
        for first in range(0, len(maps), size):
            part = maps[first:first + size]
            block = ms.Tensor(padded(part, size))
            if classes is None:
                wanted = self.parts.rest(block).asnumpy()[:len(part)].argmax(1)
            else:
                wanted = np.asarray(classes[first:first + size])
            gradient, logits = self._gradient(block, wanted)
            heats.append(heat_of(part, gradient[:len(part)]))
            answers.append(logits[:len(part)])
        return np.concatenate(heats), np.concatenate(answers)

    def _gradient(self, block, wanted):
        """Return (gradient, logits) as arrays, for a full batch whose first photos count."""
        width = self.parts.rest(block).shape[1]
        chosen = np.zeros((self.batch_size, width), np.float32)
        chosen[np.arange(len(wanted)), wanted] = 1
        (_, logits), gradient = self.gradient(block, ms.Tensor(chosen))
        return gradient.asnumpy(), logits.asnumpy()


def heat_of(maps, gradients):
    """Return ReLU(sum_k alpha_k A_k), alpha_k being the mean gradient of a channel.

    Args:
        maps, gradients: (N, K, h, w) float32.

    Returns:
        (N, h, w) float32, >= 0.
    """
    alpha = gradients.mean(axis=(2, 3), dtype=np.float64)
    # The root in some heads has an infinite slope at 0. A channel that is 0 everywhere adds 0
    # whatever its weight is.
    alpha[~maps.any(axis=(2, 3))] = 0
    return np.maximum(np.einsum("nk,nkhw->nhw", alpha, maps), 0).astype(np.float32)
