"""Learning-rate schedules: one value a step, warm-up first."""
import math

from src_mindspore.errors import LabError

DECAY_TYPES = ("constant", "cosine", "square", "exponential", "step", "plateau")
# A loss counts as lower when it is lower by this.
LEAST_GAIN = 1e-4


def build_lr(total_steps, lr_init=0.0, lr_end=0.0, lr_max=0.1, warmup_steps=0,
             decay_type="cosine", decay_rate=0.1, decay_steps=3):
    """Return the learning rate of every step.

    Linear from lr_init to lr_max over warmup_steps, then with t steps since the warm-up and
    T = total_steps - warmup_steps:

        constant     lr_max
        cosine       lr_end + (lr_max - lr_end) * (1 + cos(pi * t / T)) / 2   (arXiv:1608.03983)
        square       lr_end + (lr_max - lr_end) * (1 - t / T) ** 2
        exponential  lr_max * decay_rate ** (t / T)
        step         lr_max * decay_rate ** floor(decay_steps * t / T)
        plateau      lr_max, as long as `plateau_factor` says 1

    Args:
        total_steps: int >= 1.
        lr_init, lr_end, lr_max: float >= 0.
        warmup_steps: int in [0, total_steps].
        decay_type: one of DECAY_TYPES.
        decay_rate: float in (0, 1], for exponential and step.
        decay_steps: int >= 1, number of equal stretches for step.

    Returns:
        list of total_steps floats.

    Raises:
        LabError: an unknown decay type, or a warm-up longer than the run.
    """
    if decay_type not in DECAY_TYPES:
        raise LabError(f"Unknown decay_type {decay_type!r}; there are {', '.join(DECAY_TYPES)}.")
    if not 0 <= warmup_steps <= total_steps:
        raise LabError(f"warmup_steps is {warmup_steps}, but the run has {total_steps} steps; "
                       "the warm-up must fit in it.")
    rates = []
    decay_total = total_steps - warmup_steps
    for step in range(total_steps):
        if step < warmup_steps:
            rates.append(lr_init + (lr_max - lr_init) * step / warmup_steps)
            continue
        done = (step - warmup_steps) / decay_total
        if decay_type in ("constant", "plateau"):
            rates.append(lr_max)
        elif decay_type == "cosine":
            rates.append(lr_end + (lr_max - lr_end) * (1 + math.cos(math.pi * done)) / 2)
        elif decay_type == "square":
            rates.append(lr_end + (lr_max - lr_end) * (1 - done) ** 2)
        elif decay_type == "exponential":
            rates.append(lr_max * decay_rate ** done)
        else:
            # Whole numbers: 100 * (29 / 100) is below 29 in floating point.
            rates.append(lr_max * decay_rate ** (decay_steps * (step - warmup_steps)
                                                 // decay_total))
    return rates


def plateau_factor(losses, decay_rate, patience):
    """Return the factor on the learning rate of the next epoch, once the loss stopped falling.

    Every `patience` epochs in a row without a loss lower than the lowest before multiply the rate
    by decay_rate; then the count starts anew. (ReduceLROnPlateau, as Keras counts.)

    Args:
        losses: list of float, one an epoch so far.
        decay_rate: float in (0, 1].
        patience: int >= 1.

    Returns:
        float in (0, 1].
    """
    lowest, waited, factor = math.inf, 0, 1.0
    for loss in losses:
        if loss < lowest - LEAST_GAIN:
            lowest, waited = loss, 0
            continue
        waited += 1
        if waited == patience:
            factor, waited = factor * decay_rate, 0
    return factor
