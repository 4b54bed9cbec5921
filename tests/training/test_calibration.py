"""Temperature scaling finds the temperature that logits were scaled by."""
import numpy as np
import pytest
from scipy.special import softmax

from src_mindspore.training.calibration import HIGHEST, LOWEST, fit_temperature


def calibrated(n=20_000, classes=5):
    """Logits, and labels drawn from exactly the probabilities they stand for."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, classes))
    cumulated = softmax(logits, axis=1).cumsum(axis=1)
    labels = (rng.random((n, 1)) > cumulated).sum(axis=1)
    return logits, labels


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_it_undoes_a_scale(scale):
    logits, labels = calibrated()
    assert fit_temperature((logits * scale).astype(np.float32), labels) == pytest.approx(
        scale, rel=0.03)


def test_a_split_without_a_mistake_stays_within_bounds():
    logits = np.eye(4, dtype=np.float32)
    assert fit_temperature(logits, np.arange(4)) == pytest.approx(LOWEST, rel=0.01)
    assert fit_temperature(logits, np.roll(np.arange(4), 1)) == pytest.approx(HIGHEST, rel=0.01)
