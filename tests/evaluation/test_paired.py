"""Recipes compared photo by photo: McNemar's test, and cross-validation from one cache."""
import dataclasses
import math

import numpy as np
import pytest

from src_mindspore.errors import LabError


@pytest.fixture(scope="module")
def paired(mindspore):
    from src_mindspore.evaluation import paired
    return paired


def answers(both, only_first, only_second, neither):
    first = [1] * both + [1] * only_first + [0] * only_second + [0] * neither
    second = [1] * both + [0] * only_first + [1] * only_second + [0] * neither
    return np.array(first, bool), np.array(second, bool)


@pytest.mark.parametrize(("one", "other"), [(2, 0), (12, 2), (2, 12), (5, 3), (4, 4), (0, 0)])
def test_mcnemar_tosses_a_coin_for_every_disagreement(paired, one, other):
    result = paired.mcnemar(*answers(100, one, other, 7))
    coins = one + other
    uneven = [math.comb(coins, heads) for heads in range(coins + 1)
              if abs(2 * heads - coins) >= abs(one - other)]
    assert (result.only_first, result.only_second) == (one, other)
    assert result.p_value == pytest.approx(sum(uneven) / 2**coins)


def test_agreement_has_no_say(paired):
    few, many = (paired.mcnemar(*answers(n, 12, 2, n)).p_value for n in (0, 500))
    assert few == many


def test_different_photos_cannot_be_paired(paired):
    with pytest.raises(LabError, match="about 3 and 4 photos"):
        paired.mcnemar(np.ones(3, bool), np.ones(4, bool))


@dataclasses.dataclass
class Cache:
    """What `right_in_folds` reads of a FeatureCache: 24 photos of 3 classes, some passes each."""

    passes: int = 2
    include_clean: bool = True
    folder: str = "results/features/abc"

    def __post_init__(self):
        self.what = {"include_clean": self.include_clean}
        photos = np.repeat(np.arange(24), self.passes)
        self.index = np.stack([photos, np.tile(np.arange(self.passes), 24)], axis=1)
        self.labels = (photos % 3).astype(np.int32)
        rng = np.random.default_rng(0)
        self.rows = 3 * np.eye(3, 1280)[self.labels] + 0.01 * rng.random((len(photos), 1280))

    def features(self, columns, memory_limit_bytes):
        return self.rows[:, columns].astype(np.float32)


class Names(list):
    """Class names as `right_in_folds` reads them."""

    folders = ("a", "b", "c")


@pytest.fixture
def ask(paired, make_config):
    def ask(cache, repeat=1, groups=None, **changes):
        config = make_config(head="linear", normalise=False, repeat=repeat,
                             **{"epochs": 20, "lr_max": 0.5, **changes})
        return paired.right_in_folds(cache, np.arange(24) if groups is None else groups, 1280,
                                     Names("abc"), config, folds=2)
    return ask


def test_every_photo_is_asked_about_once_and_separable_ones_are_right(ask):
    right = ask(Cache())
    assert right.shape == (24,)
    assert right.dtype == bool
    assert right.all()


def test_a_photo_is_asked_about_by_a_head_that_never_saw_it(ask):
    """One photo of class a looks like class b: only a head that learnt it could know."""
    cache = Cache()
    odd = cache.index[:, 0] == 6
    cache.rows[odd] = 3 * np.eye(3, 1280)[1]
    right = ask(cache, repeat=2)
    assert not right[6]
    assert right.sum() == 23


def test_passes_beyond_repeat_are_not_learnt(ask):
    poisoned = Cache()
    poisoned.rows[poisoned.index[:, 1] == 1] = np.roll(np.eye(3, 1280), 1, axis=0)[
        poisoned.labels[poisoned.index[:, 1] == 1]] * 6
    assert ask(poisoned, repeat=1).all()
    assert not ask(poisoned, repeat=2, epochs=40).all()


def test_one_cache_serves_as_a_smaller_one(ask):
    """The first pass of two is learnt as the only pass of one."""
    large, small = Cache(passes=2), Cache(passes=1)
    small.rows = large.rows[large.index[:, 1] == 0]
    np.testing.assert_array_equal(ask(large, epochs=1), ask(small, epochs=1))


@pytest.mark.parametrize(("cache", "repeat"), [(Cache(), 3), (Cache(include_clean=False), 1)])
def test_a_cache_that_lacks_passes_or_clean_photos_is_refused(ask, cache, repeat):
    with pytest.raises(LabError, match=f"expected at least {repeat}, and a clean first one"):
        ask(cache, repeat=repeat)


def test_a_difference_is_that_of_the_accuracies_with_an_interval_around_it(paired):
    rng = np.random.default_rng(0)
    first = rng.random((3, 400)) < 0.7
    second = first | (rng.random((3, 400)) < 0.2)
    found = paired.paired_difference(first, second, np.arange(400))
    assert found.mean == pytest.approx(second.mean() - first.mean())
    assert 0 < found.low < found.mean < found.high
    assert found.verdict == "helps"
    assert paired.paired_difference(second, first, np.arange(400)).verdict == "hurts"
    assert paired.paired_difference(first, first, np.arange(400)).verdict == "no evidence"


def test_copies_of_one_photo_are_one_piece_of_evidence(paired):
    first = np.zeros((1, 300), bool)
    second = np.arange(300)[None] % 30 < 2
    alone = paired.paired_difference(first, second, np.arange(300))
    second = np.sort(second)  # the same count, now whole groups of ten
    together = paired.paired_difference(first, second, np.arange(300) // 10)
    assert together.mean == pytest.approx(alone.mean)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_weights_make_it_the_difference_of_macro_recall(paired):
    labels = np.array([0] * 90 + [1] * 10)
    first = np.ones((1, 100), bool)
    second = first.copy()
    second[0, 95:] = False  # half of the small class
    weights = 1 / np.bincount(labels)[labels] / 2
    found = paired.paired_difference(first, second, np.arange(100), weights)
    assert found.mean == pytest.approx(-0.25)
    with pytest.raises(LabError, match="same photos and seeds"):
        paired.paired_difference(first, second[:, :9], np.arange(100))
