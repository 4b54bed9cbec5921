import dataclasses

import cv2
import numpy as np
import pytest

from src_mindspore.data.augment import (
    AugmentSpec,
    augment,
    colour_jitter,
    random_resized_crop,
    rng_for,
)
from src_mindspore.data.preprocess import PreprocessSpec, resize

SPEC = PreprocessSpec(image_height=64, image_width=48)
STILL = AugmentSpec((1.0, 1.0), (1.0, 1.0), 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def photo():
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC)


def view(photo, seed=1, path="train/a/1.jpg", number=0, augmentation=None, spec=SPEC):
    return augment(photo, spec, augmentation or AugmentSpec(), rng_for(seed, path, number))


def test_a_view_is_uint8_of_the_backbones_size(photo):
    result = view(photo)
    assert result.shape == (64, 48, 3)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    assert result.std() > 5


def test_a_view_depends_on_seed_path_and_pass_alone(photo):
    before = photo.copy()
    reference = view(photo)
    others = {view(photo, **change).tobytes() for change in (
        {"seed": 2}, {"path": "train/a/2.jpg"}, {"number": 1}, {"path": "val/a/1.jpg"},
        {"path": "训练/蛋壳/1.jpg"})}
    assert len(others | {reference.tobytes()}) == 6
    # Neither what was drawn before nor NumPy's global state has a say.
    np.random.default_rng(5).random(100)
    np.testing.assert_array_equal(view(photo), reference)
    np.testing.assert_array_equal(photo, before)


def test_the_order_of_the_photos_does_not_matter(photo):
    paths = [f"train/a/{number}.jpg" for number in range(6)]
    forwards = {path: view(photo, path=path).tobytes() for path in paths}
    backwards = {path: view(photo, path=path).tobytes() for path in reversed(paths)}
    assert forwards == backwards


def test_no_strength_is_the_identity(photo):
    square = photo[:, :120]
    still = view(square, augmentation=STILL)
    np.testing.assert_array_equal(still, resize(square, 64, 48, "bilinear"))
    np.testing.assert_array_equal(colour_jitter(photo, STILL, np.random.default_rng(0)), photo)


@pytest.mark.parametrize(("low", "high"), [(0.08, 1.0), (0.5, 0.6), (0.7, 0.8)])
def test_crops_keep_to_their_limits(low, high):
    # Colours are coordinates, so that the crop can be read off the result.
    height, width = 200, 250
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(height)[:, None]
    image[..., 1] = np.arange(width)
    spec = dataclasses.replace(STILL, crop_scale=(low, high), crop_ratio=(0.75, 4 / 3))
    rng = np.random.default_rng(3)
    areas, ratios, lefts = [], [], []
    for _ in range(300):
        crop = random_resized_crop(image, 400, 400, spec, rng, "bilinear")
        tall = int(crop[..., 0].max()) - int(crop[..., 0].min()) + 1
        wide = int(crop[..., 1].max()) - int(crop[..., 1].min()) + 1
        areas.append(tall * wide / (height * width))
        ratios.append(wide / tall)
        lefts.append(int(crop[..., 1].min()))
    assert low - 0.02 <= min(areas) <= max(areas) <= high + 0.02
    assert 0.7 <= min(ratios) <= max(ratios) <= 1.4
    if high == 1.0 and low < 0.1:
        assert max(areas) - min(areas) > 0.6
        assert min(lefts) < 5 < 100 < max(lefts)


def test_a_photo_that_no_crop_fits_gives_its_centre():
    image = np.zeros((10, 400, 3), np.uint8)
    image[:, 195:205] = 200
    spec = dataclasses.replace(STILL, crop_scale=(1.0, 1.0))
    crop = random_resized_crop(image, 20, 20, spec, np.random.default_rng(0), "bilinear")
    assert (crop == 200).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 3), (700, 2)])
def test_tiny_and_thin_photos_have_views(size):
    image = np.full((*size, 3), 77, np.uint8)
    result = view(image, augmentation=dataclasses.replace(STILL, crop_scale=(0.08, 1.0)))
    assert result.shape == (64, 48, 3)
    assert (result == 77).all()


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
def test_flips_are_as_frequent_as_asked(photo, probability):
    square = photo[:, :120]
    spec = dataclasses.replace(STILL, flip=probability)
    plain = view(square, augmentation=STILL)
    flipped = 0
    for number in range(400):
        result = view(square, number=number, augmentation=spec)
        is_flipped = np.array_equal(result, plain[:, ::-1])
        assert is_flipped or np.array_equal(result, plain)
        flipped += is_flipped
    # Four standard deviations of a binomial of 400.
    assert abs(flipped / 400 - probability) <= 4 * (probability * (1 - probability) / 400) ** 0.5


def only(**strengths):
    return dataclasses.replace(STILL, **strengths)


def test_brightness_scales_and_clips(photo):
    factors = []
    for seed in range(200):
        result = colour_jitter(photo, only(brightness=0.4), np.random.default_rng(seed))
        middle = (photo > 60) & (photo < 150)
        factors.append((result[middle] / photo[middle].astype(float)).mean())
        np.testing.assert_allclose(result, np.clip(photo * factors[-1], 0, 255), atol=2.5)
    assert 0.58 < min(factors) < 0.65
    assert 1.35 < max(factors) < 1.42


def test_contrast_moves_pixels_from_or_to_the_mean_grey(photo):
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).mean()
    for seed in range(30):
        result = colour_jitter(photo, only(contrast=0.4), np.random.default_rng(seed))
        inner = (photo > 90) & (photo < 160)
        slope = np.polyfit(photo[inner].astype(float) - grey, result[inner].astype(float), 1)[0]
        assert 0.59 < slope < 1.41
        expected = np.clip(grey + slope * (photo - grey), 0, 255)
        np.testing.assert_allclose(result, expected, atol=3)
        # Dark pixels clip at black, they are not mirrored to bright ones.
        assert result[photo < 5].max(initial=0) < 120


def test_saturation_keeps_grey_photos_and_full_strength_can_remove_colour(photo):
    grey = np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    result = colour_jitter(grey, only(saturation=1.0), np.random.default_rng(0))
    np.testing.assert_allclose(result, grey, atol=1)
    spread = [np.ptp(colour_jitter(photo, only(saturation=1.0), np.random.default_rng(s)),
                     axis=2).mean() for s in range(50)]
    plain = np.ptp(photo, axis=2).mean()
    assert min(spread) < 0.2 * plain
    assert max(spread) > 1.3 * plain


def test_a_spec_is_json_able_and_complete():
    values = AugmentSpec().to_dict()
    assert values == {"crop_scale": [0.08, 1.0], "crop_ratio": [0.75, 4 / 3], "flip": 0.5,
                      "brightness": 0.4, "contrast": 0.4, "saturation": 0.4}
