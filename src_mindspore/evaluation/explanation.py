"""Why a model said what it said of a photo: Grad-CAM for its answer and for the truth."""
import dataclasses
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from scipy.special import softmax

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import preprocess, resize_and_crop
from src_mindspore.errors import LabError
from src_mindspore.evaluation.class_activation import GradCAM, cut
from src_mindspore.runtime import usable_cores


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """One photo, what the model said of it, and the heat maps.

    Attributes:
        path: str, relative to the folder of the photos.
        image: (H, W, 3) uint8 RGB, what the network saw of it.
        label: int, position of the truth; -1 where it is unknown.
        predicted: int.
        probabilities: (C,) float64.
        heats: dict from class to (h, w) float32 >= 0, in units of the logit: the prediction first,
            then the truth where it is another, then the class that was asked for.
    """

    path: str
    image: np.ndarray
    label: int
    predicted: int
    probabilities: np.ndarray
    heats: dict

    @property
    def is_wrong(self):
        """True where the truth is known and the prediction is another class."""
        return self.label >= 0 and self.label != self.predicted


def gradcam_of(model, layer=None):
    """Return the GradCAM of a loaded checkpoint.

    Args:
        model: Model from `load_model`; its network ends in logits afterwards.
        layer: see `cut`.

    Raises:
        LabError: see `cut`.
    """
    return GradCAM(cut(model.network, layer))


def explain(model, cam, root, paths, labels, asked=None):
    """Explain photos, a batch at a time.

    Args:
        model: Model that `cam` was made of.
        cam: GradCAM.
        root: Path; paths are relative to it.
        paths: sequence of N str.
        labels: (N,) int, positions in the model's classes, -1 where unknown.
        asked: int, a class to explain besides prediction and truth, or None.

    Yields:
        Explanation, in the order of the paths.

    Raises:
        BadImage: a photo cannot be read.
    """
    # Several backbones see the photo at their own sizes; the largest is shown.
    shown = max(getattr(model.preprocess, "members", (model.preprocess,)),
                key=lambda one: one.image_height * one.image_width)

    def seen(path):
        photo = load_rgb(root / path)
        return resize_and_crop(photo, shown), preprocess(photo, model.preprocess)

    with ThreadPoolExecutor(usable_cores()) as pool:
        for first in range(0, len(paths), cam.batch_size):
            part = slice(first, first + cam.batch_size)
            images, inputs = zip(*pool.map(seen, paths[part]), strict=True)
            truths = np.asarray(labels[part])
            maps = cam.feature_maps(np.stack(inputs))
            heat, logits = cam.of_maps(maps)
            predicted = logits.argmax(1)
            heats = [{int(label): one} for label, one in zip(predicted, heat, strict=True)]
            for others in (truths, np.full(len(truths), -1 if asked is None else asked)):
                _add(cam, maps, others, heats)
            for i, chances in enumerate(softmax(logits / model.temperature, axis=1)):
                yield Explanation(paths[first + i], images[i], int(truths[i]), int(predicted[i]),
                                  chances, heats[i])


def _add(cam, maps, classes, heats):
    """Add to `heats` those of (N,) classes that are known and not there yet."""
    missing = [i for i, label in enumerate(classes) if label >= 0 and int(label) not in heats[i]]
    if missing:
        found, _ = cam.of_maps([one[missing] for one in maps], classes[missing])
        for i, heat in zip(missing, found, strict=True):
            heats[i][int(classes[i])] = heat


def cover(image, heat, share, hottest=True):
    """Cover a part of a photo with its mean colour: if the heat is right, the answer suffers.

    The deletion test of Petsiuk et al., "RISE", BMVC 2018 (arXiv:1806.07421).

    Args:
        image: (H, W, 3) uint8 RGB.
        heat: (h, w) float; resized bilinearly to the photo.
        share: float from 0 to 1, part of the pixels that is covered.
        hottest: bool, cover the hottest pixels; else the coldest.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    order = np.argsort(cv2.resize(heat, (width, height)).ravel(), kind="stable")
    count = round(share * order.size)
    chosen = order[order.size - count:] if hottest else order[:count]
    covered = image.reshape(-1, 3).copy()
    covered[chosen] = image.mean(axis=(0, 1)).round()
    return covered.reshape(image.shape)


def class_named(classes, name):
    """Return the position of a class that a person names.

    Args:
        classes: ClassNames.
        name: str, its folder, or its English or Chinese name; capitals do not matter.

    Returns:
        int.

    Raises:
        LabError: there is no such class; the message lists all.
    """
    for names in (classes.folders, classes.english, classes.chinese):
        folded = [known.casefold() for known in names]
        if name.casefold() in folded:
            return folded.index(name.casefold())
    known = ", ".join(f"{f} ({e})" if f != e else f
                      for f, e in zip(classes.folders, classes.english, strict=True))
    raise LabError(f"The model has no class {name!r}. It has {known}.")
