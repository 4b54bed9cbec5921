"""Several whole networks as one Cell, for one MindIR."""
import itertools

import numpy as np
from mindspore import Tensor, nn, ops

from src_mindspore.backbones.fused import Unpack
from src_mindspore.data.preprocess import FusedSpec
from src_mindspore.ensemble.stacking import LEAST_LOG
from src_mindspore.ensemble.voting import TIE_SHARE


def parts_of(spec):
    """Return the inputs that a network wants: tuple of PreprocessSpec, one of a single backbone."""
    return spec.members if isinstance(spec, FusedSpec) else (spec,)


def joint_spec(specs):
    """Return how members see photos together.

    Args:
        specs: list of PreprocessSpec or FusedSpec, of every member.

    Returns:
        Their spec where all have the same; else a FusedSpec with every input that one of them
        wants, each once.
    """
    if all(spec == specs[0] for spec in specs):
        return specs[0]
    return FusedSpec(tuple(dict.fromkeys(itertools.chain.from_iterable(map(parts_of, specs)))))


class MemberInput(nn.Cell):
    """Take a member's input out of the ensemble's.

    (N, *joint.input_shape) float32 -> (N, *own.input_shape) float32.

    Args:
        joint: FusedSpec from `joint_spec`.
        own: PreprocessSpec or FusedSpec of the member.
    """

    def __init__(self, joint, own):
        super().__init__()
        self.unpack = Unpack([part.input_shape for part in joint.members])
        self.places = tuple(joint.members.index(part) for part in parts_of(own))
        self.is_packed = isinstance(own, FusedSpec)

    def construct(self, x):
        parts = self.unpack(x)
        if not self.is_packed:
            return parts[self.places[0]]
        own = ()
        for place in self.places:
            own = (*own, ops.flatten(parts[place]))
        return ops.concat(own, 1)


def with_joint_input(networks, specs):
    """Let networks read the input that they share.

    Args:
        networks: list of Cells (N, *input_shape) -> (N, C), each of its own spec.
        specs: list of PreprocessSpec or FusedSpec.

    Returns:
        (cells, spec): list of Cells (N, *spec.input_shape) -> (N, C), and `joint_spec`.
    """
    joint = joint_spec(specs)
    return [network if own == joint else nn.SequentialCell(MemberInput(joint, own), network)
            for network, own in zip(networks, specs, strict=True)], joint


class Ensemble(nn.Cell):
    """Ask every member about the same photos and combine their probabilities.

    (N, *input_shape) float32 -> (N, C) float32: logarithms of the vote's shares.

    Args:
        members: list of M Cells (N, *input_shape) -> (N, C) logits; see `with_joint_input`.
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

    (N, *input_shape) float32 -> (N, C) float32 logits.

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
