"""The range test: rates that grow as asked, a loss that falls and then explodes, early ends."""
import numpy as np
import pytest
from easydict import EasyDict

from config import KEYS
from src_mindspore.errors import LabError

WIDTH, CLASSES, ROWS = 12, 6, 90
SETTINGS = {**{name: key.default for name, key in KEYS.items()}, **dict(
    epochs=6, batch_size=16, optimizer="sgd", lr_init=0.3, lr_max=0.1, lr_end=0.2, warmup_epochs=2,
    decay_type="cosine", decay_rate=0.1, decay_steps=3, momentum=0.9, weight_decay=0.0,
    label_smoothing=0.0, dropout=0.0, seed=1, weight_init="he", memory_limit_mb=100)}


@pytest.fixture(scope="module")
def run(mindspore):
    """Function from changes to a RangeTest on six clusters that overlap a little."""
    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.training.loop import Split
    from src_mindspore.training.range_test import range_test

    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, ROWS).astype(np.int32)
    rows = np.abs(2 * np.eye(CLASSES, WIDTH)[labels] + rng.normal(0, 0.7, (ROWS, WIDTH)))
    index = np.stack([np.arange(ROWS), np.zeros(ROWS, int)], axis=1)
    spec = HeadSpec(WIDTH, 1, CLASSES, normalise=True)

    def run(changes=None, **options):
        return range_test(spec, Split(rows.astype(np.float32), labels), index,
                          EasyDict({**SETTINGS, **(changes or {})}), **options)
    return run


@pytest.mark.parametrize("steps", [2, 6, 40])  # less than an epoch of 6 steps, one, several
def test_rates_grow_by_one_factor_from_low_to_high(run, steps):
    result = run(low=1e-5, high=1e-2, steps=steps)
    np.testing.assert_allclose(result.rates, np.geomspace(1e-5, 1e-2, steps), rtol=1e-9)
    assert result.losses.shape == result.smoothed.shape == (steps,)


def test_loss_is_flat_then_falls_and_the_run_ends_where_it_explodes(run):
    result = run(low=1e-4, high=1e6, steps=200)
    assert len(result.rates) < 200
    assert result.rates[0] < result.lowest < result.rates[-1]
    assert result.smoothed.min() < 0.8 * result.smoothed[0]
    assert result.smoothed[-1] > 4 * result.smoothed.min()
    assert result.suggested == pytest.approx(result.lowest / 10)


def test_smoothing_is_a_running_mean_without_bias(run):
    result = run(low=1e-3, high=1.0, steps=30)
    for step in (0, 7, 29):
        share = 0.9 ** np.arange(step, -1, -1)
        expected = (share * result.losses[:step + 1]).sum() / share.sum()
        assert result.smoothed[step] == pytest.approx(expected)


def test_a_rate_of_next_to_nothing_changes_nothing(run):
    """The losses of the first epoch are those of the new head, batch by batch."""
    still, moving = (run(low=low, high=2 * low, steps=6) for low in (1e-12, 0.5))
    assert still.losses[0] == moving.losses[0]
    assert still.losses[1:].mean() > moving.losses[1:].mean()


def test_the_same_seed_gives_the_same_losses(run):
    one, two, other = run(steps=12), run(steps=12), run({"seed": 2}, steps=12)
    np.testing.assert_array_equal(one.losses, two.losses)
    assert not np.array_equal(one.losses, other.losses)


def test_losses_that_are_no_numbers_are_left_out(run):
    result = run({"weight_decay": 90.0}, low=1.0, high=1e30, steps=300)
    assert np.isfinite(result.losses).all()
    assert np.isfinite(result.smoothed).all()
    assert 1 <= len(result.rates) < 300


@pytest.mark.parametrize("wrong", [{"low": 0.0}, {"low": 1.0, "high": 0.1}, {"steps": 1}])
def test_a_range_that_is_none_is_refused(run, wrong):
    with pytest.raises(LabError, match="expected 0 < low < high and at least 2 steps"):
        run(**wrong)
