"""The loss and its gradient against NumPy."""
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

N, C = 7, 5


@pytest.fixture
def sample():
    rng = np.random.default_rng(3)
    return rng.normal(0, 3, (N, C)).astype(np.float32), rng.integers(0, C, N).astype(np.int32)


def smoothed(labels, smoothing):
    return np.eye(C)[labels] * (1 - smoothing) + smoothing / C


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_value_and_gradient(mindspore, sample, smoothing):
    from src_mindspore.training.losses import SoftmaxCrossEntropy
    logits, labels = sample
    loss = SoftmaxCrossEntropy(C, smoothing)
    value, gradient = mindspore.value_and_grad(loss, grad_position=0)(
        mindspore.Tensor(logits), mindspore.Tensor(labels))
    targets = smoothed(labels, smoothing)
    expected = -(targets * log_softmax(logits.astype(np.float64), axis=1)).sum() / N
    assert float(value.asnumpy()) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(
        gradient.asnumpy(), (softmax(logits.astype(np.float64), axis=1) - targets) / N, atol=1e-6)


def test_large_logits_stay_finite(mindspore):
    from src_mindspore.training.losses import SoftmaxCrossEntropy
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    value = SoftmaxCrossEntropy(2)(mindspore.Tensor(logits),
                                   mindspore.Tensor(np.array([0, 0], np.int32)))
    assert float(value.asnumpy()) == pytest.approx(1e4)


def test_equal_logits_cost_the_logarithm_of_the_classes(mindspore):
    from src_mindspore.training.losses import SoftmaxCrossEntropy
    for smoothing in (0.0, 0.3):
        value = SoftmaxCrossEntropy(C, smoothing)(
            mindspore.Tensor(np.ones((N, C), np.float32)),
            mindspore.Tensor(np.zeros(N, np.int32)))
        assert float(value.asnumpy()) == pytest.approx(np.log(C), rel=1e-5)
