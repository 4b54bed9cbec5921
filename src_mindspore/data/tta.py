"""Test-time augmentation: ask about several views of a photo and average the answers.

Krizhevsky et al., NIPS 2012 (section 4.1) average ten crops. Random crops here are drawn as in
training: by the same function, with the scales, ratios and flips the model was trained with.
This file and augment.py need only NumPy and OpenCV: the submission carries copies of both.
"""
import dataclasses

import numpy as np

from src_mindspore.data.augment import AugmentSpec, augment, rng_for
from src_mindspore.data.preprocess import resize_and_crop

KINDS = ("none", "flip", "crops")
AVERAGES = ("probabilities", "logits")


@dataclasses.dataclass(frozen=True)
class TTASpec:
    """Which views are asked about, and what is averaged.

    Attributes:
        kind: 'none': the photo as it is; 'flip': it and its mirror image; 'crops': it and random
            views in the geometry of training, their pixels left alone.
        views: int >= 2, how many, for 'crops'.
        average: 'probabilities' or 'logits'.
    """

    kind: str = "none"
    views: int = 8
    average: str = "probabilities"

    def __post_init__(self):
        if self.kind not in KINDS or self.average not in AVERAGES or self.views < 2:
            raise ValueError(f"kind must be one of {KINDS}, average one of {AVERAGES}, views at "
                             f"least 2. Received: {self}")

    def to_dict(self):
        """Return a JSON-able dict."""
        return dataclasses.asdict(self)

    def views_of(self, image, preprocess, augmentation=None):
        """Return the views of a photo: (V, image_height, image_width, 3) uint8 RGB.

        The same views for the same photo, always; the first is the photo as evaluation sees it.

        Args:
            image: (H, W, 3) uint8 RGB, any size.
            preprocess: PreprocessSpec.
            augmentation: dict from `AugmentSpec.to_dict`, as the model was trained; for 'crops'.
        """
        views = [resize_and_crop(image, preprocess)]
        if self.kind == "flip":
            views.append(views[0][:, ::-1])
        if self.kind == "crops":
            geometry = AugmentSpec(**{**augmentation, "brightness": 0.0, "contrast": 0.0,
                                      "saturation": 0.0, "erasing": 0.0})
            views += [augment(image, preprocess, geometry, rng_for(0, "view", number))
                      for number in range(1, self.views)]
        return np.stack(views)

    def inputs_of(self, image, preprocess, augmentation=None):
        """Return the views of a photo as the network is given them: (V, *input_shape) float32.

        Args:
            image, augmentation: as for `views_of`.
            preprocess: PreprocessSpec or FusedSpec, whose members all see the same views.
        """
        return preprocess.inputs(lambda one: self.views_of(image, one, augmentation))

    def combine(self, logits):
        """Return one answer a photo.

        Args:
            logits: (V, N, C) float, divided by the model's temperature.

        Returns:
            (N, C) float: mean logits, or logarithms of mean probabilities.
        """
        if len(logits) == 1:
            return logits[0]
        if self.average == "logits":
            return np.mean(logits, axis=0)
        wide = np.asarray(logits, np.float64)
        shifted = wide - wide.max(axis=2, keepdims=True)
        shares = np.exp(shifted)
        shares /= shares.sum(axis=2, keepdims=True)
        return np.log(np.maximum(shares.mean(axis=0), np.finfo(np.float64).tiny))
