"""Views of a photo and what becomes of the answers about them."""
import numpy as np
import pytest
from scipy.special import softmax

from src_mindspore.data.augment import AugmentSpec
from src_mindspore.data.preprocess import PreprocessSpec, resize_and_crop
from src_mindspore.data.tta import TTASpec

SPEC = PreprocessSpec(32, 32, 0)
TRAINED = AugmentSpec((0.5, 1.0), (0.8, 1.25), 1.0, 0.4, 0.4, 0.4).to_dict()


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)


def test_the_first_view_is_that_of_evaluation_and_flip_adds_its_mirror(photo):
    plain = resize_and_crop(photo, SPEC)
    assert np.array_equal(TTASpec().views_of(photo, SPEC), plain[None])
    both = TTASpec("flip").views_of(photo, SPEC)
    assert np.array_equal(both, np.stack((plain, plain[:, ::-1])))
    views = TTASpec("crops", 5).views_of(photo, SPEC, TRAINED)
    assert views.shape == (5, 32, 32, 3)
    assert np.array_equal(views[0], plain)
    assert all(not np.array_equal(a, b) for a, b in zip(views, views[1:], strict=False))


def test_the_same_photo_has_the_same_views(photo):
    one, two = (TTASpec("crops", 4).views_of(photo, SPEC, TRAINED) for _ in range(2))
    assert np.array_equal(one, two)


def test_colours_are_left_alone():
    """Of a photo of one colour every view is that colour, though training changed it."""
    grey = np.full((40, 40, 3), (200, 30, 90), np.uint8)
    views = TTASpec("crops", 8).views_of(grey, SPEC, TRAINED)
    assert (views == (200, 30, 90)).all()


def test_answers_are_averaged_as_said():
    logits = np.random.default_rng(1).normal(0, 4, (3, 5, 4))
    np.testing.assert_allclose(softmax(TTASpec("flip").combine(logits), axis=1),
                               softmax(logits, axis=2).mean(axis=0))
    np.testing.assert_allclose(TTASpec("flip", average="logits").combine(logits),
                               logits.mean(axis=0))
    one = logits[:1]
    np.testing.assert_array_equal(TTASpec().combine(one), one[0])
    assert np.isfinite(TTASpec("flip").combine(np.array([[[0, 2000.0]], [[0, 2000.0]]]))).all()


@pytest.mark.parametrize("wrong", [{"kind": "rotate"}, {"average": "labels"}, {"views": 1}])
def test_a_spec_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="Received"):
        TTASpec(**wrong)
