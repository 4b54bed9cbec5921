"""Votes of several models, and weights for them from out-of-fold predictions.

Hansen and Salamon, "Neural Network Ensembles", IEEE PAMI 1990. The weights are the maximum of the
likelihood of a mixture with fixed parts, found by EM (Dempster et al., JRSS B 1977): convex, so
there is one answer, and no rate to choose.
"""
import numpy as np

KINDS = ("soft", "hard", "weighted")
# What a hard vote adds of the soft one, so that ties are decided by the probabilities.
TIE_SHARE = 1e-3
EM_STEPS = 1000


def soft_vote(probabilities, weights=None):
    """Return the (weighted) mean of probabilities: (N, C) float64, rows sum to 1.

    Args:
        probabilities: (M, N, C) float, of M members.
        weights: (M,) float that sum to 1; None: all equal.
    """
    return np.tensordot(_even(weights, len(probabilities)), np.asarray(probabilities, float), 1)


def hard_vote(probabilities, weights=None):
    """Return the shares of the members that name each class: (N, C) float64, rows sum to 1.

    Of classes with equally many votes the one with the higher mean probability is ahead.

    Args:
        probabilities, weights: as for `soft_vote`.
    """
    probabilities = np.asarray(probabilities, float)
    votes = np.eye(probabilities.shape[2])[probabilities.argmax(axis=2)]
    return (soft_vote(votes, weights) + TIE_SHARE * soft_vote(probabilities, weights)) \
        / (1 + TIE_SHARE)


def fit_weights(probabilities, labels):
    """Return the weights of members whose soft vote has the least cross-entropy.

    Args:
        probabilities: (M, N, C) float, of photos that the members have not learnt from.
        labels: (N,) int.

    Returns:
        (M,) float64, >= 0, sum 1.
    """
    of_truth = np.asarray(probabilities, float)[:, np.arange(len(labels)), labels]
    of_truth = np.maximum(of_truth, 1e-12)
    weights = _even(None, len(of_truth))
    for _ in range(EM_STEPS):
        weights = weights * (of_truth / (weights @ of_truth)).mean(axis=1)
    return weights / weights.sum()


def _even(weights, members):
    return np.full(members, 1 / members) if weights is None else np.asarray(weights, float)
