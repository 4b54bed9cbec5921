"""Training augmentation, drawn per image from a seed of its own.

The course's recipe: random resized crop (Szegedy et al., arXiv:1409.4842), horizontal flip
(Krizhevsky et al., NIPS 2012, section 4.1), colour jitter (factors of brightness, contrast and
colour in random order: Howard, "Some Improvements on Deep Convolutional Neural Network Based Image
Classification", 2013, arXiv:1312.5402); and, off unless asked for, a random affine map (rotation,
shift, zoom, shear; Simard et al., "Best Practices for Convolutional Neural Networks Applied to
Visual Document Analysis", ICDAR 2003) and random erasing. Shorten and Khoshgoftaar survey them ("A
survey on Image Data Augmentation for Deep Learning", Journal of Big Data 6, 2019).

Each (seed, pass, image) has its own random stream, so the bytes do not depend on the number of
workers, on the order of the images, or on which images stand beside this one.
"""
import dataclasses
import hashlib
import math

import cv2
import numpy as np

from src_mindspore.data.preprocess import cut_banner, resize, resize_short


@dataclasses.dataclass(frozen=True)
class AugmentSpec:
    """Strengths of the augmentation.

    Attributes:
        crop_scale: (low, high), part of the photo's area that a crop takes, in (0, 1].
        crop_ratio: (low, high), width over height of a crop.
        flip: probability of a horizontal flip, in [0, 1].
        brightness, contrast, saturation: a factor is drawn from [1-x, 1+x]; 0 turns it off.
        rotation: largest angle in degrees, either way; 0 turns it off.
        shift: largest shift as a part of the side, in either direction; 0 turns it off.
        zoom: the size changes by a factor from [1-x, 1+x]; 0 turns it off.
        shear: largest angle in degrees by which upright lines lean, either way; 0 turns it off.
        erasing: probability of random erasing, in [0, 1].
        crop_pixels: side of a crop at a random place, after the short side was made as long as the
            PreprocessSpec's `resize`; 0: a crop of `crop_scale` and `crop_ratio` instead.
    """

    crop_scale: tuple = (0.08, 1.0)
    crop_ratio: tuple = (0.75, 4 / 3)
    flip: float = 0.5
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    erasing: float = 0.0
    crop_pixels: int = 0

    @property
    def is_affine(self):
        """True where views are rotated, shifted, zoomed or sheared."""
        return any((self.rotation, self.shift, self.zoom, self.shear))

    def to_dict(self):
        """Return a JSON-able dict; what is off is left out, so that keys of caches stay equal."""
        values = {**dataclasses.asdict(self), "crop_scale": list(self.crop_scale),
                  "crop_ratio": list(self.crop_ratio)}
        for name in ("rotation", "shift", "zoom", "shear", "erasing", "crop_pixels"):
            if not values[name]:
                del values[name]
        return values


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


def random_crop(image, spec, augmentation, rng):
    """Crop `crop_pixels` squared at a random place of the photo, its short side resized first.

    Args:
        image: (H, W, 3) uint8; a small photo is enlarged, so that any size will do.
        spec: PreprocessSpec whose `resize` is at least `crop_pixels`.
        augmentation: AugmentSpec.
        rng: numpy Generator.

    Returns:
        (image_height, image_width, 3) uint8.
    """
    side = augmentation.crop_pixels
    image = resize_short(image, spec.resize, spec.interpolation)
    top = int(rng.integers(0, image.shape[0] - side + 1))
    left = int(rng.integers(0, image.shape[1] - side + 1))
    return resize(image[top:top + side, left:left + side], spec.image_height, spec.image_width,
                  spec.interpolation)


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


def random_affine(view, spec, rng):
    """Turn, zoom and shear a view around its middle and move it; what was outside is the mirrored
    border.

    Args:
        view: (H, W, 3) uint8 RGB.
        spec: AugmentSpec.
        rng: numpy Generator.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = view.shape[:2]
    angle = rng.uniform(-spec.rotation, spec.rotation)
    right, down = rng.uniform(-spec.shift, spec.shift, 2)
    # Drawn only where asked for, so that views without them are what they were before.
    factor = 1 + rng.uniform(-spec.zoom, spec.zoom) if spec.zoom else 1.0
    # Around the middle between pixels, so that 180 degrees exchange the corners.
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, angle, factor)
    if spec.shear:
        lean = math.tan(math.radians(rng.uniform(-spec.shear, spec.shear)))
        matrix[:, :2] = matrix[:, :2] @ ((1, lean), (0, 1))
        matrix[:, 2] = middle - matrix[:, :2] @ middle
    matrix[:, 2] += right * width, down * height
    return cv2.warpAffine(view, matrix, (width, height), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REFLECT_101)


def random_erasing(view, rng):
    """Fill a random box with noise (Zhong et al., AAAI 2020, arXiv:1708.04896, algorithm 1).

    The box takes 2 to 40 % of the area, its sides are in a ratio of 0.3 to 1 / 0.3.

    Args:
        view: (H, W, 3) uint8 RGB.
        rng: numpy Generator.

    Returns:
        (H, W, 3) uint8 RGB, another array.
    """
    height, width = view.shape[:2]
    view = view.copy()
    for _ in range(10):
        area = height * width * rng.uniform(0.02, 0.4)
        ratio = rng.uniform(0.3, 1 / 0.3)
        box_height, box_width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < box_height < height and 0 < box_width < width:
            top = int(rng.integers(0, height - box_height + 1))
            left = int(rng.integers(0, width - box_width + 1))
            view[top:top + box_height, left:left + box_width] = rng.integers(
                0, 256, (box_height, box_width, 3), np.uint8)
            break
    return view


def augment(image, spec, augmentation, rng):
    """One random view of a photo.

    Args:
        image: (H, W, 3) uint8 RGB.
        spec: PreprocessSpec, for banner, size and interpolation.
        augmentation: AugmentSpec.
        rng: numpy Generator from `rng_for`.

    Returns:
        (image_height, image_width, 3) uint8 RGB, C-contiguous.
    """
    image = cut_banner(image, spec)
    if augmentation.crop_pixels:
        view = random_crop(image, spec, augmentation, rng)
    else:
        view = random_resized_crop(image, spec.image_height, spec.image_width, augmentation, rng,
                                   spec.interpolation)
    if rng.random() < augmentation.flip:
        view = cv2.flip(view, 1)
    if augmentation.is_affine:
        view = random_affine(view, augmentation, rng)
    view = colour_jitter(view, augmentation, rng)
    if augmentation.erasing and rng.random() < augmentation.erasing:
        view = random_erasing(view, rng)
    return np.ascontiguousarray(view)
