"""What each part of the fused model adds: backbones, joining, SVD, attention; and our head.

    .venv/bin/python -m bench.fused_ablation --work results/ablation
    .venv/bin/python -m bench.fused_ablation --work results/ablation --cv_seeds 1,2 --repeat 6

Every recipe is cross-validated on train alone (5 folds, copies of one photo in one fold) and asked
about the clean photos; a seed draws folds, initial weights and order. The features are computed
once for all recipes: by default one clean pass of every photo, so that a difference is one of the
part that changes; any key of config.py is a flag and holds for every recipe. A seed of a recipe
that is done is not repeated. In the paired test a photo counts as named rightly where most seeds
did so.
"""
import sys
from pathlib import Path

import numpy as np
from easydict import EasyDict

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.crossval import parse_seeds
from src_mindspore.evaluation.tables import format_table
from src_mindspore.files import npy_bytes, sha256_of_json, write_bytes, write_json

FOLDS = 5
# What all recipes share unless a flag says otherwise; the classifier's training is the reference's.
COMMON = {"preset": "fused", "repeat": 1, "include_clean": True, "batch_size": 64}
SINGLE = {"head": "linear", "attention": "none"}
JOINED = "joined"
# name -> (which of the members, changes)
RECIPES = {
    **{f"member {number}": (number, SINGLE) for number in (1, 2, 3)},
    JOINED: (0, SINGLE),
    "+ SVD": (0, {"attention": "none"}),
    "+ SVD + attention (softmax)": (0, {"attention": "softmax"}),
    "+ SVD + attention (sigmoid)": (0, {"attention": "sigmoid"}),
    "ours: joined, RBF head": (0, {key: PRESETS["best_ensemble"][key] for key in (
        "head", "epochs", "batch_size", "optimizer", "lr_max", "lr_end", "decay_type",
        "weight_decay", "label_smoothing")} | {"attention": "none", "dropout": 0.0}),
    "joined + attention (softmax)": (0, {"head": "linear", "attention": "softmax"}),
}


def main(argv):
    """Cross-validate every recipe that is not done, print the table, draw the picture."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--work", default="results/ablation", metavar="FOLDER")
    parser.add_argument("--cv_seeds", default="1,2,3,4,5")
    parser.add_argument("--recipes", metavar="NUMBERS", help="1,2,5: some of them")
    args, rest = parser.parse_known_args(argv)
    given = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, [
        part for name, value in COMMON.items() for part in (f"--{name}", str(value))] + rest,
        __doc__ + "\nflags of this tool: --work FOLDER, --cv_seeds 1,2,3,4,5, --recipes 1,2,5; "
        "and every key below")
    seeds = parse_seeds(args.cv_seeds)
    chosen = recipes_named(args.recipes)
    runtime.start(given.seed)
    from src_mindspore.data.duplicates import group_ids
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.features.of_config import extract_splits, prepare_backbone

    if not given.backbones:
        raise LabError("backbones is empty; an ablation of a fused model needs two or more. Leave "
                       "it out, or name them: --backbones A,B.")
    photos = prepare_photos(given)
    joined = prepare_backbone(given)
    whole = extract_splits(photos, joined, given, ("train",))["train"]
    members = list(joined.members)
    groups = group_ids(photos.root, photos.splits["train"], progress=False)
    rights = {}
    for name in chosen:
        number, changes = RECIPES[name]
        if number > len(members):
            continue
        cache, channels, shown = whole, joined.channels, name
        if number:
            shown = members[number - 1]
            cache, channels = whole.caches[shown], joined.members[shown].channels
        config = EasyDict({**given, **{key: KEYS[key].rule.parse(value)
                                       for key, value in changes.items()}})
        rights[shown] = {seed: right_of(Path(args.work), shown, cache, groups, channels,
                                        photos.classes, EasyDict({**config, "seed": seed}))
                         for seed in seeds}
    report(rights, Path(args.work))


def recipes_named(numbers):
    """Return the names of the recipes that '1,2,5' counts, all where it is None.

    Raises:
        LabError: not numbers of recipes.
    """
    names = list(RECIPES)
    if numbers is None:
        return names
    try:
        return [names[range(1, len(names) + 1).index(int(number))]
                for number in numbers.split(",")]
    except ValueError:
        raise LabError(f"--recipes is {numbers!r}; expected numbers from 1 to {len(names)} with "
                       "commas between.") from None


def right_of(work, name, cache, groups, channels, classes, config):
    """Return which photos a recipe named rightly with one seed: (P,) bool; from a file if done."""
    from src_mindspore.evaluation.paired import right_in_folds

    # Where things are does not change what comes out.
    decides = {key: value for key, value in config.items()
               if key not in ("features_path", "results_path", "workers", "run_name", "language")}
    path = work / f"{sha256_of_json([name, cache.key, FOLDS, decides])[:16]}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    right = right_in_folds(cache, groups, channels, classes, config, FOLDS)
    write_bytes(path, npy_bytes(right))
    print(f"{name}, seed {config.seed}: {right.sum()} of {len(right)}, {right.mean():.2%}",
          flush=True)
    return right


def report(rights, work):
    """Print the table of recipes and write it with its picture.

    Args:
        rights: dict from recipe to dict from seed to (P,) bool.
        work: Path, where ablation.json and ablation.png go.
    """
    from src_mindspore.evaluation.metrics import wilson_interval
    from src_mindspore.evaluation.paired import mcnemar
    from src_mindspore.evaluation.plots_recipe import plot_rungs

    most = {name: np.mean(list(by_seed.values()), axis=0) > 0.5
            for name, by_seed in rights.items()}
    rows, stored = [], {}
    for name, by_seed in rights.items():
        shares = np.array([right.mean() for right in by_seed.values()])
        count = len(most[name])
        low, high = wilson_interval(round(float(shares.mean()) * count), count)
        spread = float(shares.std(ddof=1)) if len(shares) > 1 else 0.0
        stored[name] = {"n": count, "seeds": list(by_seed), "top1": float(shares.mean()),
                        "spread": spread, "interval": [low, high]}
        paired = ""
        if name != JOINED and JOINED in most:
            test = mcnemar(most[name], most[JOINED])
            paired = f"{test.only_first} : {test.only_second}, p = {test.p_value:.2g}"
            stored[name]["against_joined"] = [test.only_first, test.only_second, test.p_value]
        rows.append((name, f"{shares.mean():.2%}", f"{spread:.2%}", f"{low:.1%} to {high:.1%}",
                     paired))
    seeds = len(next(iter(rights.values())))
    print("\n" + format_table(("recipe", f"top-1, {seeds} seeds", "spread", "95 % interval",
                               "only it : only joined right"), rows))
    write_json(work / "ablation.json", stored)
    plot_rungs({name: np.array(list(by_seed.values())) for name, by_seed in rights.items()},
               work / "ablation.png")
    print(f"\n{work / 'ablation.json'}, {work / 'ablation.png'}")


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
