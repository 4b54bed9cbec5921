"""A learning rate of its own for every parameter, and one factor on all that may change."""
from mindspore import Parameter, Tensor, float32, nn, ops

_take_step = ops.MultitypeFuncGraph("take_step")


@_take_step.register("Tensor", "Number", "Tensor", "Tensor")
def _(scale, factor, before, parameter):
    step = parameter - before
    return ops.assign(parameter, before + factor * scale * step)


class ScaledRates(nn.Cell):
    """Take the step of an optimizer with other learning rates.

    The step of every optimizer here is proportional to its learning rate, its moments are not
    touched by it. So `old + factor * (new - old)` is the step that a rate `factor` times as large
    takes, whichever optimizer is inside.

    Args:
        inner: nn.Optimizer.
        factors: list of float, one a parameter.

    Attributes:
        parameters: ParameterTuple of the inner optimizer.
        scale: Parameter, scalar float32: the factor on all rates, 1 at the start.
    """

    def __init__(self, inner, factors):
        super().__init__(auto_prefix=False)
        self.inner = inner
        self.parameters = inner.parameters
        self.factors = tuple(factors)
        self.scale = Parameter(Tensor(1.0, float32), "rate_scale", requires_grad=False)
        self.before = inner.parameters.clone(prefix="before", init="same")
        self.map = ops.HyperMap()

    def construct(self, gradients):
        self.map(ops.assign, self.before, self.parameters)
        self.inner(gradients)
        self.map(ops.partial(_take_step, self.scale), self.factors, self.before, self.parameters)
        return True
