"""Losses on hard and soft labels against NumPy, and what labels are refused."""
import mindspore as ms
import numpy as np
import pytest
from scipy.special import log_softmax

from src_mindspore.errors import LabError

N, C = 7, 5
WEIGHTS = np.array([0.5, 2.0, 1.0, 0.25, 3.0])


@pytest.fixture
def logits():
    return np.random.default_rng(3).normal(0, 3, (N, C)).astype(np.float32)


def hard(ignored):
    labels = np.random.default_rng(4).integers(0, C, N).astype(np.int32)
    if ignored:
        labels[[1, 5]] = -1
    return labels


def soft(ignored):
    labels = np.random.default_rng(5).dirichlet(np.ones(C), N).astype(np.float32)
    if ignored:
        labels[[1, 5]] = 0
    return labels


def build(kind, smoothing, weights, ignored):
    from src_mindspore.training.focal_loss import FocalLoss
    from src_mindspore.training.joint_loss import JointLoss
    from src_mindspore.training.losses import SoftmaxCrossEntropy
    ignore = -1 if ignored else None
    if kind == "focal":
        return FocalLoss(C, 2.0, smoothing, weights, ignore)
    if kind == "joint":
        return JointLoss(C, 0.3, smoothing, weights, ignore)
    return SoftmaxCrossEntropy(C, smoothing, weights, ignore)


def expected(kind, logits, labels, smoothing, weights):
    """The definitions, in float64."""
    if kind == "joint":
        return 0.3 * expected("cross_entropy", logits, labels, 0.0, weights) \
            + 0.7 * expected("cross_entropy", logits, labels, smoothing, weights)
    if labels.ndim == 1:
        counted = labels >= 0
        targets = np.eye(C)[labels[counted]]
    else:
        counted = labels.sum(axis=1) > 0
        targets = labels[counted].astype(np.float64)
    targets = targets * (np.ones(C) if weights is None else weights)
    # What smoothing spreads weighs as the row does, not as the classes that get it.
    targets = targets * (1 - smoothing) + targets.sum(axis=1, keepdims=True) * smoothing / C
    log_p = log_softmax(logits[counted].astype(np.float64), axis=1)
    factor = (1 - np.exp(log_p))**2 if kind == "focal" else 1
    return -(targets * factor * log_p).sum() / counted.sum()


@pytest.mark.parametrize("labels_of", [hard, soft])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("kind", ["cross_entropy", "focal", "joint"])
def test_value_and_gradient(mindspore, logits, kind, labels_of, weights, ignored):
    labels = labels_of(ignored)
    loss = build(kind, 0.2, weights, ignored)
    value, gradient = mindspore.value_and_grad(loss, grad_position=0)(
        mindspore.Tensor(logits), mindspore.Tensor(labels))
    assert float(value.asnumpy()) == pytest.approx(
        expected(kind, logits, labels, 0.2, weights), rel=2e-5)
    # Central differences of the definition.
    step, slopes = 1e-5, np.zeros((N, C))
    wide = logits.astype(np.float64)
    for place in np.ndindex(N, C):
        moved = np.zeros((N, C))
        moved[place] = step
        slopes[place] = (expected(kind, wide + moved, labels, 0.2, weights)
                         - expected(kind, wide - moved, labels, 0.2, weights)) / (2 * step)
    np.testing.assert_allclose(gradient.asnumpy(), slopes, atol=2e-5)


def test_focal_without_focus_is_cross_entropy(mindspore, logits):
    from src_mindspore.training.focal_loss import FocalLoss
    from src_mindspore.training.losses import SoftmaxCrossEntropy
    labels = mindspore.Tensor(hard(False))
    values = [float(loss(mindspore.Tensor(logits), labels).asnumpy())
              for loss in (FocalLoss(C, 0.0), SoftmaxCrossEntropy(C))]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_focal_stays_finite_where_the_answer_is_certain(mindspore):
    from src_mindspore.training.focal_loss import FocalLoss
    value, gradient = mindspore.value_and_grad(FocalLoss(2, 0.5), grad_position=0)(
        mindspore.Tensor(np.array([[200.0, -200.0]], np.float32)),
        mindspore.Tensor(np.array([0], np.int32)))
    assert np.isfinite(value.asnumpy()).all()
    assert np.isfinite(gradient.asnumpy()).all()


def test_nothing_but_rows_to_leave_out_costs_nothing(mindspore, logits):
    value = build("cross_entropy", 0.1, None, True)(
        mindspore.Tensor(logits), mindspore.Tensor(np.full(N, -1, np.int32)))
    assert float(value.asnumpy()) == 0


def test_smoothing_does_not_teach_a_rare_class_by_the_photos_of_others(mindspore):
    """The best answer to a photo is its own class, however much rarer another one is."""
    from src_mindspore.training.losses import Targets
    weights = np.array([0.5, 0.5, 12.0])
    targets = Targets(3, 0.3, None, weights)
    answer = targets(ms.Tensor(np.array([0, 2], np.int32))).asnumpy()
    np.testing.assert_allclose(answer, [[0.5 * 0.8, 0.5 * 0.1, 0.5 * 0.1],
                                        [12 * 0.1, 12 * 0.1, 12 * 0.8]], rtol=1e-6)
    soft = targets(ms.Tensor(np.eye(3, dtype=np.float32)[[0, 2]])).asnumpy()
    np.testing.assert_allclose(soft, answer, rtol=1e-6)


def test_class_weights_by_hand():
    from src_mindspore.training.class_weights import class_weights
    counts = np.array([6, 375, 40])
    inverse = class_weights("inverse", counts)
    # Every class has the same total weight, and the mean over photos is 1.
    np.testing.assert_allclose(inverse * counts, 421 / 3)
    effective = class_weights("effective", counts, beta=0.99)
    by_hand = [(1 - 0.99) / (1 - 0.99**n) for n in counts]
    np.testing.assert_allclose(effective / effective[0], np.array(by_hand) / by_hand[0])
    assert (effective * counts).sum() == pytest.approx(421)
    np.testing.assert_allclose(class_weights("effective", counts, beta=0.0), 1)
    assert class_weights("none", [0, 3]).tolist() == [1, 1]


def test_a_mixed_photo_counts_as_the_mean_of_its_labels():
    from src_mindspore.training.class_weights import photos_of_classes
    labels = np.array([[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0]])
    counts = photos_of_classes(labels, np.array([4, 4, 7]), 3)
    np.testing.assert_allclose(counts, [0.75, 1.25, 0])


def test_a_class_without_photos_has_no_weight():
    from src_mindspore.training.class_weights import class_weights
    with pytest.raises(LabError, match="Class 1 has no photos"):
        class_weights("inverse", [3, 0, 2])


@pytest.mark.parametrize(("labels", "ignored", "words"), [
    (np.array([[0.5, 0.4], [0.5, 0.5]]), False, "row 0 sum to 0.9.*1 of 2"),
    (np.array([[1.5, -0.5]]), False, "smallest value of -0.5"),
    (np.zeros((1, 2)), False, "sum to 0 "),
    (np.array([[np.nan, 1.0]]), True, "row 0"),
    (np.ones((2, 3)) / 3, False, "expected .N,. classes or .N, 2."),
    (np.array([0, 2]), False, "row 1 is 2; expected a class from 0 to 1"),
    (np.array([-2, 0]), True, "row 0 is -2; expected a class from -1"),
    (np.array([-1, 0]), False, "row 0 is -1"),
])
def test_labels_that_no_loss_can_read(labels, ignored, words):
    from src_mindspore.training.losses import require_labels
    with pytest.raises(LabError, match=words):
        require_labels(labels, 2, ignored)


def test_rows_to_leave_out_are_no_mistake():
    from src_mindspore.training.losses import require_labels
    require_labels(np.array([-1, 1]), 2, ignored=True)
    require_labels(np.array([[0.0, 0.0], [0.25, 0.75]]), 2, ignored=True)
