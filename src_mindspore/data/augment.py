"""Training augmentation, drawn per image from a seed of its own.

The course's recipe: random resized crop, horizontal flip, colour jitter. Each (seed, pass,
image) has its own random stream, so the bytes do not depend on the number of workers, on the
order of the images, or on which images stand beside this one.
"""
import dataclasses
import hashlib
import math

import cv2
import numpy as np

from src_mindspore.data.preprocess import resize


@dataclasses.dataclass(frozen=True)
class AugmentSpec:
    """Strengths of the augmentation.

    Attributes:
        crop_scale: (low, high), part of the photo's area that a crop takes, in (0, 1].
        crop_ratio: (low, high), width over height of a crop.
        flip: probability of a horizontal flip, in [0, 1].
        brightness, contrast, saturation: a factor is drawn from [1-x, 1+x]; 0 turns it off.
    """

    crop_scale: tuple = (0.08, 1.0)
    crop_ratio: tuple = (0.75, 4 / 3)
    flip: float = 0.5
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4

    def to_dict(self):
        """Return a JSON-able dict."""
        return {**dataclasses.asdict(self), "crop_scale": list(self.crop_scale),
                "crop_ratio": list(self.crop_ratio)}


def rng_for(seed, image_id, pass_number):
    """Return the random generator of one image in one pass.

    Args:
        seed: int >= 0.
        image_id: str, the image's path relative to its data folder.
        pass_number: int >= 0.
    """
    digest = hashlib.sha256(image_id.encode("utf-8")).digest()
    return np.random.default_rng([seed, pass_number, int.from_bytes(digest[:8], "little")])


def random_resized_crop(image, height, width, spec, rng, interpolation):
    """Crop a random part of random aspect and resize it (Szegedy et al., arXiv:1409.4842).

    Args:
        image: (H, W, 3) uint8.
        height, width: int, size of the result.
        spec: AugmentSpec.
        rng: numpy Generator.
        interpolation: as in PreprocessSpec.

    Returns:
        (height, width, 3) uint8.
    """
    full_height, full_width = image.shape[:2]
    for _ in range(10):
        area = full_height * full_width * rng.uniform(*spec.crop_scale)
        ratio = math.exp(rng.uniform(math.log(spec.crop_ratio[0]), math.log(spec.crop_ratio[1])))
        crop_width = round(math.sqrt(area * ratio))
        crop_height = round(math.sqrt(area / ratio))
        if 0 < crop_width <= full_width and 0 < crop_height <= full_height:
            top = int(rng.integers(0, full_height - crop_height + 1))
            left = int(rng.integers(0, full_width - crop_width + 1))
            crop = image[top:top + crop_height, left:left + crop_width]
            return resize(crop, height, width, interpolation)
    side = min(full_height, full_width)
    top, left = (full_height - side) // 2, (full_width - side) // 2
    return resize(image[top:top + side, left:left + side], height, width, interpolation)


def colour_jitter(image, spec, rng):
    """Change brightness, contrast and saturation by random factors, in random order.

    Args:
        image: (H, W, 3) uint8 RGB.
        spec: AugmentSpec.
        rng: numpy Generator.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    for name in rng.permutation(["brightness", "contrast", "saturation"]):
        strength = getattr(spec, name)
        if not strength:
            continue
        factor = rng.uniform(max(0.0, 1 - strength), 1 + strength)
        if name == "brightness":
            image = cv2.convertScaleAbs(image, alpha=factor)
            continue
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if name == "contrast":
            # convertScaleAbs would mirror negative values instead of clipping them at 0.
            levels = np.arange(256) * factor + (1 - factor) * float(grey.mean())
            image = cv2.LUT(image, np.clip(np.rint(levels), 0, 255).astype(np.uint8))
        else:
            grey = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
            image = cv2.addWeighted(image, factor, grey, 1 - factor, 0)
    return image


def augment(image, spec, augmentation, rng):
    """One random view of a photo.

    Args:
        image: (H, W, 3) uint8 RGB.
        spec: PreprocessSpec, for size and interpolation.
        augmentation: AugmentSpec.
        rng: numpy Generator from `rng_for`.

    Returns:
        (image_height, image_width, 3) uint8 RGB, C-contiguous.
    """
    view = random_resized_crop(image, spec.image_height, spec.image_width, augmentation, rng,
                               spec.interpolation)
    if rng.random() < augmentation.flip:
        view = cv2.flip(view, 1)
    return np.ascontiguousarray(colour_jitter(view, augmentation, rng))
