import dataclasses
import json

import cv2
import numpy as np
import pytest

from src_mindspore.data.preprocess import (
    PreprocessSpec,
    normalise,
    preprocess,
    resize,
    resize_and_crop,
)

PLAIN = PreprocessSpec(image_height=2, image_width=2, resize=0, mean=(10, 20, 30), std=(2, 4, 5))


def ramp(height, width):
    """Red grows with the row, green with the column: positions can be read from the colours."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 250, height).round()[:, None]
    image[..., 1] = np.linspace(0, 250, width).round()
    return image


def test_golden_tensor():
    image = np.array([[[10, 20, 30], [12, 24, 35]], [[0, 0, 0], [255, 255, 255]]], np.uint8)
    expected = np.array([[[0, 1], [-5, 122.5]], [[0, 1], [-5, 58.75]], [[0, 1], [-6, 45]]],
                        np.float32)
    result = preprocess(image, PLAIN)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected, atol=2e-5)
    bgr = preprocess(image, dataclasses.replace(PLAIN, channel_order="BGR"))
    # Blue comes first, and mean and std are given in that order.
    np.testing.assert_allclose(bgr[:, 0, 1], [(35 - 10) / 2, (24 - 20) / 4, (12 - 30) / 5],
                               atol=2e-5)


def test_golden_tensor_with_resize_and_crop():
    # 4 x 8 pixels; the short side stays 4, the middle 4 x 4 are columns 2 to 5.
    image = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    spec = PreprocessSpec(4, 4, 4, mean=(0, 0, 0), std=(1, 1, 1))
    np.testing.assert_array_equal(preprocess(image, spec),
                                  image[:, 2:6].transpose(2, 0, 1).astype(np.float32))
    # Halved: each result is the mean of 2 x 2 pixels, for both methods.
    spec = PreprocessSpec(2, 2, 2, mean=(0, 0, 0), std=(1, 1, 1))
    blocks = image.astype(np.float32).reshape(2, 2, 4, 2, 3).mean((1, 3))[:, 1:3]
    for method in ("area", "bilinear"):
        result = preprocess(image, dataclasses.replace(spec, interpolation=method))
        np.testing.assert_allclose(result, blocks.transpose(2, 0, 1), atol=0.51)


def test_the_usual_specs_map_black_grey_and_white_as_published():
    pixels = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    imagenet = normalise(pixels, PreprocessSpec())
    np.testing.assert_allclose(imagenet[:, 0, 0], [-2.1179, -2.0357, -1.8044], atol=1e-4)
    np.testing.assert_allclose(imagenet[:, 0, 1], [2.2489, 2.4286, 2.6400], atol=1e-4)
    keras = normalise(pixels, PreprocessSpec(mean=(127.5,) * 3, std=(127.5,) * 3))
    np.testing.assert_allclose(keras[:, 0], [[-1, 1]] * 3, atol=1e-6)


def test_normalising_a_batch_is_normalising_each():
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    batch = normalise(images, PLAIN)
    assert batch.shape == (3, 3, 5, 7)
    for one, image in zip(batch, images, strict=True):
        np.testing.assert_array_equal(one, normalise(image, PLAIN))


@pytest.mark.parametrize(("height", "width"), [(300, 500), (500, 300), (256, 256), (300, 301)])
def test_the_crop_is_the_centre_of_landscape_and_portrait(height, width):
    image = resize_and_crop(ramp(height, width), PreprocessSpec())
    assert image.shape == (224, 224, 3)
    scale = 256 / min(height, width)
    for channel, side in ((0, height), (1, width)):
        line = image[112, :, 1] if channel else image[:, 112, 0]
        assert abs(line.astype(float).mean() - 125) < 2
        seen = 250 * 223 / (side * scale)
        assert abs(int(line[-1]) - int(line[0]) - seen) < 3


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (3, 400), (224, 224), (5, 5)])
@pytest.mark.parametrize("short", [0, 256])
@pytest.mark.parametrize("method", ["area", "bilinear"])
def test_any_size_becomes_the_input(size, short, method):
    colour = np.array([10, 100, 200], np.uint8)
    image = np.broadcast_to(colour, (*size, 3)).copy()
    spec = PreprocessSpec(resize=short, interpolation=method)
    result = resize_and_crop(image, spec)
    assert result.shape == (224, 224, 3)
    assert (result == colour).all()
    assert preprocess(image, spec).shape == (3, 224, 224)


def test_a_small_short_side_still_covers_the_input():
    spec = PreprocessSpec(image_height=300, image_width=260, resize=256)
    assert resize_and_crop(ramp(280, 400), spec).shape == (300, 260, 3)


def test_without_a_crop_everything_is_seen():
    result = resize_and_crop(ramp(400, 700), PreprocessSpec(resize=0))
    assert result[:3, :, 0].max() < 5
    assert result[-3:, :, 0].min() > 245
    assert result[:, -3:, 1].min() > 245


def test_area_averages_where_bilinear_aliases():
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::8] = 255  # one column in eight is white: mean 31.9
    area = resize(stripes, 100, 100, "area")
    bilinear = resize(stripes, 100, 100, "bilinear")
    assert np.abs(area.astype(float) - 31.9).max() < 1
    assert np.abs(bilinear.astype(float) - 31.9).min() > 20
    small = ramp(20, 30)
    np.testing.assert_array_equal(resize(small, 224, 224, "area"),
                                  cv2.resize(small, (224, 224), interpolation=cv2.INTER_LINEAR))


def test_an_image_of_the_right_size_is_not_touched():
    image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_and_crop(image, PreprocessSpec(resize=0)), image)


def test_the_photo_itself_is_never_changed():
    image = ramp(300, 300)
    before = image.copy()
    preprocess(image, PreprocessSpec(channel_order="BGR"))
    preprocess(image, PreprocessSpec(image_height=300, image_width=300, resize=0))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("wrong", [
    np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((3, 8, 8), np.uint8),
    np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 3), bool), np.zeros((0, 8, 3), np.uint8),
    np.zeros((1, 8, 8, 3), np.uint8), [[[0, 0, 0]]], None, "photo.jpg"])
def test_what_is_no_photo_is_refused(wrong):
    with pytest.raises(ValueError, match=r"uint8 array of shape \(H, W, 3\). Received"):
        preprocess(wrong, PreprocessSpec())


@pytest.mark.parametrize("wrong", [
    {"interpolation": "cubic"}, {"channel_order": "rgb"}, {"std": (1, 0, 1)}, {"std": (1, 1)},
    {"mean": (1, 2, 3, 4)}, {"std": (1, -1, 1)}])
def test_a_wrong_spec_is_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        PreprocessSpec(**wrong)


def test_a_spec_travels_as_json():
    spec = PreprocessSpec(200, 210, 220, "area", "BGR", (1, 2, 3), (4, 5, 6))
    again = PreprocessSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert hash(again) == hash(spec)
    assert spec.describe() != dataclasses.replace(spec, resize=0).describe()
    assert "220" in spec.describe()
    with pytest.raises(TypeError):
        PreprocessSpec.from_dict({"unknown": 1})


def test_a_crop_of_its_own_size_is_shrunk_to_the_input():
    spec = PreprocessSpec(10, 10, resize=26, crop=20, interpolation="area")
    image = np.random.default_rng(0).integers(0, 256, (52, 78, 3), np.uint8)
    small = cv2.resize(image, (39, 26), interpolation=cv2.INTER_AREA)[3:23, 9:29]
    np.testing.assert_array_equal(resize_and_crop(image, spec),
                                  cv2.resize(small, (10, 10), interpolation=cv2.INTER_AREA))
    with pytest.raises(ValueError, match="crop must lie between 0 and resize"):
        PreprocessSpec(10, 10, resize=26, crop=30)
    assert "resize_short(26)|center_crop(20x20)|resize(10x10)" in spec.describe()


def test_each_photo_is_standardised_by_itself():
    spec = PreprocessSpec(8, 8, resize=0, standardise=True)
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), np.uint8)
    images[1] //= 4
    images[2] = 77
    out = normalise(images, spec)
    for photo in out[:2]:
        assert photo.mean() == pytest.approx(0, abs=1e-5)
        assert photo.std() == pytest.approx(1, abs=1e-5)
    assert not out[2].any()
    for one, photo in zip(images, out, strict=True):
        np.testing.assert_array_equal(normalise(one, spec), photo)
    expected = (images[0].astype(float) - images[0].mean()) / images[0].std()
    np.testing.assert_allclose(out[0], expected.transpose(2, 0, 1), atol=1e-5)


def test_what_is_off_leaves_the_contract_as_it_was():
    plain = PreprocessSpec()
    assert {"crop", "standardise"}.isdisjoint(plain.to_dict())
    spec = PreprocessSpec(100, 100, 260, crop=200, standardise=True)
    assert PreprocessSpec.from_dict(spec.to_dict()) == spec
    assert "standardise_each" in spec.describe()
