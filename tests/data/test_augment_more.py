"""Random affine maps and random erasing; and that nothing changes where they are off."""
import dataclasses

import numpy as np
import pytest

from src_mindspore.data.augment import (
    AugmentSpec,
    augment,
    random_affine,
    random_erasing,
    rng_for,
)
from src_mindspore.data.preprocess import PreprocessSpec

SPEC = PreprocessSpec(48, 48, 0)


class Fixed:
    """Stands in for a generator that draws what a test wants, zoom before shear."""

    def __init__(self, angle, right, down, *further):
        self.moves, self.draws = (right, down), [angle, *further]

    def uniform(self, low, high, size=None):
        return np.array(self.moves) if size else self.draws.pop(0)


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def test_quarter_turns_are_exact(photo):
    square = photo[:48, :48]
    for quarter in (1, 2, 3):
        turned = random_affine(square, AugmentSpec(), Fixed(90 * quarter, 0, 0))
        assert np.abs(turned.astype(int) - np.rot90(square, quarter)).max() <= 1


def test_a_shift_moves_by_its_part_of_the_side(photo):
    moved = random_affine(photo, AugmentSpec(), Fixed(0, 0.1, -0.05))  # 8 right, 3 up
    assert np.array_equal(moved[:-3, 8:], photo[3:, :-8])
    # What came in from outside is the mirrored border.
    assert np.array_equal(moved[:-3, 7], photo[3:, 1])


def marked(*places):
    """A dark 101 x 101 view with bright 3 x 3 spots at (row, column) from the middle."""
    view = np.zeros((101, 101, 3), np.uint8)
    for row, column in places:
        view[49 + row:52 + row, 49 + column:52 + column] = 255
    return view


def spot_of(view):
    """The centre of what is bright, as (row, column) from the middle."""
    return np.average(np.argwhere(view[..., 0] >= 0) - 50.0, axis=0, weights=view[..., 0].ravel())


def test_a_zoom_moves_away_from_the_middle():
    spec = AugmentSpec(zoom=0.5)
    assert spot_of(random_affine(marked((-20, 10)), spec, Fixed(0, 0, 0, 0.5))) \
        == pytest.approx((-30, 15), abs=0.1)
    assert spot_of(random_affine(marked((-20, 30)), spec, Fixed(0, 0, 0, -0.2))) \
        == pytest.approx((-16, 24), abs=0.1)


def test_a_shear_leans_upright_lines():
    """45 degrees move a row by its distance from the middle; the middle row stays."""
    spec = AugmentSpec(shear=45)
    for place, expected in (((0, 25), (0, 25)), ((20, 0), (20, 20)), ((-15, 5), (-15, -10))):
        assert spot_of(random_affine(marked(place), spec, Fixed(0, 0, 0, 45))) \
            == pytest.approx(expected, abs=0.1)
    # With a quarter turn the leaning comes first: it is the photo that leans, not the frame.
    assert spot_of(random_affine(marked((20, 0)), spec, Fixed(90, 0, 0, 45))) \
        == pytest.approx((-20, 20), abs=0.1)


def test_angles_and_shifts_stay_within_their_bounds():
    """A white photo stays white; a marked middle moves by no more than asked."""
    dark = np.zeros((101, 101, 3), np.uint8)
    dark[49:52, 49:52] = 255
    places = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        view = random_affine(dark, AugmentSpec(rotation=30, shift=0.05), rng)
        places.append(np.argwhere(view[..., 0] > 100).mean(axis=0) - 50)
    places = np.abs(places)
    assert places.max() <= 0.05 * 101 + 1
    assert places.max() > 3


@pytest.mark.parametrize("seed", range(10))
def test_erasing_fills_one_box_of_the_stated_size(seed):
    # 255 drawn by chance leaves holes in the mask, not in its outline.
    white = np.full((50, 70, 3), 255, np.uint8)
    erased = random_erasing(white, np.random.default_rng(seed))
    assert (white == 255).all()
    changed = (erased != 255).any(axis=2)
    rows, columns = np.nonzero(changed)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert 0.015 <= height * width / 3500 <= 0.42
    assert 0.25 <= height / width <= 4
    assert changed[rows.min():rows.max() + 1, columns.min():columns.max() + 1].mean() > 0.99


def test_erasing_comes_as_often_as_asked(photo):
    plain = AugmentSpec(flip=0.5)
    some = AugmentSpec(flip=0.5, erasing=0.3)
    different = [not np.array_equal(augment(photo, SPEC, plain, rng_for(1, "a", n)),
                                    augment(photo, SPEC, some, rng_for(1, "a", n)))
                 for n in range(200)]
    assert np.mean(different) == pytest.approx(0.3, abs=0.1)


def test_what_is_off_changes_neither_the_key_nor_the_picture(photo):
    """Keys of caches made before these existed stay valid."""
    assert AugmentSpec().to_dict() == {
        "crop_scale": [0.08, 1.0], "crop_ratio": [0.75, 4 / 3], "flip": 0.5, "brightness": 0.4,
        "contrast": 0.4, "saturation": 0.4}
    assert AugmentSpec(rotation=5).to_dict()["rotation"] == 5
    assert AugmentSpec(zoom=0.05, shear=3).to_dict().keys() - AugmentSpec().to_dict().keys() \
        == {"zoom", "shear"}
    # Erasing comes last, so its draws leave those before it as they were.
    one = augment(photo, SPEC, AugmentSpec(), rng_for(1, "a", 1))
    two = augment(photo, SPEC, AugmentSpec(erasing=1e-9), rng_for(1, "a", 1))
    assert np.array_equal(one, two)


def test_a_crop_of_fixed_size_lies_anywhere_in_the_resized_photo():
    spec = PreprocessSpec(10, 10, resize=26, crop=26)
    strengths = AugmentSpec(flip=0, brightness=0, contrast=0, saturation=0, crop_pixels=20)
    assert AugmentSpec(**strengths.to_dict()) == dataclasses.replace(
        strengths, crop_scale=[0.08, 1.0], crop_ratio=[0.75, 4 / 3])
    ramp = np.zeros((26, 40, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = 2 * np.arange(40), 2 * np.arange(26)[:, None]
    seen = set()
    for number in range(300):
        view = augment(ramp, spec, strengths, rng_for(1, "photo", number))
        assert view.shape == (10, 10, 3)
        # Half of 20 pixels: each is the mean of two neighbours.
        left, top = (view[0, 0, :2].astype(int) - 1) // 2
        np.testing.assert_array_equal(
            view[:, :, 0], np.tile(2 * left + 1 + 4 * np.arange(10), (10, 1)))
        seen.add((top, left))
    assert {0, 6} <= {top for top, _ in seen}
    assert {0, 20} <= {left for _, left in seen}


def test_a_photo_smaller_than_the_crop_is_enlarged():
    spec = PreprocessSpec(10, 10, resize=26, crop=26)
    tiny = np.full((3, 2, 3), 90, np.uint8)
    view = augment(tiny, spec, AugmentSpec(brightness=0, contrast=0, saturation=0,
                                           crop_pixels=20), rng_for(1, "tiny", 0))
    np.testing.assert_array_equal(view, np.full((10, 10, 3), 90))
