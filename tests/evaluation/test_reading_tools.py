"""The tools for reading a network: neighbours, plane, reliability, rejection, feature maps."""
import cv2
import numpy as np
import pytest
from PIL import Image

from src_mindspore.data.classes import ClassNames
from src_mindspore.errors import LabError
from src_mindspore.evaluation.explanation import cover
from src_mindspore.evaluation.feature_maps import liveliest, plot_feature_maps
from src_mindspore.evaluation.feature_plane import plane, plot_plane
from src_mindspore.evaluation.metrics import expected_calibration_error
from src_mindspore.evaluation.neighbours import nearest, plot_neighbours
from src_mindspore.evaluation.rejection import (
    plot_rejection,
    refused,
    separation,
    threshold_keeping,
)
from src_mindspore.evaluation.reliability import plot_reliability, reliability

CLASSES = ClassNames(("a", "b"), ("Hats", "Cans"), ("帽子", "易拉罐"))


def clusters(n=20, seed=0):
    """Return ((2n, 8), (2n,)): two classes of features, each loud in its own half."""
    rng = np.random.default_rng(seed)
    features = rng.uniform(0, 0.3, (2 * n, 8))
    features[:n, :4] += 1
    features[n:, 4:] += 1
    return features, np.repeat((0, 1), n)


def test_nearest_neighbours_are_the_most_similar_and_ignore_brightness():
    features, labels = clusters()
    numbers, similarity = nearest(features[::5] * 3, features, 4)
    assert (numbers[:, 0] == np.arange(0, 40, 5)).all(), "a photo is its own nearest"
    np.testing.assert_allclose(similarity[:, 0], 1, atol=1e-9)
    assert (labels[numbers] == labels[::5, None]).all()
    assert (np.diff(similarity, axis=1) <= 0).all()
    one = np.array([[4.0, 0]])
    numbers, similarity = nearest(one, np.array([[0.0, 1], [1, 1], [1, 0]]), 3)
    assert numbers[0].tolist() == [2, 1, 0]
    np.testing.assert_allclose(similarity[0], [1, 0.5**0.5, 0], atol=1e-5)


def test_the_plane_keeps_neighbours_and_repeats_itself():
    features, labels = clusters()
    points = plane(features, perplexity=8, seed=1)
    distances = ((points[:, None] - points)**2).sum(2) + 1e9 * np.eye(40)
    assert (labels[distances.argmin(1)] == labels).mean() > 0.95
    np.testing.assert_array_equal(points, plane(features, perplexity=8, seed=1))
    with pytest.raises(LabError, match="40 photos cannot be laid out with perplexity 40"):
        plane(features, perplexity=40)


def test_reliability_counts_right_answers_by_probability():
    confidence = np.array([0.95, 0.91, 0.55, 0.60, 0.51, 0.1])
    right = np.array([True, True, True, False, False, False])
    lowest, middle, highest = reliability(confidence, right)
    assert (lowest.n, middle.n, highest.n) == (1, 3, 2), "0.60 belongs to what ends at 0.60"
    assert (middle.correct, highest.accuracy) == (1, 1.0)
    assert middle.confidence == pytest.approx((0.55 + 0.60 + 0.51) / 3)
    assert middle.interval[0] < 1 / 3 < middle.interval[1]
    stretches = reliability(confidence, right, 10)
    gap = sum(abs(b.correct - b.n * b.confidence) for b in stretches) / len(right)
    assert gap == pytest.approx(expected_calibration_error(confidence, right, 10))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.95, 1.0])
def test_the_threshold_answers_as_many_as_asked_and_is_the_largest_that_does(share):
    scores = np.random.default_rng(3).uniform(size=40)
    threshold = threshold_keeping(scores, share)
    assert (scores >= threshold).mean() >= share
    above = np.nextafter(threshold, 2)
    assert (scores >= above).mean() < share


def test_a_threshold_needs_scores_and_a_share():
    for scores, share in (([], 0.5), ([0.3], 0), ([0.3], 1.1)):
        with pytest.raises(ValueError, match="a threshold needs"):
            threshold_keeping(scores, share)


def test_separation_and_refusal():
    assert separation(np.array([3.0, 4]), np.array([1.0, 2])) == 1
    assert separation(np.array([1.0, 2]), np.array([1.0, 2])) == 0.5
    share, (low, high) = refused(np.array([0.1, 0.2, 0.8, 0.9]), 0.8)
    assert share == 0.5, "at the threshold it is answered"
    assert low < 0.5 < high


def test_the_hottest_and_the_coldest_part_are_covered():
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    hot, cold = cover(image, heat, 1 / 16), cover(image, heat, 0.5, hottest=False)
    changed = (hot != image).any(2)
    assert changed.sum() <= 100
    assert changed[:10, :10].sum() > 85
    assert (cold != image).any(2)[:10, :10].sum() == 0
    assert (cover(image, heat, 0) == image).all()


def test_channels_that_say_nothing_are_not_shown():
    maps = np.zeros((4, 3, 3))
    maps[0] = 9  # bright, but the same everywhere
    maps[2, 1, 1], maps[3, 0, 0] = 5, 2
    assert liveliest(maps, 2).tolist() == [2, 3]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pictures_are_drawn_with_every_glyph(tmp_path, language, recwarn):
    features, labels = clusters()
    photo = np.full((50, 70, 3), (40, 90, 200), np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo[..., ::-1])
    confidence, right = np.linspace(0.2, 1, 40), np.arange(40) % 3 > 0
    drawn = {}
    for name, plot, *values in (
            ("plane", plot_plane, np.random.default_rng(0).normal(size=(40, 2)), labels, CLASSES),
            ("maps", plot_feature_maps, photo, {"features.1": features[:8].reshape(8, 4, 2)}),
            ("reliability", plot_reliability, {"T = 1": (confidence, right)}),
            ("rejection", plot_rejection, {"p": (confidence, confidence / 2, 0.5)}),
            ("neighbours", plot_neighbours, [("photo.png", 0)],
             [[("photo.png", 0, 0.9), ("photo.png", 1, 0.8)]], tmp_path, CLASSES)):
        path = tmp_path / f"{name}.png"
        plot(*values, path=path, language=language)
        with Image.open(path) as picture:
            drawn[name] = np.asarray(picture.convert("RGB"), int)
    assert not [w for w in recwarn if "missing from" in str(w.message)]
    blue = (np.abs(drawn["neighbours"] - (40, 90, 200)).max(2) < 12).sum()
    assert blue > 3 * 100 * 100, "the photo and two neighbours"
    assert all(picture.std() > 10 for picture in drawn.values())
