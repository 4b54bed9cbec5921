"""The learning-rate range test: one short run whose learning rate grows until the loss explodes.

Smith, "Cyclical Learning Rates for Training Neural Networks" (arXiv:1506.01186, section 3.3). The
growth is exponential, the loss is smoothed, and the run ends early, as in fastai's `lr_find`.
"""
import dataclasses
import math

import mindspore as ms
import numpy as np
from easydict import EasyDict

from src_mindspore.errors import LabError
from src_mindspore.training.head_of_config import make_trainer

SMOOTHING = 0.9  # weight of the past in the running mean of the loss
HOPELESS = 4     # the run ends where the smoothed loss is so many times its lowest value


@dataclasses.dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: (S,) float64, the learning rate of every step, growing.
        losses: (S,) float64, the loss of every step's batch, before the step.
        smoothed: (S,) float64, running mean of the losses, its bias at the start corrected.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray

    @property
    def lowest(self):
        """The learning rate of the lowest smoothed loss: beyond it, training gets worse."""
        return float(self.rates[self.smoothed.argmin()])

    @property
    def suggested(self):
        """A tenth of `lowest`: a rate that is large and leaves room (fastai's rule of thumb)."""
        return self.lowest / 10


def range_test(spec, split, index, config, low=1e-5, high=10.0, steps=100):
    """Train a new head with a learning rate that grows from low to high.

    Args:
        spec: HeadSpec.
        split: Split of train.
        index: (N, 2) int, image and pass of every row.
        config: the configuration; its schedule is replaced.
        low, high: float, 0 < low < high.
        steps: int >= 2.

    Returns:
        RangeTest; it has fewer than `steps` steps where the loss exploded before the end.

    Raises:
        LabError: limits or a number of steps that make no range.
    """
    if not 0 < low < high or steps < 2:
        raise LabError(f"The range test was given low={low:g}, high={high:g}, steps={steps}; "
                       "expected 0 < low < high and at least 2 steps.")
    batches = math.ceil(len(split.labels) / config.batch_size)
    epochs = math.ceil(steps / batches)
    # An exponential decay with a factor above 1 grows; the total is what the factor is reached at.
    growth = (high / low) ** (epochs * batches / (steps - 1))
    trainer = make_trainer(spec, split, split, index, EasyDict({
        **config, "epochs": epochs, "lr_max": low, "decay_type": "exponential",
        "decay_rate": growth, "warmup_epochs": 0}))
    trainer.step.set_train(True)
    losses, smoothed, mean = [], [], 0.0
    for numbers in _batches(len(split.labels), config, steps):
        inputs = trainer.head.prepare(ms.Tensor(split.rows[numbers]))
        losses.append(float(trainer.step(inputs, ms.Tensor(split.labels[numbers])).asnumpy()))
        mean = SMOOTHING * mean + (1 - SMOOTHING) * losses[-1]
        smoothed.append(mean / (1 - SMOOTHING ** len(losses)))
        if not smoothed[-1] < HOPELESS * min(smoothed):
            break
    finite = np.isfinite(smoothed)
    return RangeTest(np.array(trainer.rates[:len(losses)])[finite], np.array(losses)[finite],
                     np.array(smoothed)[finite])


def _batches(rows, config, steps):
    """Yield the row numbers of `steps` batches, each epoch in an order of its own."""
    epoch = 0
    while steps:
        epoch += 1
        order = np.random.default_rng([config.seed, epoch]).permutation(rows)
        for first in range(0, rows, config.batch_size)[:steps]:
            yield order[first:first + config.batch_size]
            steps -= 1
