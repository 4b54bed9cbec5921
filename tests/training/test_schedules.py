"""Learning-rate schedules against their closed forms."""
import fractions
import math

import pytest

from src_mindspore.errors import LabError
from src_mindspore.training.schedules import DECAY_TYPES, build_lr, plateau_factor

TOTAL, WARMUP = 110, 10
AFTER = TOTAL - WARMUP
START, TOP, END = 0.01, 0.5, 0.02

CLOSED = {
    "constant": lambda t: TOP,
    "plateau": lambda t: TOP,
    "cosine": lambda t: END + (TOP - END) * math.cos(math.pi * t / AFTER / 2) ** 2,
    "square": lambda t: END + (TOP - END) * ((AFTER - t) / AFTER) ** 2,
    "exponential": lambda t: TOP * math.exp(math.log(0.1) * t / AFTER),
    "step": lambda t: TOP * 0.1 ** (t * 4 // AFTER),
}


def rates(decay_type, **options):
    return build_lr(TOTAL, START, END, TOP, **{"warmup_steps": WARMUP, "decay_type": decay_type,
                                               "decay_rate": 0.1, "decay_steps": 4, **options})


@pytest.mark.parametrize("decay_type", DECAY_TYPES)
def test_every_step_is_the_closed_form(decay_type):
    values = rates(decay_type)
    assert len(values) == TOTAL
    assert values[:WARMUP] == pytest.approx([START + (TOP - START) * t / WARMUP
                                             for t in range(WARMUP)])
    assert values[WARMUP:] == pytest.approx([CLOSED[decay_type](t) for t in range(AFTER)])


@pytest.mark.parametrize(("decay_type", "middle", "last"), [
    ("constant", 0.5, 0.5), ("cosine", 0.26, 0.02), ("square", 0.14, 0.02),
    ("exponential", 0.5 * 10**-0.5, 0.05), ("step", 0.005, 0.0005)])
def test_start_middle_and_end(decay_type, middle, last):
    values = rates(decay_type)
    assert values[0] == START
    assert values[WARMUP] == pytest.approx(TOP)
    assert values[WARMUP + AFTER // 2] == pytest.approx(middle)
    assert values[-1] == pytest.approx(last, rel=0.03)


@pytest.mark.parametrize("steps", [3, 7, 10, 49, 100])
def test_steps_fall_exactly_at_their_places(steps):
    """29 / 100 * 100 is below 29 in floating point; the step must not come late."""
    values = build_lr(100, lr_max=1.0, decay_type="step", decay_rate=0.5, decay_steps=steps)
    expected = [0.5 ** math.floor(fractions.Fraction(t, 100) * steps) for t in range(100)]
    assert values == expected


def test_no_warm_up_starts_at_the_top():
    assert rates("cosine", warmup_steps=0)[0] == TOP


def test_warm_up_may_fill_the_run():
    values = rates("cosine", warmup_steps=TOTAL)
    assert values == pytest.approx([START + (TOP - START) * t / TOTAL for t in range(TOTAL)])


@pytest.mark.parametrize("decay_type", ["cosine", "square", "exponential", "step"])
def test_rates_never_rise_after_the_warm_up(decay_type):
    values = rates(decay_type)[WARMUP:]
    assert all(later <= earlier for earlier, later in zip(values, values[1:], strict=False))
    assert all(math.isfinite(v) and 0 < v <= TOP for v in values)


def test_unknown_decay_lists_the_known_ones():
    with pytest.raises(LabError, match=r"'linear'.*constant, cosine, square, exponential, step"):
        build_lr(10, decay_type="linear")


@pytest.mark.parametrize("warmup", [-1, 11])
def test_warm_up_longer_than_the_run_is_refused(warmup):
    with pytest.raises(LabError, match=f"warmup_steps is {warmup}, but the run has 10 steps"):
        build_lr(10, warmup_steps=warmup)


@pytest.mark.parametrize(("losses", "steps"), [
    ([], 0), ([3, 2, 1, 0.5], 0), ([1, 1, 1], 0), ([1, 1, 1, 1], 1), ([1, 2, 1, 3], 1),
    ([1, 1, 1, 1, 1, 1, 1], 2), ([1, 1, 1, 0.9, 0.9, 0.9], 0), ([1, 1, 1, 0.9, 0.9, 0.9, 1], 1),
    ([1, 1 - 5e-5, 1 - 9e-5, 1 - 9.9e-5], 1), ([float("nan")] * 4, 1)])
def test_a_plateau_is_patience_epochs_without_a_lower_loss(losses, steps):
    assert plateau_factor(losses, 0.2, 3) == pytest.approx(0.2 ** steps)
