"""Temperature scaling: probabilities that mean what they say, without changing a prediction.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (arXiv:1706.04599). Label
smoothing makes a head under-confident; one number, fitted on val, mends it.
"""
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

# Outside these bounds the split is too small or too easy to say anything.
LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits, labels):
    """Return the temperature T for which softmax(logits / T) has the least cross-entropy.

    Args:
        logits: (N, C) float32.
        labels: (N,) int, positions in C.

    Returns:
        float in [LOWEST, HIGHEST].
    """
    logits = logits.astype(np.float64)
    rows = np.arange(len(labels))

    def loss(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean()

    result = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(result.x))
