"""Two cross-validations of the same photos, compared photo by photo and seed by seed."""
import dataclasses

import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.evaluation.paired import Difference, paired_difference


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A recipe beside an earlier one.

    Attributes:
        difference: Difference of top-1, this one minus the earlier one.
        both, earlier_alone, alone: int, photos that were named wrongly by most seeds of both
            recipes, of the earlier one alone, of this one alone.
    """

    difference: Difference
    both: int
    earlier_alone: int
    alone: int


def require_comparable(earlier, asked, name):
    """Refuse a result of other photos, folds or seeds: nothing could be compared in pairs.

    Args:
        earlier: dict that `crossval --json` wrote.
        asked: dict with the folds, seeds and photos of this run.
        name: str, the earlier file, for the message.

    Raises:
        LabError: as said, or the file does not say which photos were named wrongly.
    """
    if not isinstance(earlier, dict) or "wrong" not in earlier or "photos" not in earlier:
        raise LabError(f"{name} does not say which photos were named wrongly. Expected a file that "
                       "`python -m src_mindspore.evaluation.crossval --json FILE` wrote.")
    for key, flag in (("folds", "--folds"), ("seeds", "--cv_seeds")):
        if earlier.get(key) != asked[key]:
            raise LabError(f"{name} has {key} {earlier.get(key)}, this run {asked[key]}; only the "
                           f"same can be compared in pairs. Give the same {flag}.")
    if earlier["photos"] != asked["photos"]:
        raise LabError(f"{name} is about {len(earlier['photos'])} photos of train, this run about "
                       f"{len(asked['photos'])}, and they are not the same. Give the same "
                       "--dataset_path, or make that file anew.")


def compare(earlier, wrong, groups):
    """Compare two recipes.

    Args:
        earlier, wrong: lists of a list of photo numbers a seed: those named wrongly.
        groups: (N,) int, copies of one photo share a number.

    Returns:
        Comparison.
    """
    photos = np.arange(len(groups))
    first, second = (np.array([~np.isin(photos, numbers) for numbers in by_seed])
                     for by_seed in (earlier, wrong))
    mostly_first, mostly_second = (right.mean(axis=0) < 0.5 for right in (first, second))
    return Comparison(paired_difference(first, second, groups),
                      int((mostly_first & mostly_second).sum()),
                      int((mostly_first & ~mostly_second).sum()),
                      int((~mostly_first & mostly_second).sum()))


def sentence(comparison, name):
    """Return what a comparison says, for people."""
    d = comparison.difference
    return (f"against {name}: {100 * d.mean:+.2f} points of top-1, 95 % interval "
            f"{100 * d.low:+.2f} to {100 * d.high:+.2f} on the same photos and seeds: {d.verdict}. "
            f"Photos that most seeds name wrongly: {comparison.both} by both, "
            f"{comparison.earlier_alone} by that one alone, {comparison.alone} by this one alone.")
