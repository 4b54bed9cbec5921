"""Many training steps in one call of one compiled graph.

A step of a head takes a few matrix products of some 100 microseconds each. Called from Python, it
takes as long again to hand over a batch, to look up and launch the graph and to read the loss; here
a `while` loop inside the graph does that, and Python is asked once an epoch. (The loop must not be
unrolled: MindSpore's launch of a graph of a hundred steps takes longer than the steps.)
"""
import numpy as np
from mindspore import Parameter, Tensor, int32, nn, ops


class StepLoop(nn.Cell):
    """Take training steps on rows that are named by number.

    Args:
        step: Cell ((B, G) float32, labels of the rows) -> scalar loss, that updates its parameters.
        steps: int, at most so many in a call.
        dropout: float in [0, 1), part of the inputs that is zeroed.
    """

    def __init__(self, step, steps, dropout=0.0):
        super().__init__(auto_prefix=False)
        self.step = step
        self.dropout = dropout
        self.keep_share = Tensor(np.float32(1 - dropout))
        self.losses = Parameter(Tensor(np.zeros(steps, np.float32)), "losses_of_the_loop",
                                requires_grad=False)
        self.gather = ops.Gather()

    def construct(self, rows, labels, numbers, kept, count):
        """Take `count` steps.

        Args:
            rows: (N, G) float32.
            labels: (N,) int32, or (N, C) float32.
            numbers: (steps, B) int32, the rows of each step.
            kept: (steps, B, G) bool, False where dropout zeroes an input; anything without
                dropout.
            count: int32 scalar, from 1 to steps.

        Returns:
            (steps,) float32: the loss of each of the `count` steps, then what was there before.
        """
        i = ops.zeros((), int32)
        while i < count:
            chosen = numbers[i]
            inputs = self.gather(rows, chosen, 0)
            if self.dropout:
                inputs = inputs * kept[i].astype(inputs.dtype) / self.keep_share
            loss = self.step(inputs, self.gather(labels, chosen, 0))
            ops.scatter_update(self.losses, i, loss)
            i = i + 1
        return self.losses.value()
