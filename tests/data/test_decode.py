import io

import cv2
import numpy as np
import pytest
from PIL import Image

from src_mindspore.data.decode import BadImage, decode, load_rgb, read_file, read_header
from src_mindspore.errors import LabError

# Four flat quarters: red, green / blue, white; JPEG keeps them within a few levels.
CORNERS = np.array([[[250, 5, 5], [5, 250, 5]], [[5, 5, 250], [245, 245, 245]]], np.uint8)
PHOTO = np.repeat(np.repeat(CORNERS, 24, 0), 32, 1)


def encoded(image=PHOTO, kind="JPEG", **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(("kind", "options", "tolerance"), [
    ("JPEG", {"quality": 97, "subsampling": 0}, 6), ("PNG", {}, 0), ("BMP", {}, 0),
    ("WEBP", {"lossless": True}, 0)])
def test_every_format_decodes_to_rgb(kind, options, tolerance):
    image = decode(encoded(kind=kind, **options))
    assert (image.dtype, image.shape) == (np.uint8, PHOTO.shape)
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - PHOTO).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_stand_upright_whatever_the_camera_noted(orientation):
    # How a camera stores the upright picture under each EXIF orientation.
    stored = {1: PHOTO, 2: PHOTO[:, ::-1], 3: PHOTO[::-1, ::-1], 4: PHOTO[::-1],
              5: PHOTO.transpose(1, 0, 2), 6: np.rot90(PHOTO), 7: np.rot90(PHOTO, 2).transpose(
                  1, 0, 2), 8: np.rot90(PHOTO, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(np.ascontiguousarray(stored), quality=97, subsampling=0, exif=exif.tobytes())
    image = decode(data)
    assert image.shape == PHOTO.shape
    assert np.abs(image.astype(int) - PHOTO).mean() < 3
    assert ("EXIF-rotated" in read_header(data).notes) == (orientation != 1)


def test_grey_and_transparent_photos_become_rgb():
    grey = cv2.cvtColor(PHOTO, cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(decode(encoded(grey, "PNG")), np.dstack([grey] * 3))
    clear = np.dstack([PHOTO, np.zeros(grey.shape, np.uint8)])
    assert (decode(encoded(clear, "PNG")) == 255).all()


@pytest.mark.parametrize(("data", "kind"), [
    (b"no photo", "not-an-image"), (encoded(kind="TIFF"), "format"),
    (encoded(kind="GIF"), "format"), (encoded(kind="PNG")[:60], "truncated")])
def test_what_cannot_be_decoded_is_named(data, kind):
    with pytest.raises(BadImage) as caught:
        decode(data)
    assert caught.value.kind == kind
    assert isinstance(caught.value, LabError)


def test_a_jpeg_that_ends_early_is_refused_where_asked():
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    data = encoded(noise)[:-3000]
    with pytest.raises(BadImage, match="truncated"):
        decode(data, strict=True)
    assert decode(encoded(noise), strict=True).shape == (120, 160, 3)


def test_the_extension_is_compared_with_the_content():
    assert "extension" in read_header(encoded(kind="PNG"), "a.jpg").notes
    assert "extension" not in read_header(encoded(kind="PNG"), "a.PNG").notes
    assert "extension" not in read_header(encoded(), "a.jpeg").notes


def test_messages_begin_with_the_path(tmp_path):
    path = tmp_path / "图片.jpg"
    path.write_bytes(encoded())
    assert load_rgb(path).shape == PHOTO.shape
    path.write_bytes(b"")
    with pytest.raises(BadImage, match=r"图片\.jpg is empty") as caught:
        load_rgb(path)
    assert caught.value.kind == "empty"
    with pytest.raises(BadImage, match=r"none\.jpg cannot be read: No such file"):
        load_rgb(tmp_path / "none.jpg")
    with pytest.raises(BadImage, match="cannot be read"):
        read_file(tmp_path)


def test_a_turned_webp_comes_upright_too():
    image = Image.new("RGB", (80, 40), (10, 200, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    shapes = set()
    for kind in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        image.save(buffer, kind, exif=exif)
        shapes.add(decode(buffer.getvalue()).shape)
    assert shapes == {(80, 40, 3)}
