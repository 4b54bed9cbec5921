"""Grad-CAM: where in the photo the evidence for a class lies.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017 (arXiv:1610.02391). For a class c and a feature map A of K channels

    alpha_k = mean over positions of d logit_c / d A_k,        heat = ReLU(sum_k alpha_k A_k).

Any network will do that is cut in two: cells from pixels to the map, cells from the map to the
logits. `cut` does so for the networks of this project.
"""
import dataclasses

import cv2
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
        many: bool, `rest` takes a tuple of maps.
    """

    def __init__(self, rest, many):
        super().__init__(auto_prefix=False)
        self.rest = rest
        self.many = many

    def construct(self, wanted, *maps):
        logits = self.rest(maps) if self.many else self.rest(maps[0])
        return (logits * wanted).sum(), logits


@dataclasses.dataclass(frozen=True)
class Cut:
    """A network in two parts.

    Attributes:
        layer: str, name of the layer whose output is the map.
        features: Cell, (N, 3, H, W) -> (N, K, h, w) float32, or a tuple of maps, as of several
            backbones side by side.
        rest: Cell, what `features` returns -> (N, C) float32 logits.
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
        self.gradient = None

    def __call__(self, images, classes=None):
        """Compute the heat of a class in every photo.

        Args:
            images: (N, *input_shape) float32 from `preprocess`.
            classes: (N,) int; None: the class with the largest logit.

        Returns:
            (heat, logits): (N, h, w) float32, 0 where the class gains nothing, in units of the
            logit; (N, C) float32. Of several maps h and w are the largest.
        """
        return self.of_maps(self.feature_maps(images), classes)

    def feature_maps(self, images):
        """Return the maps of the layer.

        Args:
            images: (N, *input_shape) float32 from `preprocess`.

        Returns:
            list of (N, K, h, w) float32: one map, or one of every backbone.
        """
        size, batches = self.batch_size, []
        for first in range(0, len(images), size):
            part = images[first:first + size]
            maps = self.parts.features(ms.Tensor(padded(part, size)))
            maps = maps if isinstance(maps, tuple) else (maps,)
            batches.append([one.asnumpy()[:len(part)] for one in maps])
        return [np.concatenate(parts) for parts in zip(*batches, strict=True)]

    def of_maps(self, maps, classes=None):
        """Do the same for maps that `feature_maps` returned; see `__call__`."""
        size, heats, answers = self.batch_size, [], []
        for first in range(0, len(maps[0]), size):
            part = [one[first:first + size] for one in maps]
            wanted = self._likeliest(part) if classes is None else classes[first:first + size]
            gradients, logits = self.gradients(part, wanted)
            heats.append(heat_of(part, gradients))
            answers.append(logits)
        return np.concatenate(heats), np.concatenate(answers)

    def gradients(self, maps, classes):
        """Return what the logits of classes change by with the maps.

        Args:
            maps: list of (N, K, h, w) float32, N <= batch_size.
            classes: (N,) int.

        Returns:
            (gradients, logits): list of (N, K, h, w) float32; (N, C) float32.
        """
        count, block = len(classes), self._block(maps)
        wanted = np.zeros((self.batch_size, self._logits(block).shape[1]), np.float32)
        wanted[np.arange(count), classes] = 1
        if self.gradient is None:
            score = ClassScore(self.parts.rest, len(block) > 1).set_train(False)
            self.gradient = ms.value_and_grad(score, tuple(range(1, len(block) + 1)), None, True)
        (_, logits), gradients = self.gradient(ms.Tensor(wanted), *block)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        return [one.asnumpy()[:count] for one in gradients], logits.asnumpy()[:count]

    def _block(self, maps):
        return tuple(ms.Tensor(padded(one, self.batch_size)) for one in maps)

    def _logits(self, block):
        return self.parts.rest(block if len(block) > 1 else block[0])

    def _likeliest(self, maps):
        return self._logits(self._block(maps)).asnumpy()[:len(maps[0])].argmax(1)


def heat_of(maps, gradients):
    """Return ReLU(sum_k alpha_k A_k), alpha_k being the mean gradient of a channel.

    Several maps of one photo are brought to the size of the largest and added; a position counts
    by the part of the photo that it stands for.

    Args:
        maps, gradients: lists of (N, K, h, w) float32.

    Returns:
        (N, h, w) float32, >= 0.
    """
    height, width = (max(one.shape[axis] for one in maps) for axis in (2, 3))
    total = 0
    for one, gradient in zip(maps, gradients, strict=True):
        alpha = gradient.mean(axis=(2, 3), dtype=np.float64)
        # The root in some heads has an infinite slope at 0. A channel that is 0 everywhere adds 0
        # whatever its weight is.
        alpha[~one.any(axis=(2, 3))] = 0
        signed = np.einsum("nk,nkhw->nhw", alpha, one)
        scale = one.shape[2] * one.shape[3] / (height * width)
        total = total + scale * np.stack([
            cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)
            for photo in signed])
    return np.maximum(total, 0).astype(np.float32)
