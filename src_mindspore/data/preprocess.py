"""The one preprocessing contract: how an RGB photo becomes the backbone's input.

Extraction, evaluation, `predict`, the submission and the dataset pipeline all call
`preprocess` with the PreprocessSpec that travels inside the checkpoint.
This file needs only NumPy and OpenCV: the submission carries a copy of it.
"""
import dataclasses
import math

import cv2
import numpy as np

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
INTERPOLATIONS = ("bilinear", "area")


@dataclasses.dataclass(frozen=True)
class PreprocessSpec:
    """What a backbone wants to see.

    Attributes:
        image_height, image_width: int, pixels of the backbone's input.
        resize: int, length of the short side before the centre crop; 0 resizes straight to
            (image_height, image_width) without a crop.
        interpolation: 'bilinear' as the course's pipeline; 'area' averages when it shrinks (no
            aliasing on large photos) and is bilinear when it enlarges.
        channel_order: 'RGB' or 'BGR', the order the weights were trained with.
        mean, std: three floats per channel in that order, on the scale 0 to 255.
        crop_bottom: int, rows cut off the bottom of the photo before anything else: a banner that
            every photo of a collection carries.
        crop: int, side of the centre crop, which is then resized to the input; 0 crops the input
            itself. Needs `resize`.
        standardise: bool, subtract each photo's own mean and divide by its own deviation (over all
            channels, at least 1 / sqrt(values)) instead of `mean` and `std`.
    """

    image_height: int = 224
    image_width: int = 224
    resize: int = 256
    interpolation: str = "bilinear"
    channel_order: str = "RGB"
    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD
    crop_bottom: int = 0
    crop: int = 0
    standardise: bool = False

    def __post_init__(self):
        object.__setattr__(self, "mean", tuple(float(m) for m in self.mean))
        object.__setattr__(self, "std", tuple(float(s) for s in self.std))
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {INTERPOLATIONS}. "
                             f"Received: {self.interpolation!r}")
        if self.channel_order not in ("RGB", "BGR"):
            raise ValueError(f"channel_order must be RGB or BGR. Received: {self.channel_order!r}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("mean and std need three values each, std above 0. "
                             f"Received: mean={self.mean}, std={self.std}")
        if not 0 <= self.crop <= self.resize and self.crop:
            raise ValueError("crop must lie between 0 and resize. "
                             f"Received: crop={self.crop}, resize={self.resize}")

    def to_dict(self):
        """Return a JSON-able dict; what is off is left out, so that keys of caches stay equal."""
        values = {**dataclasses.asdict(self), "mean": list(self.mean), "std": list(self.std)}
        for name in ("crop_bottom", "crop", "standardise"):
            if not values[name]:
                del values[name]
        return values

    @classmethod
    def from_dict(cls, values):
        """Return the spec that `to_dict` described: a FusedSpec where it has members."""
        if "members" in values:
            return FusedSpec(tuple(map(cls.from_dict, values["members"])))
        return cls(**values)

    @property
    def input_shape(self):
        """Shape of the network's input for one photo: (3, image_height, image_width)."""
        return (3, self.image_height, self.image_width)

    @property
    def layout(self):
        """What the network's input is, for people who call an exported file."""
        return "NCHW float32"

    def inputs(self, view_of):
        """Return what the network is given.

        Args:
            view_of: function from a PreprocessSpec to (..., image_height, image_width, 3) uint8
                RGB, the photo or views of it in that geometry.

        Returns:
            (..., *input_shape) float32.
        """
        return normalise(view_of(self), self)

    def describe(self):
        """Return the spec as a pipe a person can read, for example in a report."""
        size = f"{self.image_height}x{self.image_width}"
        banner = f"cut_bottom({self.crop_bottom})|" if self.crop_bottom else ""
        geometry = f"resize({size})"
        if self.resize:
            crop = f"{self.crop}x{self.crop})|resize({size}" if self.crop else size
            geometry = f"resize_short({self.resize})|center_crop({crop})"
        arithmetic = "standardise_each" if self.standardise else \
            f"(x-{[round(m, 3) for m in self.mean]})/{[round(s, 3) for s in self.std]}"
        return (f"decode_rgb|{banner}{geometry}|{self.interpolation}|{self.channel_order}|"
                f"{arithmetic}|chw")


@dataclasses.dataclass(frozen=True)
class FusedSpec:
    """What several backbones side by side want to see: each its own input, made from the photo as
    if it were alone. The inputs travel as one vector, so that a network of several backbones has
    one input like any other.

    Attributes:
        members: tuple of PreprocessSpec.
    """

    members: tuple

    def to_dict(self):
        """Return a JSON-able dict; `PreprocessSpec.from_dict` reads it."""
        return {"members": [member.to_dict() for member in self.members]}

    def describe(self):
        """Return the members' pipes; see `PreprocessSpec.describe`."""
        return " + ".join(member.describe() for member in self.members)

    @property
    def input_shape(self):
        """Shape of the network's input for one photo: (values of all members,)."""
        return (sum(math.prod(member.input_shape) for member in self.members),)

    @property
    def layout(self):
        """What the network's input is, for people who call an exported file."""
        sizes = ", ".join(f"3x{m.image_height}x{m.image_width}" for m in self.members)
        return f"N x {self.input_shape[0]} float32: {sizes}, each CHW, flattened, end to end"

    def inputs(self, view_of):
        """Return (..., *input_shape) float32; see `PreprocessSpec.inputs`."""
        parts = [member.inputs(view_of) for member in self.members]
        return np.concatenate([part.reshape(*part.shape[:-3], -1) for part in parts], axis=-1)


def resize(image, height, width, interpolation):
    """Resize an image (H, W, 3) uint8 to (height, width, 3) uint8."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height < image.shape[0] and width < image.shape[1]
    method = cv2.INTER_AREA if interpolation == "area" and shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method)


def cut_banner(image, spec):
    """Cut the rows off the bottom that PreprocessSpec.crop_bottom names; one row always stays."""
    return image[:max(1, len(image) - spec.crop_bottom)] if spec.crop_bottom else image


def resize_short(image, short, interpolation):
    """Resize an image (H, W, 3) uint8 so that its short side has `short` pixels."""
    height, width = image.shape[:2]
    if height < width:
        height, width = short, int(short * width / height)
    else:
        height, width = int(short * height / width), short
    return resize(image, height, width, interpolation)


def resize_and_crop(image, spec):
    """The geometry of evaluation.

    Args:
        image: (H, W, 3) uint8 RGB, any size from 1x1.
        spec: PreprocessSpec.

    Returns:
        (image_height, image_width, 3) uint8 RGB.
    """
    image = cut_banner(image, spec)
    if not spec.resize:
        return resize(image, spec.image_height, spec.image_width, spec.interpolation)
    crop_height, crop_width = (spec.crop, spec.crop) if spec.crop \
        else (spec.image_height, spec.image_width)
    image = resize_short(image, max(spec.resize, crop_height, crop_width), spec.interpolation)
    top = (image.shape[0] - crop_height) // 2
    left = (image.shape[1] - crop_width) // 2
    image = image[top:top + crop_height, left:left + crop_width]
    return resize(image, spec.image_height, spec.image_width, spec.interpolation)


def normalise(images, spec):
    """The arithmetic: uint8 RGB pixels to the backbone's floats.

    Args:
        images: (N, H, W, 3) or (H, W, 3) uint8 RGB.
        spec: PreprocessSpec.

    Returns:
        (N, 3, H, W) or (3, H, W) float32, C-contiguous.
    """
    if spec.channel_order == "BGR":
        images = images[..., ::-1]
    if spec.standardise:
        return _standardise(images)
    scale = (1.0 / np.asarray(spec.std)).astype(np.float32)
    shift = (-np.asarray(spec.mean) / np.asarray(spec.std)).astype(np.float32)
    out = np.empty(images.shape[:-3] + (3,) + images.shape[-3:-1], np.float32)
    for channel in range(3):
        np.multiply(images[..., channel], scale[channel], out=out[..., channel, :, :])
        out[..., channel, :, :] += shift[channel]
    return out


def _standardise(images):
    values = images.astype(np.float32)
    axes = (-3, -2, -1)
    count = math.prod(images.shape[-3:])
    mean = values.mean(axis=axes, keepdims=True, dtype=np.float64)
    # A photo of one colour has no deviation to divide by.
    deviation = np.maximum(values.std(axis=axes, keepdims=True, dtype=np.float64),
                           1 / math.sqrt(count))
    values = (values - mean.astype(np.float32)) * (1 / deviation).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(values, -1, -3))


def preprocess(image, spec):
    """Turn one RGB photo into the network's input: geometry, then arithmetic.

    Args:
        image: (H, W, 3) uint8 RGB.
        spec: PreprocessSpec or FusedSpec.

    Returns:
        (3, image_height, image_width) float32, or what `FusedSpec.inputs` returns.

    Raises:
        ValueError: the array is not (H, W, 3) uint8.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 \
            or image.shape[2] != 3 or 0 in image.shape:
        received = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image)
        raise ValueError(f"an image must be a uint8 array of shape (H, W, 3). Received: {received}")
    return spec.inputs(lambda one: resize_and_crop(image, one))
