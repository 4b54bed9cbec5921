"""Lookahead: k steps forward, one step back, around any optimizer.

Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019
(arXiv:1907.08610), algorithm 1. Around RAdam with gradient centralisation it is Ranger (Wright,
github.com/lessw2020/Ranger-Deep-Learning-Optimizer).
"""
from mindspore import Tensor, float32, nn, ops

RANGER_STEPS = 6


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
        # Without a branch: one in a loop in a graph costs more than these small products.
        for i in range(len(self.slow)):
            fast, slow = self._parameters[i].value(), self.slow[i].value()
            slow = ops.where(now, slow + self.share * (fast - slow), slow)
            ops.assign(self.slow[i], slow)
            ops.assign(self._parameters[i], ops.where(now, slow, fast))
        return True
