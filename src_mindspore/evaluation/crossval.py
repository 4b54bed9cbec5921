"""Cross-validation on train alone: what a recipe is worth, without touching val.

    python -m src_mindspore.evaluation.crossval             # recommended preset, 5 folds, 5 seeds
    python -m src_mindspore.evaluation.crossval --preset course_best --cv_seeds 1,2
    python -m src_mindspore.evaluation.crossval --lr_max 0.1 --json cv.json
    python -m src_mindspore.evaluation.crossval --backbones efficientnet_lite0,efficientnet_lite1

Folds are stratified and never divide copies of one photo (near-duplicates share a fold). A model
learns from the augmented passes of four folds and is asked about the clean photos of the fifth, at
its last epoch: nothing is chosen on the fold it is asked about. Features come from the cache.
"""
import sys
import time

import numpy as np
from easydict import EasyDict

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.errors import LabError, run_as_script


def main(argv):
    """Cross-validate a configuration and print the table."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cv_seeds", default="1,2,3,4,5")
    parser.add_argument("--backbones", metavar="A,B,...")
    parser.add_argument("--json", metavar="FILE")
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, rest, __doc__ + (
        "\nflags of this tool: --folds 5, --cv_seeds 1,2,3,4,5, --json FILE, "
        "--backbones A,B,... (features joined); and every key below"))
    seeds = parse_seeds(args.cv_seeds)
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.features.of_config import prepare_backbone

    photos = prepare_photos(config)
    if args.backbones:
        data, backbone = fused_data(photos, args.backbones, config)
    else:
        backbone = prepare_backbone(config)
        data = CrossvalData(photos, backbone, config)
    result = cross_validate(data, backbone, photos.classes, config, args.folds, seeds)
    print_result(result, config.preset)
    if args.json:
        from src_mindspore.files import write_json
        write_json(args.json, {**result, "preset": config.preset, "backbones": args.backbones,
                               "config": dict(config)})


def parse_seeds(text):
    """Return the list of int that '1,2,3' names.

    Raises:
        LabError: not integers from 0 with commas between.
    """
    if not all(part.strip().isdigit() for part in text.split(",")):
        raise LabError(f"--cv_seeds is {text!r}; expected integers with commas between, for "
                       "example 1,2,3.")
    return [int(part) for part in text.split(",")]


class CrossvalData:
    """Cached features of the train photos: augmented to learn from, clean to be asked about.

    Args:
        photos: Photos.
        backbone: Backbone.
        config: the configuration.
        asked_backbone: Backbone whose preprocessing reads the photos that are asked about; the
            same as `backbone` when None.

    Attributes:
        cache: FeatureCache of the training views.
        clean: FeatureCache of the evaluation views.
        groups: (N,) int, copies of one photo share a number.
    """

    def __init__(self, photos, backbone, config, asked_backbone=None):
        from src_mindspore.data.duplicates import group_ids
        from src_mindspore.features.of_config import extract_clean, extract_splits

        self.cache = extract_splits(photos, backbone, config, ("train",))["train"]
        self.clean = extract_clean(photos, asked_backbone or backbone, config, "train")
        self.groups = group_ids(photos.root, photos.splits["train"], progress=False)


def fused_data(photos, names, config):
    """Return (CrossvalData, FusedShape) of several backbones whose features are joined.

    Args:
        photos: Photos.
        names: str, 'a,b,c'.
        config: the configuration; see `fused.member_config` for what a member changes.

    Raises:
        LabError: see `parse_members` and `JoinedCache`.
    """
    from src_mindspore.features.fused import FusedShape, JoinedCache, member_config, parse_members
    from src_mindspore.features.of_config import prepare_backbone

    members = {}
    for name in parse_members(names, KEYS):
        own = member_config(config, name, KEYS, PRESETS, DEFAULT_PRESET)
        members[name] = CrossvalData(photos, prepare_backbone(own), own)
    data = next(iter(members.values()))
    data.cache = JoinedCache({name: member.cache for name, member in members.items()})
    data.clean = JoinedCache({name: member.clean for name, member in members.items()})
    return data, FusedShape(data.cache.channels)


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
        dict: n, folds, seeds, correct (one int a seed), top1 (mean), spread (standard deviation
        over seeds), interval (Wilson 95 % for n photos at the mean), seconds.

    Raises:
        LabError: more folds than different photos of a class.
    """
    from src_mindspore.data.split import grouped_folds
    from src_mindspore.evaluation.metrics import wilson_interval
    from src_mindspore.heads.build import head_spec
    from src_mindspore.training.head_of_config import make_trainer
    from src_mindspore.training.loop import Split

    columns = head_spec(config, backbone.channels, len(classes), 0).columns()
    rows = data.cache.features(columns)
    clean = data.clean.features(columns)
    labels = data.clean.labels
    image_of_row = data.cache.index[:, 0]
    correct, started = [], time.perf_counter()
    for number, seed in enumerate(seeds):
        fold_of = grouped_folds(labels, data.groups, folds, seed, classes.folders)
        right = 0
        for fold in range(folds):
            learn = np.flatnonzero(fold_of[image_of_row] != fold)
            ask = np.flatnonzero(fold_of == fold)
            spec = head_spec(config, backbone.channels, len(classes), int((fold_of != fold).sum()))
            trainer = make_trainer(
                spec, Split(rows[learn], data.cache.labels[learn]), Split(clean[ask], labels[ask]),
                data.cache.index[learn], EasyDict({**config, "seed": seed}))
            trainer.train_to_the_end()
            right += int((trainer.logits(trainer.val).argmax(1) == labels[ask]).sum())
            done = number * folds + fold + 1
            elapsed = time.perf_counter() - started
            left = elapsed / done * (folds * len(seeds) - done)
            print(f"\rseed {seed}, fold {fold + 1}/{folds}, {left:4.0f} s left", end="",
                  file=sys.stderr, flush=True)
        correct.append(right)
        print(f"\rseed {seed}: {right} of {len(labels)}, {right / len(labels):.2%}        ",
              flush=True)
    shares = np.array(correct) / len(labels)
    return {"n": len(labels), "folds": folds, "seeds": seeds, "correct": correct,
            "top1": float(shares.mean()),
            "spread": float(shares.std(ddof=1)) if len(seeds) > 1 else 0.0,
            "interval": list(wilson_interval(round(float(np.mean(correct))), len(labels))),
            "seconds": round(time.perf_counter() - started, 1)}


def print_result(result, name):
    """Print one line a person can quote."""
    low, high = result["interval"]
    print(f"{name}: {result['top1']:.2%} top-1 in {result['folds']}-fold cross-validation on "
          f"{result['n']} train photos, spread {result['spread']:.2%} over "
          f"{len(result['seeds'])} seeds, 95 % interval {low:.1%} to {high:.1%} "
          f"({result['seconds']:.0f} s)")


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
