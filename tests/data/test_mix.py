"""Mixup and CutMix: pixels and labels have exactly the shares they say."""
import numpy as np
import pytest

from src_mindspore.data.mix import MixSpec, cut_box, mix, soft_label


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def pair():
    """Two pictures whose pixels tell from which of them they come: below 100, and above."""
    return (rng(1).integers(0, 100, (24, 36, 3), np.uint8),
            rng(2).integers(100, 256, (24, 36, 3), np.uint8))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixup_is_the_weighted_sum_of_the_pixels(pair, share):
    expected = share * pair[0].astype(float) + (1 - share) * pair[1]
    mixed, had = mix("mixup", *pair, share, rng())
    assert mixed.dtype == np.uint8
    assert had == share
    assert np.abs(mixed - expected).max() <= 0.5 + 1e-4
    floats, _ = mix("mixup", *(p.astype(np.float32) / 255 for p in pair), share, rng())
    np.testing.assert_allclose(floats, expected / 255, atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.0, 0.2, 0.7, 1.0])
def test_cutmix_counts_the_pixels_it_really_took(pair, share, seed):
    mixed, had = mix("cutmix", *pair, share, rng(seed))
    own = (mixed < 100).all(axis=2)
    assert own.mean() == pytest.approx(had, abs=1e-12)
    assert np.array_equal(mixed[own], pair[0][own])
    assert np.array_equal(mixed[~own], pair[1][~own])
    # What stands out of the picture is cut off, so the box is never larger than wanted, but for
    # the rounding of its sides.
    assert had >= share - (24 + 36) / (24 * 36)
    rows, columns = np.nonzero(~own)
    if len(rows):
        assert (~own).sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_a_box_in_the_middle_has_the_area_of_the_share():
    """Far from the border nothing is cut off."""
    sizes = {(b - t) * (r - l) for t, b, l, r in (cut_box(100, 200, 0.99, rng(s))  # noqa: E741
                                                  for s in range(50))
             if t > 0 and l > 0 and b < 100 and r < 200}
    assert sizes == {200}


def test_soft_labels():
    np.testing.assert_allclose(soft_label(1, 3, 0.25, 4), [0, 0.25, 0, 0.75])
    np.testing.assert_allclose(soft_label(2, 2, 0.3, 4), [0, 0, 1, 0])
    assert soft_label(0, 1, 1 / 3, 2).dtype == np.float32


def test_views_are_mixed_as_often_as_asked_with_shares_of_the_beta_distribution():
    spec = MixSpec(5, mixup=0.4, cutmix=1.0, probability=0.6)
    drawn = [spec.draw(7, rng(seed)) for seed in range(4000)]
    mixed = [d for d in drawn if d]
    assert len(mixed) / 4000 == pytest.approx(0.6, abs=0.04)
    shares = {kind: np.array([s for k, _, s in mixed if k == kind]) for kind in ("mixup", "cutmix")}
    assert len(shares["mixup"]) / len(mixed) == pytest.approx(0.5, abs=0.05)
    assert {p for _, p, _ in mixed} == set(range(7))
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)).
    for kind, alpha in (("mixup", 0.4), ("cutmix", 1.0)):
        assert shares[kind].mean() == pytest.approx(0.5, abs=0.05)
        assert shares[kind].var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
    assert MixSpec(5).draw(7, rng()) is None
    assert MixSpec(5, mixup=1.0, probability=0.0).draw(7, rng()) is None
