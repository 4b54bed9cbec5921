"""Which rows an epoch shows: counts by hand, shares by chance with their deviation."""
import numpy as np
import pytest

from src_mindspore.errors import LabError
from src_mindspore.training.samplers import build_sampler

# As unbalanced as real sets are: 6 beside 375.
LABELS = np.repeat([0, 1, 2], [6, 375, 40])


def shown(kind, labels=LABELS, seed=0, **settings):
    return build_sampler(kind, labels, 3, **settings)(np.random.default_rng(seed))


def test_without_a_sampler_every_row_comes_once_in_the_order_of_the_generator():
    order = shown("none")
    assert sorted(order) == list(range(421))
    np.testing.assert_array_equal(order, np.random.default_rng(0).permutation(421))


def test_balanced_shows_every_class_equally_and_its_rows_evenly():
    order = shown("balanced")
    assert len(order) == 421
    assert sorted(np.bincount(LABELS[order])) == [140, 140, 141]
    for label in range(3):
        rows, times = np.unique(order[LABELS[order] == label], return_counts=True)
        assert times.max() - times.min() <= 1
        assert len(rows) == min(140, (label == LABELS).sum()) or len(rows) == 141
    # Mixed, not class by class.
    assert (np.diff(LABELS[order]) != 0).sum() > 200


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_weighted_draws_classes_by_a_power_of_their_size(power):
    counts = np.bincount(LABELS)
    expected = counts**(1 - power) / (counts**(1 - power)).sum()
    draws = np.concatenate([LABELS[shown("weighted", seed=s, power=power)] for s in range(40)])
    seen = np.bincount(draws, minlength=3) / len(draws)
    deviation = np.sqrt(expected * (1 - expected) / len(draws))
    assert (np.abs(seen - expected) < 5 * deviation).all()


def test_another_generator_shows_other_rows_and_the_same_one_the_same():
    for kind in ("none", "balanced", "weighted"):
        assert shown(kind, seed=1).tolist() == shown(kind, seed=1).tolist()
        assert shown(kind, seed=1).tolist() != shown(kind, seed=2).tolist()


def test_the_likeliest_class_of_soft_labels_counts():
    soft = np.eye(3)[LABELS] * 0.8 + 0.2 / 3
    np.testing.assert_array_equal(shown("balanced", soft), shown("balanced"))


@pytest.mark.parametrize("kind", ["balanced", "weighted"])
def test_an_empty_class_cannot_be_shown(kind):
    with pytest.raises(LabError, match="class 1: it has no photo in train"):
        build_sampler(kind, np.array([0, 2, 2]), 3)
