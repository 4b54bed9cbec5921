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
