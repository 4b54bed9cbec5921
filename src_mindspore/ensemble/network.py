"""Several whole networks as one Cell, for one MindIR."""
import numpy as np
from mindspore import Tensor, nn, ops

from src_mindspore.ensemble.stacking import LEAST_LOG
from src_mindspore.ensemble.voting import TIE_SHARE


class Ensemble(nn.Cell):
    """Ask every member about the same photos and combine their probabilities.

    (N, 3, H, W) float32 -> (N, C) float32: logarithms of the vote's shares.

    Args:
        members: list of M Cells (N, 3, H, W) -> (N, C) logits.
        temperatures: list of M float, by which their logits are divided.
        weights: (M,) float that sum to 1.
        hard: bool, every member names one class; else their probabilities count.
    """

    def __init__(self, members, temperatures, weights, hard=False):
        super().__init__()
        self.members = nn.CellList(members)
        self.temperatures = [float(t) for t in temperatures]
        self.weights = [float(w) for w in weights]
        self.hard = hard

    def probabilities(self, x):
        """Return the list of the members' (N, C) probabilities."""
        return [ops.softmax(member(x) / temperature, 1)
                for member, temperature in zip(self.members, self.temperatures)]  # noqa: B905

    def construct(self, x):
        soft, votes = 0.0, 0.0
        answers = self.probabilities(x)
        for i in range(len(answers)):
            soft = soft + self.weights[i] * answers[i]
            if self.hard:
                named = ops.one_hot(ops.argmax(answers[i], 1), answers[i].shape[1], 1.0, 0.0)
                votes = votes + self.weights[i] * named
        if self.hard:
            soft = (votes + TIE_SHARE * soft) / (1 + TIE_SHARE)
        return ops.log(ops.maximum(soft, 1e-12))


class Stack(Ensemble):
    """A Dense layer on the members' log-probabilities.

    (N, 3, H, W) float32 -> (N, C) float32 logits.

    Args:
        members, temperatures: as for Ensemble.
        weights, bias: (C, M * C) and (C,) float from `fit_stack`.
    """

    def __init__(self, members, temperatures, weights, bias):
        super().__init__(members, temperatures, np.ones(len(members)) / len(members))
        self.dense = nn.Dense(weights.shape[1], weights.shape[0],
                              weight_init=Tensor(weights.astype(np.float32)),
                              bias_init=Tensor(bias.astype(np.float32)))

    def construct(self, x):
        answers = self.probabilities(x)
        logs = ops.concat([ops.maximum(ops.log(ops.maximum(p, 1e-30)), LEAST_LOG)
                           for p in answers], 1)
        return self.dense(logs)
