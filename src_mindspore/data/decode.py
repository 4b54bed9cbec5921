"""Bytes of a photo to RGB pixels, and what is unusual or wrong about a file.

Pillow reads headers (they tell mode, size, orientation, animation without decoding); OpenCV
decodes what is plain, Pillow what is not (transparency, palettes, 16 bit, CMYK).
"""
import contextlib
import dataclasses
import io
import os
import warnings

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from src_mindspore.errors import LabError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "MPO")
# 100 megapixels decode to 300 MB; a photo of more is an accident or an attack.
MAX_PIXELS = 100_000_000
EXIF_ORIENTATION = 0x0112

# Sizes are checked here, before any decoding, with a message of our own.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False


class BadImage(LabError):
    """A file that cannot be used as a photo; `kind` is one word, the text the reason."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind


@dataclasses.dataclass(frozen=True)
class ImageHeader:
    """What the header of a photo says.

    Attributes:
        width, height: int, pixels as stored (before EXIF rotation).
        notes: tuple of str out of 'grey', 'palette', 'CMYK', '16-bit', 'alpha', 'EXIF-rotated',
            'extension': unusual, but handled.
    """

    width: int
    height: int
    notes: tuple


def read_file(path):
    """Return the bytes of a file (paths may hold any characters).

    Raises:
        BadImage: the file is unreadable or empty.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise BadImage("unreadable", f"cannot be read: {error.strerror}") from error
    if not data:
        raise BadImage("empty", "is empty (0 bytes)")
    return data


def read_header(data, name=""):
    """Look at a photo's header without decoding it.

    Args:
        data: bytes of the file.
        name: file name, to notice an extension that does not fit.

    Returns:
        ImageHeader.

    Raises:
        BadImage: not an image, another format, animated, or enormous.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
            frames = getattr(image, "n_frames", 1)
    except UnidentifiedImageError:
        raise BadImage("not-an-image", "is not an image") from None
    except Exception as error:  # Pillow's parsers raise many types on damaged headers
        raise BadImage("truncated", f"has a damaged header ({error})") from None
    width, height = image.size
    if image.format not in FORMATS:
        kind = "animated" if frames > 1 else "format"
        what = f"an animated {image.format} of {frames} frames" if frames > 1 else image.format
        raise BadImage(kind, f"is {what}; expected JPEG, PNG, BMP or WebP")
    if frames > 1 and image.format != "MPO":
        raise BadImage("animated", f"is an animation of {frames} frames; expected a still photo")
    if width * height > MAX_PIXELS:
        raise BadImage("enormous", f"has {width}x{height} pixels; at most {MAX_PIXELS:,} are read")
    return ImageHeader(width, height, _notes(image, name))


def _notes(image, name):
    notes = []
    if image.mode in ("L", "1", "LA"):
        notes.append("grey")
    if image.mode == "P":
        notes.append("palette")
    if image.mode == "CMYK":
        notes.append("CMYK")
    if image.mode.startswith(("I", "F")):
        notes.append("16-bit")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        notes.append("alpha")
    if _orientation(image) in range(2, 9):
        notes.append("EXIF-rotated")
    extension = os.path.splitext(name)[1].lower()
    expected = {"JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg"), "PNG": (".png",),
                "BMP": (".bmp",), "WEBP": (".webp",)}[image.format]
    if extension and extension not in expected:
        notes.append("extension")
    return tuple(notes)


def _orientation(image):
    """Return the EXIF orientation, 1 to 8; 1 where there is none or the EXIF block is damaged."""
    exif = Image.Exif()
    # Not image.getexif(): for a PNG it decodes the whole file.
    with contextlib.suppress(Exception):  # a damaged block raises many types
        exif.load(image.info.get("exif", b""))
        return exif.get(EXIF_ORIENTATION, 1)
    return 1


def decode(data, strict=False):
    """Decode a photo to upright RGB pixels.

    Transparency is laid on white, 16 bits are scaled to 8, EXIF rotation is applied.

    Args:
        data: bytes of a JPEG, PNG, BMP or WebP file.
        strict: also refuse a JPEG that ends too early (slower; the scan before extraction does it
            once, so extraction need not).

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous.

    Raises:
        BadImage: the file cannot be decoded.
    """
    header = read_header(data)
    if strict:
        _decode_strictly(data)
    # OpenCV turns JPEG and PNG upright, but not WebP.
    turned = "EXIF-rotated" in header.notes and data[8:12] == b"WEBP"
    if turned or {"CMYK", "16-bit", "alpha", "palette"} & set(header.notes):
        return _decode_with_pillow(data)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise BadImage("truncated", "cannot be decoded")
    return image


def _decode_strictly(data):
    try:
        Image.open(io.BytesIO(data)).load()
    except Exception as error:  # as in read_header
        raise BadImage("truncated", f"is damaged or truncated ({error})") from None


def _decode_with_pillow(data):
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        if image.mode.startswith(("I", "F")):
            values = np.asarray(image, np.float32)
            image = Image.fromarray(np.clip(values / 257, 0, 255).round().astype(np.uint8))
        if image.mode in ("RGBA", "LA", "PA", "P"):
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image)
        return np.ascontiguousarray(np.asarray(image.convert("RGB")))
    except Exception as error:
        raise BadImage("truncated", f"is damaged or truncated ({error})") from None


def load_rgb(path):
    """Read and decode one file: (H, W, 3) uint8 RGB.

    Raises:
        BadImage: see `read_file` and `decode`; the text begins with the path.
    """
    try:
        return decode(read_file(path))
    except BadImage as error:
        raise BadImage(error.kind, f"{path} {error}") from None
