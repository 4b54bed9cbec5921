"""Lookahead: k steps forward, one step back, around any optimizer.

Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019
(arXiv:1907.08610), algorithm 1. Around RAdam with gradient centralisation it is Ranger (Wright,
github.com/lessw2020/Ranger-Deep-Learning-Optimizer).
"""
from mindspore import Tensor, float32, nn, ops

RANGER_STEPS = 6


_back = ops.MultitypeFuncGraph("back")


@_back.register("Tensor", "Tensor", "Tensor", "Tensor")
def _(now, share, fast, slow):
    # Without a branch, which costs more in a graph than these small products.
    agreed = ops.where(now, slow + share * (fast - slow), slow)
    return ops.assign(slow, agreed), ops.assign(fast, ops.where(now, agreed, fast))


class Lookahead(nn.Optimizer):
    """Every `steps` steps of the inner optimizer: slow += share * (fast - slow); fast = slow.

    The slow weights begin as what the parameters are when this is made.

    Args:
        inner: nn.Optimizer over the fast weights, the parameters themselves.
        steps: int >= 1, k.
        share: float in (0, 1], alpha.
    """

    def __init__(self, inner, steps=RANGER_STEPS, share=0.5):
        super().__init__(0.0, list(inner.parameters))
        # The inner optimizer has parameters of these names too.
        self.global_step.name = "lookahead_step"
        self.learning_rate.name = "lookahead_learning_rate"
        self.inner = inner
        self.steps = steps
        self.share = Tensor(share, float32)
        self.slow = self._parameters.clone(prefix="slow", init="same")

    def construct(self, gradients):
        self.inner(gradients)
        ops.assign_add(self.global_step, self.global_step_increase_tensor)
        now = self.global_step % self.steps == 0
        self.map_(ops.partial(_back, now, self.share), self._parameters, self.slow)
        return True
