"""Stacking: a classifier that learns from what the members said about photos new to them.

Wolpert, "Stacked Generalization", Neural Networks 1992. The level above is a multinomial logistic
regression on the members' log-probabilities, so it is one Dense layer.
"""
import numpy as np
from sklearn.linear_model import LogisticRegression

# Strength of the L2 penalty is 1 / C; M * C^2 weights from few photos need a strong one.
INVERSE_PENALTY = 0.01
# Log-probabilities below this say nothing more.
LEAST_LOG = -12.0


def stack_inputs(probabilities):
    """Return (M, N, C) probabilities as (N, M * C) float64 log-probabilities."""
    logs = np.maximum(np.log(np.maximum(probabilities, 1e-30)), LEAST_LOG)
    return np.concatenate(list(logs), axis=1)


def fit_stack(probabilities, labels):
    """Fit the level above.

    Args:
        probabilities: (M, N, C) float, out of fold.
        labels: (N,) int; every class of C occurs.

    Returns:
        (weights, bias): (C, M * C) and (C,) float64; logits are inputs @ weights.T + bias.
    """
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=2000)
    model.fit(stack_inputs(probabilities), labels)
    if len(model.coef_) == 1:  # two classes: scikit-learn keeps the difference alone
        return np.concatenate((-model.coef_, model.coef_)) / 2, \
            np.concatenate((-model.intercept_, model.intercept_)) / 2
    return model.coef_, model.intercept_


def stack_logits(probabilities, weights, bias):
    """Return the (N, C) logits of a stack about (M, N, C) probabilities."""
    return stack_inputs(probabilities) @ weights.T + bias


def cross_fitted_logits(probabilities, labels, fold_of):
    """Return what stacks say about photos whose fold they have not seen: (N, C) float64.

    Args:
        probabilities, labels: as for `fit_stack`.
        fold_of: (N,) int, the folds the members were trained with.
    """
    out = np.empty(np.shape(probabilities)[1:])
    for fold in np.unique(fold_of):
        asked = fold_of == fold
        fitted = fit_stack(probabilities[:, ~asked], labels[~asked])
        out[asked] = stack_logits(probabilities[:, asked], *fitted)
    return out
