"""A learning rate of its own for every parameter, and one factor on all that may change."""
from mindspore import Parameter, Tensor, float32, nn, ops


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

    def construct(self, gradients):
        for i in range(len(self.factors)):
            ops.assign(self.before[i], self.parameters[i])
        self.inner(gradients)
        for i in range(len(self.factors)):
            before = self.before[i].value()
            step = self.parameters[i].value() - before
            ops.assign(self.parameters[i], before + self.factors[i] * self.scale * step)
        return True
