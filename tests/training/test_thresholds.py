"""Thresholds keep the precision they promise; room follows from the distribution of classes."""
import numpy as np
import pytest

from src_mindspore.training.thresholds import accept, class_room, class_thresholds


def answers(right, confidence, predicted, classes=2):
    """(N, C) probabilities and (N,) labels of answers that are right or not."""
    confidence, predicted = np.asarray(confidence, float), np.asarray(predicted)
    probabilities = np.tile(((1 - confidence) / (classes - 1))[:, None], (1, classes))
    probabilities[np.arange(len(predicted)), predicted] = confidence
    return probabilities, np.where(right, predicted, (predicted + 1) % classes)


def test_a_class_that_errs_needs_more_confidence():
    """Class 0 is always right; class 1 is wrong below 0.9."""
    confidence = np.tile(np.linspace(0.6, 0.999, 100), 2)
    predicted = np.repeat([0, 1], 100)
    right = (predicted == 0) | (confidence > 0.9)
    thresholds = class_thresholds(*answers(right, confidence, predicted), (0.99, 0.9))
    assert thresholds[0, 0] < thresholds[0, 1]
    assert 0.88 < thresholds[0, 1] < 0.92
    assert thresholds[1, 1] < thresholds[0, 1]
    # Class 0 borrows the errors of all classes, so it is not open down to the last photo for 0.99.
    assert 0.6 <= thresholds[1, 0] < thresholds[0, 0] < 0.9


@pytest.mark.parametrize("seed", range(3))
def test_precision_above_the_threshold_is_what_was_wanted(seed):
    rng = np.random.default_rng(seed)
    n, classes = 4000, 5
    confidence = rng.uniform(0.3, 1, n)
    right = rng.random(n) < confidence
    probabilities, labels = answers(right, confidence, rng.integers(0, classes, n), classes)
    levels = (0.95, 0.85)
    thresholds = class_thresholds(probabilities, labels, levels)
    assert np.isfinite(thresholds).all()
    assert (thresholds[1] <= thresholds[0]).all()
    for level, wanted in enumerate(levels):
        numbers, taken_for, _ = accept(probabilities, thresholds[level:level + 1],
                                       np.full(classes, n))
        assert len(numbers) > 100
        assert (labels[numbers] == taken_for).mean() >= wanted - 0.03


def test_a_class_that_is_never_right_stays_closed():
    confidence = np.tile([0.9, 0.95, 0.99], 20)
    predicted = np.repeat([0, 1], 30)
    thresholds = class_thresholds(*answers(predicted == 0, confidence, predicted), (0.9,))
    assert np.isinf(thresholds[0, 1])
    numbers, _, _ = accept(np.array([[0.001, 0.999]]), thresholds, np.array([9, 9]))
    assert not len(numbers)


def test_room_fills_small_classes_and_lets_large_ones_grow_by_a_share():
    assert class_room([375, 6, 100], 0.5).tolist() == [188, 369, 275]
    assert class_room([10, 10], 0).tolist() == [0, 0]


def test_the_most_confident_are_taken_and_the_strictest_level_named():
    probabilities, _ = answers([True] * 4, [0.99, 0.8, 0.9, 0.7], [0, 0, 0, 1])
    thresholds = np.array([[0.95, 0.95], [0.75, 0.6]])
    numbers, labels, levels = accept(probabilities, thresholds, np.array([2, 5]))
    assert numbers.tolist() == [0, 2, 3]
    assert labels.tolist() == [0, 0, 1]
    assert levels.tolist() == [0, 1, 1]
