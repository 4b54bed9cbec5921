"""Is one recipe better than another? Asked about the same photos, the two are compared in pairs.

Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification Learning
Algorithms" (Neural Computation 10, 1998), on McNemar's test; here in its exact, binomial form.
"""
import dataclasses

import numpy as np
from easydict import EasyDict
from scipy.stats import binomtest

from src_mindspore.data.split import grouped_folds
from src_mindspore.errors import LabError
from src_mindspore.heads.build import head_spec
from src_mindspore.training.head_of_config import make_trainer
from src_mindspore.training.loop import Split


@dataclasses.dataclass(frozen=True)
class Paired:
    """Two recipes on the same photos.

    Attributes:
        only_first, only_second: int, photos that one alone was right about. All others say
            nothing about the difference.
        p_value: float, how often two equally good recipes differ at least so much (two-sided).
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first, second):
    """Compare two recipes with McNemar's exact test.

    Args:
        first, second: (N,) bool, which of the same photos each was right about.

    Returns:
        Paired; p_value is 1.0 where they never differ.

    Raises:
        LabError: the two are not equally long.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise LabError(f"McNemar's test was given answers about {first.size} and {second.size} "
                       "photos; expected the same photos in the same order.")
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = binomtest(one, one + other).pvalue if one + other else 1.0
    return Paired(one, other, float(p_value))


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much more often a recipe is right than another on the same photos.

    Attributes:
        mean: float, the difference of the two accuracies, -1 to 1.
        low, high: float, 95 % interval.
    """

    mean: float
    low: float
    high: float

    @property
    def verdict(self):
        """'helps' or 'hurts' where the interval leaves 0 out, else 'no evidence'."""
        return "helps" if self.low > 0 else "hurts" if self.high < 0 else "no evidence"


def paired_difference(first, second, groups, weights=None, resamples=2000):
    """Compare the second recipe with the first over several seeds, by the bootstrap over photos.

    Efron, "Bootstrap Methods: Another Look at the Jackknife" (Annals of Statistics 7, 1979), with
    whole groups drawn, because copies of one photo are not independent (Field and Welsh, JRSS B
    69, 2007).

    Args:
        first, second: (S, N) bool, which of the same photos each was right about, a row a seed.
        groups: (N,) int, photos of one number are drawn together.
        weights: (N,) float that sum to 1, of the photos; None: all equal (accuracy). With 1 / (C n)
            for a photo of a class of n the difference is that of macro recall.
        resamples: int.

    Returns:
        Difference, second minus first.

    Raises:
        LabError: the two are not equally long.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape:
        raise LabError(f"The recipes answered about {first.shape} and {second.shape} photos; "
                       "expected the same photos and seeds in the same order.")
    count = first.shape[1]
    weights = np.full(count, 1 / count) if weights is None else np.asarray(weights, float)
    gain = (second - first).mean(axis=0) * weights
    of_group = np.bincount(groups, gain)
    weight = np.bincount(groups, weights)
    draws = np.random.default_rng(0).multinomial(
        len(of_group), np.full(len(of_group), 1 / len(of_group)), resamples)
    low, high = np.percentile(draws @ of_group / (draws @ weight), (2.5, 97.5))
    return Difference(float(gain.sum()), float(low), float(high))


def right_in_folds(cache, groups, channels, classes, config, folds=3):
    """Cross-validate a recipe on one cache, photo by photo.

    A cache with more passes than `config.repeat` gives its first ones, so one cache serves recipes
    with different `repeat`. Photos are asked about as in pass 0, which must be the clean one, by
    the head of its last epoch: nothing is chosen on the photos that are asked about.

    Args:
        cache: FeatureCache of train, computed with include_clean.
        groups: (P,) int, copies of one photo share a number (see `duplicates.group_ids`).
        channels: int, of the backbone.
        classes: ClassNames.
        config: the configuration; folds, initial weights and order follow from its seed.
        folds: int >= 2.

    Returns:
        (P,) bool: which of the photos were named rightly.

    Raises:
        LabError: fewer passes than `config.repeat`, no clean pass, or more folds than different
            photos of a class.
    """
    image, number = cache.index[:, 0], cache.index[:, 1]
    passes = int(number.max()) + 1
    if config.repeat > passes or not cache.what["include_clean"]:
        raise LabError(f"The cache {cache.folder} has {passes} passes, and its first one is "
                       f"{'clean' if cache.what['include_clean'] else 'augmented'}; expected "
                       f"at least {config.repeat}, and a clean first one (include_clean).")
    rows = cache.features(head_spec(config, channels, len(classes), 0).columns(),
                          config.memory_limit_mb * 2**20)
    clean = np.flatnonzero(number == 0)
    fold_of = grouped_folds(cache.labels[clean], groups, folds, config.seed, classes.folders)
    right = np.zeros(len(clean), bool)
    for fold in range(folds):
        learn = np.flatnonzero((fold_of[image] != fold) & (number < config.repeat))
        ask = clean[fold_of == fold]
        spec = head_spec(config, channels, len(classes), int((fold_of != fold).sum()))
        trainer = make_trainer(spec, Split(rows[learn], cache.labels[learn]),
                               Split(rows[ask], cache.labels[ask]), cache.index[learn],
                               EasyDict(config))
        trainer.train_to_the_end()
        right[fold_of == fold] = trainer.logits(trainer.val).argmax(1) == cache.labels[ask]
    return right
