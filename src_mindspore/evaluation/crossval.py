"""Cross-validation on train alone: what a recipe is worth, without touching val.

    python -m src_mindspore.evaluation.crossval             # recommended preset, 5 folds, 5 seeds
    python -m src_mindspore.evaluation.crossval --preset course_best --cv_seeds 1,2
    python -m src_mindspore.evaluation.crossval --json cv.json
    python -m src_mindspore.evaluation.crossval --lr_max 0.1 --against cv.json     # is it better?
    python -m src_mindspore.evaluation.crossval --backbones efficientnet_lite0,efficientnet_lite1

Folds are stratified and never divide copies of one photo (near-duplicates share a fold). A model
learns from the augmented passes of four folds and is asked about the clean photos of the fifth, at
its last epoch: nothing is chosen on the fold it is asked about. Features come from the cache.
--against compares with an earlier --json, photo by photo and seed by seed.
"""
import dataclasses
import functools
import sys
import time

import numpy as np
from easydict import EasyDict

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.files import read_json, write_json


def main(argv):
    """Cross-validate a configuration and print the table."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cv_seeds", default="1,2,3,4,5")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--against", metavar="FILE")
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, rest, __doc__ + (
        "\nflags of this tool: --folds 5, --cv_seeds 1,2,3,4,5, --json FILE, --against FILE; and "
        "every key below"))
    seeds = parse_seeds(args.cv_seeds)
    other = read_json(args.against) if args.against else None
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.evaluation.compare import compare, require_comparable, sentence
    from src_mindspore.features.of_config import prepare_backbone

    photos = prepare_photos(config)
    asked = {"folds": args.folds, "seeds": seeds,
             "photos": [record.path for record in photos.splits["train"]]}
    if args.against:
        require_comparable(other, asked, args.against)
    backbone = prepare_backbone(config)
    data = crossval_data(photos, backbone, config)
    result = cross_validate(data, backbone, photos.classes, config, args.folds, seeds)
    print_result(result, config.preset)
    if args.against:
        print(sentence(compare(other["wrong"], result["wrong"], data.groups), args.against))
    if args.json:
        write_json(args.json, {**result, **asked, "preset": config.preset, "config": dict(config)})


def parse_seeds(text):
    """Return the list of int that '1,2,3' names.

    Raises:
        LabError: not integers from 0 with commas between.
    """
    if not all(part.strip().isdigit() for part in text.split(",")):
        raise LabError(f"--cv_seeds is {text!r}; expected integers with commas between, for "
                       "example 1,2,3.")
    return [int(part) for part in text.split(",")]


@dataclasses.dataclass
class CrossvalData:
    """Cached features of the train photos: augmented to learn from, clean to be asked about.

    Attributes:
        cache: FeatureCache or JoinedCache of the training views.
        clean: the same of the evaluation views.
        groups: (N,) int, copies of one photo share a number.
        memory_limit_mb: int; larger features stay on disk.
    """

    cache: object
    clean: object
    groups: np.ndarray
    memory_limit_mb: int

    def __post_init__(self):
        # The columns read last: the heads of one recipe all read the same.
        self.rows = functools.lru_cache(1)(self._rows)

    def _rows(self, first, last):
        limit = self.memory_limit_mb * 2**20
        return tuple(c.features(slice(first, last), limit) for c in (self.cache, self.clean))

    def trainer(self, fold_of, fold, channels, classes, config):
        """Return a HeadTrainer that learns from all folds but one, with that one as its val.

        Args:
            fold_of: (N,) int, the fold of each photo.
            fold: int.
            channels: int, of the backbone.
            classes: int.
            config: the configuration.

        Returns:
            (HeadTrainer, HeadSpec).
        """
        return self.trainer_of(self.rows_of(fold_of != fold), np.flatnonzero(fold_of == fold),
                               channels, classes, config)

    def rows_of(self, learnt):
        """Return (R,) int, the rows of the cache that show only photos where (N,) bool is True."""
        # Mixed photos have a partner in a third column; neither of the two may be asked about.
        photos = np.delete(self.cache.index, 1, axis=1)
        return np.flatnonzero(learnt[photos].all(axis=1))

    def trainer_of(self, learn, ask, channels, classes, config, labels=None):
        """Return a HeadTrainer that learns from some rows, with some photos as its val.

        Args:
            learn: (R,) int, rows of the cache.
            ask: (A,) int, photos, asked about clean.
            channels: int, of the backbone.
            classes: int.
            config: the configuration.
            labels: (N,) int, labels to learn instead of the given ones; None: the given ones.

        Returns:
            (HeadTrainer, HeadSpec).
        """
        from src_mindspore.heads.build import head_spec
        from src_mindspore.training.head_of_config import make_trainer
        from src_mindspore.training.rows import Split, subset

        index = self.cache.index[learn]
        given = self.cache.labels[learn] if labels is None else \
            labels[index[:, 0]].astype(np.int32)
        spec = head_spec(config, channels, classes, len(np.unique(index[:, 0])),
                         self.cache.map_side)
        columns = spec.columns()
        rows, clean = self.rows(columns.start, columns.stop)
        return make_trainer(spec, Split(subset(rows, learn), given),
                            Split(subset(clean, ask), self.clean.labels[ask]), index,
                            config), spec


def crossval_data(photos, backbone, config, asked_backbone=None):
    """Return the CrossvalData of a configuration; features that are not cached are computed.

    Args:
        photos: Photos.
        backbone: Backbone.
        config: the configuration.
        asked_backbone: Backbone whose preprocessing reads the photos that are asked about; the
            same as `backbone` when None.

    Raises:
        LabError: some labels of train are pseudo-labels, or classes are to be upsampled.
    """
    refuse_upsampling(config)
    if photos.pseudo_labels:
        raise LabError("Cross-validation would ask about photos whose labels are guesses of a "
                       "model. Leave --pseudo_labels out.")
    from src_mindspore.data.duplicates import group_ids
    from src_mindspore.features.of_config import extract_clean, extract_splits

    cache = extract_splits(photos, backbone, config, ("train",))["train"]
    clean = extract_clean(photos, asked_backbone or backbone, config, "train")
    groups = group_ids(photos.root, photos.splits["train"], progress=False,
                       group_by=config.group_by)
    return CrossvalData(cache, clean, groups, config.memory_limit_mb)


def refuse_upsampling(config):
    """Refuse --upsample where heads are cross-validated.

    Raises:
        LabError: as said.
    """
    if config.upsample:
        raise LabError("Which classes are weak would have to be found anew within every fold, and "
                       "cross-validation does not do that. Leave --upsample out here.")


def cross_validate(data, backbone, classes, config, folds, seeds):
    """Train folds x seeds heads and count.

    Args:
        data: CrossvalData.
        backbone: Backbone.
        classes: ClassNames.
        config: the configuration; its seed is replaced by each of `seeds`.
        folds: int >= 2.
        seeds: list of int; each draws its own folds, initial weights and order.

    Returns:
        dict: n, folds, seeds, correct (one int a seed), wrong (a list of photo numbers a seed),
        top1 (mean), spread (standard deviation over seeds), interval (Wilson 95 % for n photos at
        the mean), seconds.

    Raises:
        LabError: more folds than different photos of a class.
    """
    from src_mindspore.evaluation.metrics import wilson_interval

    labels = data.clean.labels
    correct, wrong, started = [], [], time.perf_counter()
    for number, seed in enumerate(seeds):
        def after_fold(fold, number=number, seed=seed):
            done = number * folds + fold
            elapsed = time.perf_counter() - started
            left = elapsed / done * (folds * len(seeds) - done)
            print(f"\rseed {seed}, fold {fold}/{folds}, {left:4.0f} s left", end="",
                  file=sys.stderr, flush=True)
        logits, _ = out_of_fold_logits(data, backbone, classes,
                                       EasyDict({**config, "seed": seed}), folds, after_fold)
        wrong.append(np.flatnonzero(logits.argmax(1) != labels).tolist())
        right = len(labels) - len(wrong[-1])
        correct.append(right)
        print(f"\rseed {seed}: {right} of {len(labels)}, {right / len(labels):.2%}        ",
              flush=True)
    shares = np.array(correct) / len(labels)
    return {"n": len(labels), "folds": folds, "seeds": seeds, "correct": correct, "wrong": wrong,
            "top1": float(shares.mean()),
            "spread": float(shares.std(ddof=1)) if len(seeds) > 1 else 0.0,
            "interval": list(wilson_interval(round(float(np.mean(correct))), len(labels))),
            "seconds": round(time.perf_counter() - started, 1)}


def out_of_fold_logits(data, backbone, classes, config, folds=5, after_fold=None,
                       folds_seed=None):
    """Ask about every photo of train a head that has not learnt from it, nor from a copy of it.

    Args:
        data: CrossvalData.
        backbone: Backbone.
        classes: ClassNames.
        config: the configuration; its seed draws the initial weights and the order.
        folds: int >= 2.
        after_fold: function of the number of folds done, or None.
        folds_seed: int, draws the folds; None: the configuration's seed.

    Returns:
        (logits, fold_of): (N, C) float32 and (N,) int, in the order of the photos.

    Raises:
        LabError: more folds than different photos of a class.
    """
    from src_mindspore.data.split import grouped_folds

    fold_of = grouped_folds(data.clean.labels, data.groups, folds,
                            config.seed if folds_seed is None else folds_seed, classes.folders)
    logits = np.empty((len(fold_of), len(classes)), np.float32)
    for fold in range(folds):
        trainer, _ = data.trainer(fold_of, fold, backbone.channels, len(classes), config)
        trainer.train_to_the_end()
        logits[fold_of == fold] = trainer.logits(trainer.val)
        if after_fold:
            after_fold(fold + 1)
    return logits, fold_of


def print_result(result, name):
    """Print one line a person can quote."""
    low, high = result["interval"]
    print(f"{name}: {result['top1']:.2%} top-1 in {result['folds']}-fold cross-validation on "
          f"{result['n']} train photos, spread {result['spread']:.2%} over "
          f"{len(result['seeds'])} seeds, 95 % interval {low:.1%} to {high:.1%} "
          f"({result['seconds']:.0f} s)")


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
