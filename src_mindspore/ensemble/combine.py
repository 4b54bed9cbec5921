"""From out-of-fold predictions to a way of combining members."""
import dataclasses
from collections.abc import Callable

import numpy as np

from src_mindspore.ensemble.stacking import cross_fitted_logits, fit_stack, stack_logits
from src_mindspore.ensemble.voting import fit_weights, hard_vote, soft_vote


@dataclasses.dataclass(frozen=True)
class Combined:
    """A fitted combination.

    Attributes:
        apply: function (M, N, C) probabilities -> (N, C) scores, the largest wins.
        out_of_fold: (N, C) scores for the photos of train, which the members and, of a stack, the
            level above had not learnt from. The few weights of a weighted vote had. None where
            nobody was asked.
        weights: (M,) float, or None for a stack.
        stack: (weights, bias) from `fit_stack`, or None for a vote.
    """

    apply: Callable
    out_of_fold: np.ndarray | None
    weights: np.ndarray | None
    stack: tuple | None = None


def combine(vote, probabilities, labels, fold_of):
    """Fit a combination.

    Args:
        vote: 'soft', 'hard', 'weighted' or 'stack'.
        probabilities: (M, N, C) float, out of fold.
        labels, fold_of: (N,) int.

    Returns:
        Combined.
    """
    if vote == "stack":
        fitted = fit_stack(probabilities, labels)
        return Combined(lambda said: stack_logits(said, *fitted),
                        cross_fitted_logits(probabilities, labels, fold_of), None, fitted)
    voted = equal_vote(vote, len(probabilities))
    if vote == "weighted":
        weights = fit_weights(probabilities, labels)
        voted = Combined(lambda said: soft_vote(said, weights), None, weights)
    return dataclasses.replace(voted, out_of_fold=voted.apply(probabilities))


def equal_vote(vote, members):
    """Return the vote in which every member counts the same: nothing has to be learnt for it.

    Args:
        vote: 'hard', or any other for the mean of probabilities.
        members: int, M.

    Returns:
        Combined, its out_of_fold None.
    """
    rule, weights = hard_vote if vote == "hard" else soft_vote, np.full(members, 1 / members)
    return Combined(lambda said: rule(said, weights), None, weights)
