"""Optimizers: MindSpore's, with weight decay on weights only."""
from mindspore import nn, ops

from src_mindspore.training.lookahead import RANGER_STEPS, Lookahead
from src_mindspore.training.radam import RAdam
from src_mindspore.training.scaled_rates import ScaledRates

_decay = ops.MultitypeFuncGraph("decay")


@_decay.register("Tensor", "Number", "Tensor")
def _(rate, decay, parameter):
    return ops.assign(parameter, parameter * (1 - rate * decay))


class AdamW(nn.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101).

    MindSpore's nn.AdamWeightDecay leaves out the bias correction of the moments; this is
    `w -= lr * decay * w`, followed by the plain Adam step.

    Args:
        groups: list of (parameters, decay).
        learning_rate: list of float, one a step.
    """

    def __init__(self, groups, learning_rate):
        super().__init__([p for parameters, _ in groups for p in parameters], learning_rate)
        self.decays = tuple(decay for parameters, decay in groups for _ in parameters)

    def construct(self, gradients):
        self.map_(ops.partial(_decay, self.get_lr()), self.decays, self._parameters)
        return super().construct(gradients)


def build_optimizer(name, parameters, rates, momentum, weight_decay, lookahead=0, factors=None,
                    is_decayed=lambda parameter: parameter.ndim > 1):
    """Return an optimizer over parameters.

    Args:
        name: 'momentum', 'sgd', 'adam', 'adamw', 'radam', or 'ranger': RAdam with gradient
            centralisation inside Lookahead.
        parameters: list of Parameter.
        rates: list of float, the learning rate of each step.
        momentum: float in [0, 1).
        weight_decay: float >= 0; an L2 gradient for momentum, sgd and adam, decoupled for the
            others.
        lookahead: int, steps of Lookahead around the optimizer; 0: none, or ranger's own.
        factors: dict from a parameter's name to the factor on its rate; None: one rate for all.
        is_decayed: function of a Parameter; by default weights are decayed, biases and the
            parameters of BatchNorm not.

    Returns:
        nn.Optimizer, or ScaledRates around it where there are factors. The order of its
        `parameters` is its own.
    """
    weights = [p for p in parameters if is_decayed(p)]
    others = [p for p in parameters if not is_decayed(p)]
    groups = [(group, decay) for group, decay in ((weights, weight_decay), (others, 0.0)) if group]
    lookahead = lookahead or (RANGER_STEPS if name == "ranger" else 0)
    inner = _inner(name, groups, rates, momentum)
    if factors is not None:
        inner = ScaledRates(inner, [factors[p.name] for p in inner.parameters])
    return Lookahead(inner, lookahead) if lookahead else inner


def _inner(name, groups, rates, momentum):
    if name == "adamw":
        return AdamW(groups, rates)
    if name in ("radam", "ranger"):
        return RAdam(groups, rates, centralise=name == "ranger")
    settings = [{"params": group, "weight_decay": decay} for group, decay in groups]
    if name == "adam":
        return nn.Adam(settings, rates)
    return nn.Momentum(settings, rates, momentum=momentum if name == "momentum" else 0.0)
