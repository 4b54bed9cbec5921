"""RAdam: Adam that waits until it knows how much its gradients vary.

Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020
(arXiv:1908.03265), algorithm 2. Gradient centralisation: Yong et al., ECCV 2020
(arXiv:2004.01461): a weight's gradient loses its mean over all inputs.
"""
import numpy as np
from mindspore import Tensor, nn, ops

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def rectification(steps, beta2=BETA2):
    """Return what scales the adaptive step: (steps,) float64, 0 where the step is not adaptive.

    With rho_inf = 2 / (1 - beta2) - 1 and rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t):

        r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))

    where rho_t > 4.
    """
    # In float64, outside the graph: at small t the difference loses all digits of float32.
    t = np.arange(1, steps + 1, dtype=np.float64)
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2**t / (1 - beta2**t)
    known = np.maximum(rho, 4)
    return np.sqrt((known - 4) * (known - 2) * most / ((most - 4) * (most - 2) * known))


_step = ops.MultitypeFuncGraph("radam_step")


@_step.register("Tensor", "Tensor", "Tensor", "Tensor", "Bool", "Number", "Tensor", "Tensor",
                "Tensor", "Tensor")
def _(rate, plain, adaptive, epsilon, centralise, decay, parameter, gradient, moment1, moment2):
    if centralise and gradient.ndim > 1:
        gradient = gradient - ops.mean(gradient, tuple(range(1, gradient.ndim)), True)
    m = BETA1 * moment1 + (1 - BETA1) * gradient
    v = BETA2 * moment2 + (1 - BETA2) * gradient * gradient
    direction = plain * m + adaptive * m / (ops.sqrt(v) + epsilon)
    return (ops.assign(parameter, parameter * (1 - rate * decay) - rate * direction),
            ops.assign(moment1, m), ops.assign(moment2, v))


class RAdam(nn.Optimizer):
    """RAdam with decoupled weight decay, `w -= lr * decay * w` before the step, as AdamW has it.

    Args:
        groups: list of (parameters, decay).
        learning_rate: list of float, one a step.
        centralise: bool, take from the gradient of every parameter of two or more dimensions its
            mean over all but the first.
    """

    def __init__(self, groups, learning_rate, centralise=False):
        super().__init__(learning_rate, [p for parameters, _ in groups for p in parameters])
        self.decays = tuple(decay for parameters, decay in groups for _ in parameters)
        self.centralise = centralise
        self.moment1 = self._parameters.clone(prefix="moment1", init="zeros")
        self.moment2 = self._parameters.clone(prefix="moment2", init="zeros")
        t = np.arange(1, len(learning_rate) + 1, dtype=np.float64)
        scale = rectification(len(learning_rate))
        # The two kinds of step as factors: lr * (plain * m + adaptive * m / (sqrt(v) + eps')).
        corrected = 1 / (1 - BETA1**t)
        self.plain = Tensor(np.where(scale > 0, 0, corrected).astype(np.float32))
        root = np.sqrt(1 - BETA2**t)
        self.adaptive = Tensor((scale * corrected * root).astype(np.float32))
        # Epsilon stands beside the corrected root; here it moves inside the same fraction.
        self.epsilons = Tensor((EPSILON * root).astype(np.float32))

    def construct(self, gradients):
        step = self.global_step.value()
        plain, adaptive, epsilon = self.plain[step], self.adaptive[step], self.epsilons[step]
        rate = self.get_lr()
        ops.assign_add(self.global_step, self.global_step_increase_tensor)
        self.map_(ops.partial(_step, rate, plain, adaptive, epsilon, self.centralise),
                  self.decays, self._parameters, gradients, self.moment1, self.moment2)
        return True
