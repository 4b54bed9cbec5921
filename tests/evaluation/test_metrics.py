"""Metrics against published values, SciPy, scikit-learn and cases worked by hand."""
import json

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from src_mindspore.data.classes import ClassNames
from src_mindspore.errors import LabError
from src_mindspore.evaluation.metrics import (
    evaluate,
    expected_calibration_error,
    wilson_interval,
)
from src_mindspore.evaluation.predictions import Predictions


def _predictions(labels, logits):
    names = tuple(f"c{i:02d}" for i in range(np.shape(logits)[1]))
    paths = tuple(f"val/{i}.jpg" for i in range(len(labels)))
    return Predictions(paths, labels, logits, ClassNames(names, names, names), "photos")


def _random(n=400, classes=7, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes))
    logits[np.arange(n), labels] += 1.2
    return _predictions(labels, logits)


@pytest.mark.parametrize(("correct", "n"), [(126, 130), (122, 130), (0, 5), (5, 5), (1, 1), (1, 3),
                                            (4999, 10000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_agrees_with_scipy(correct, n, confidence):
    expected = stats.binomtest(correct, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(correct, n, confidence) == pytest.approx(
        (expected.low, expected.high), abs=1e-9)


def test_wilson_published_values():
    low, high = wilson_interval(126, 130)
    assert (round(100 * low, 1), round(100 * high, 1)) == (92.4, 98.8)
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 15 of 148, 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_wilson_without_photos_and_with_nonsense():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="between 0 and n=3"):
        wilson_interval(4, 3)


def test_agrees_with_scikit_learn():
    predictions = _random()
    result = evaluate(predictions)
    labels, predicted = predictions.labels, predictions.predicted
    assert result["top1"] == pytest.approx(reference.accuracy_score(labels, predicted))
    assert result["top5"] == pytest.approx(
        reference.top_k_accuracy_score(labels, predictions.logits, k=5))
    assert result["macro_f1"] == pytest.approx(
        reference.f1_score(labels, predicted, average="macro"))
    assert result["loss"] == pytest.approx(reference.log_loss(labels, predictions.probabilities))
    assert result["confusion"] == reference.confusion_matrix(labels, predicted).tolist()
    assert [row["recall"] for row in result["per_class"]] == pytest.approx(
        reference.recall_score(labels, predicted, average=None))
    assert sum(row["correct"] for row in result["per_class"]) == result["correct"]


def test_result_is_json_without_nan():
    result = evaluate(_predictions([0, 1], np.eye(3)[:2]))
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_absent_class_is_none_and_left_out_of_macro_f1():
    # Class 2 has no photo but takes one of class 0; class 3 neither occurs nor is predicted.
    result = evaluate(_predictions([0, 0, 1, 1], np.eye(4)[[0, 2, 1, 1]]))
    absent, unseen = result["per_class"][2:]
    assert (absent["n"], absent["recall"], absent["f1"]) == (0, None, None)
    assert absent["precision"] == 0.0
    assert (unseen["recall"], unseen["precision"], unseen["f1"]) == (None, None, None)
    assert result["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_class_that_is_never_predicted_counts_as_zero():
    result = evaluate(_predictions([0, 1], np.eye(2)[[0, 0]]))
    never = result["per_class"][1]
    assert (never["recall"], never["precision"], never["f1"]) == (0.0, None, 0.0)
    assert result["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_top5_of_three_classes_is_always_right():
    result = evaluate(_predictions([0, 1, 2], np.eye(3)[[1, 2, 0]]))
    assert (result["top1"], result["top5"]) == (0.0, 1.0)


def test_ties_go_to_the_first_class_in_top1_and_top5():
    logits = np.zeros((2, 7))
    result = evaluate(_predictions([0, 5], logits))
    # The first five of seven equal classes hold 0 but not 5.
    assert (result["top1"], result["top5"]) == (0.5, 0.5)
    assert _predictions([0, 5], logits).top(5).tolist() == [[0, 1, 2, 3, 4]] * 2


def test_unknown_truth_is_counted_and_left_out():
    result = evaluate(_predictions([0, -1, 1], np.eye(2)[[0, 0, 0]]))
    assert (result["n"], result["correct"], result["unlabelled"]) == (2, 1, 1)


def test_most_confused_is_sorted():
    labels = [0, 0, 0, 1, 2, 2]
    result = evaluate(_predictions(labels, np.eye(3)[[1, 1, 0, 2, 0, 2]]))
    assert result["most_confused"] == [
        {"truth": "c00", "predicted": "c01", "count": 2},
        {"truth": "c01", "predicted": "c02", "count": 1},
        {"truth": "c02", "predicted": "c00", "count": 1},
    ]


def test_loss_of_large_logits_is_finite():
    result = evaluate(_predictions([0, 1], [[1000.0, 0.0], [1000.0, 0.0]]))
    assert result["loss"] == pytest.approx(500)


def test_calibration_error_by_hand():
    # Two in the bin of 0.8 (one right), two in the bin of 0.6 (both right).
    error = expected_calibration_error(np.array([0.79, 0.79, 0.59, 0.59]),
                                       np.array([True, False, True, True]))
    assert error == pytest.approx(0.5 * 0.29 + 0.5 * 0.41)
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0


@pytest.mark.parametrize("labels", [[], [-1, -1]])
def test_nothing_to_judge(labels):
    with pytest.raises(LabError, match="nothing to evaluate"):
        evaluate(_predictions(labels, np.zeros((len(labels), 3))))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite(value):
    with pytest.raises(LabError, match="val/1.jpg is not a number"):
        evaluate(_predictions([0, 1], [[1, 0], [value, 0]]))


def test_shapes_and_labels_are_checked():
    with pytest.raises(ValueError, match="labels of shape"):
        _predictions([0], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="between -1 and 2"):
        _predictions([3], np.zeros((1, 3)))


def test_predictions_of_no_photo():
    empty = _predictions([], np.zeros((0, 3)))
    assert empty.probabilities.shape == (0, 3)
    assert empty.predicted.shape == empty.confidence.shape == (0,)
