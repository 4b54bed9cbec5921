"""What cleaning brings where labels are wrong: wrong labels are injected, searched, and removed.

    python -m bench.cleaning                                  # 10 % wrong labels, 3 folds, 3 seeds
    python -m bench.cleaning --noise 0.2 --cv_seeds 1 --json cleaning.json

Cross-validated on train. In every outer fold a share of the labels to learn from is exchanged for
another class, drawn at random; the search sees these labels alone. Heads then learn from the true
labels, the wrong ones, without the suspects, and with the suspects relabelled as suggested; all
are asked about the photos of the fold, seen clean, with their true labels.
"""
import dataclasses
import sys
import time

import numpy as np
from easydict import EasyDict
from scipy.special import softmax

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.errors import LabError, require_package, run_as_script

WAYS = ("true labels", "wrong labels", "suspects dropped", "suspects relabelled")


def main(argv):
    """Measure and print the table."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--cv_seeds", default="1,2,3")
    parser.add_argument("--json", metavar="FILE")
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, rest, __doc__ + (
        "\nflags of this tool: --noise 0.1, --folds 3, --cv_seeds 1,2,3, --json FILE; and every "
        "key below"))
    if not 0 < args.noise < 0.5:
        raise LabError(f"--noise is {args.noise}; expected a share between 0 and 0.5.")
    require_package("cleanlab", "The search for wrong labels")
    runtime.start(config.seed)
    from src_mindspore.data.duplicates import group_ids
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.evaluation.crossval import CrossvalData, parse_seeds, refuse_upsampling
    from src_mindspore.features.of_config import extract_splits, prepare_backbone
    from src_mindspore.features.stacked import FirstPass
    from src_mindspore.files import write_json

    refuse_upsampling(config)
    photos = prepare_photos(config)
    backbone = prepare_backbone(config)
    cache = extract_splits(photos, backbone, config, ("train",))["train"]
    data = CrossvalData(cache, FirstPass(cache),
                        group_ids(photos.root, photos.splits["train"], progress=False),
                        config.memory_limit_mb)
    bench = Bench(data, backbone.channels, photos.classes, args.folds)
    started, results = time.perf_counter(), []
    for seed in parse_seeds(args.cv_seeds):
        results.append(bench.measure(args.noise, EasyDict({**config, "seed": seed})))
        print_result(results, len(data.clean.labels), time.perf_counter() - started)
    if args.json:
        write_json(args.json, {"noise": args.noise, "folds": args.folds, "results": results,
                               "n": len(data.clean.labels), "config": dict(config)})


class Bench:
    """Cross-validation with labels that are wrong on purpose.

    Args:
        data: CrossvalData.
        channels: int, of the backbone.
        classes: ClassNames.
        folds: int, of the outer cross-validation and of the search within.
    """

    def __init__(self, data, channels, classes, folds):
        self.data, self.channels, self.classes, self.folds = data, channels, classes, folds
        self.truth = data.clean.labels

    def measure(self, noise, config):
        """Return a dict: right photos of every way, and injected, found and suspected ones."""
        from src_mindspore.data.split import grouped_folds

        fold_of = grouped_folds(self.truth, self.data.groups, self.folds, config.seed,
                                self.classes.folders)
        total = dict.fromkeys([*WAYS, "injected", "found", "suspects", "rightly relabelled"], 0)
        for fold in range(self.folds):
            learnt = fold_of != fold
            labels = self.spoil(learnt, noise, np.random.default_rng([config.seed, fold]))
            suspects = self.search(learnt, labels, config)
            numbers = np.array([s.number for s in suspects], int)
            mended = labels.copy()
            mended[numbers] = [s.suggested for s in suspects]
            kept = learnt.copy()
            kept[numbers] = False
            wrong = learnt & (labels != self.truth)
            total["injected"] += int(wrong.sum())
            total["found"] += int(wrong[numbers].sum())
            total["suspects"] += len(numbers)
            total["rightly relabelled"] += int(
                (wrong & (mended == self.truth))[numbers].sum())
            for way, (given, on) in zip(WAYS, (
                    (self.truth, learnt), (labels, learnt), (labels, kept), (mended, learnt)),
                    strict=True):
                ask = np.flatnonzero(fold_of == fold)
                answers = self.answers(on, ask, given, config)
                total[way] += int((answers.argmax(1) == self.truth[ask]).sum())
            print(f"\rseed {config.seed}: fold {fold + 1} of {self.folds}", end="",
                  file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return {"seed": config.seed, **total}

    def spoil(self, learnt, noise, rng):
        """Return (N,) labels, a share of those to learn from exchanged for another class."""
        labels = self.truth.copy()
        photos = np.flatnonzero(learnt)
        chosen = rng.permutation(photos)[:round(noise * len(photos))]
        labels[chosen] = (labels[chosen] + rng.integers(1, len(self.classes), len(chosen))) \
            % len(self.classes)
        return labels

    def search(self, learnt, labels, config):
        """Return the suspects among the photos to learn from, found with their labels alone."""
        from src_mindspore.data.cleaning import find_suspects
        from src_mindspore.data.split import grouped_folds
        from src_mindspore.training.calibration import fit_temperature

        photos = np.flatnonzero(learnt)
        inner = np.full(len(labels), -1)
        inner[photos] = grouped_folds(labels[photos], self.data.groups[photos], self.folds,
                                      config.seed, self.classes.folders)
        logits = np.empty((len(labels), len(self.classes)), np.float32)
        for fold in range(self.folds):
            ask = np.flatnonzero(inner == fold)
            logits[ask] = self.answers(learnt & (inner != fold), ask, labels, config)
        temperature = fit_temperature(logits[photos], labels[photos])
        found = find_suspects(labels[photos],
                              softmax(logits[photos].astype(np.float64) / temperature, axis=1))
        return [dataclasses.replace(s, number=int(photos[s.number])) for s in found]

    def answers(self, learnt, ask, labels, config):
        """Return (A, C) logits about photos, of a head that learnt from others."""
        trainer, _ = self.data.trainer_of(self.data.rows_of(learnt), ask, self.channels,
                                          len(self.classes), config, labels)
        trainer.train_to_the_end()
        return trainer.logits(trainer.val)


def print_result(results, n, seconds):
    """Print the table of all seeds so far."""
    from src_mindspore.evaluation.metrics import wilson_interval
    from src_mindspore.evaluation.tables import format_percent, format_table

    def total(key):
        return sum(result[key] for result in results)

    rows = []
    for way in WAYS:
        shares = np.array([result[way] for result in results]) / n
        low, high = wilson_interval(round(shares.mean() * n), n)
        rows.append((way, format_percent(shares.mean()),
                     f"{100 * shares.std(ddof=1):.2f}" if len(shares) > 1 else None,
                     f"{100 * low:.1f} to {100 * high:.1f} %"))
    print(format_table(("learnt from", "top-1", "spread", f"95 % interval (n = {n})"), rows))
    print(f"{len(results)} seeds, {seconds:.0f} s: {total('injected')} wrong labels injected, "
          f"{total('found') / total('injected'):.1%} of them found; "
          f"{total('found') / total('suspects'):.1%} of {total('suspects')} suspects were "
          f"injected; {total('rightly relabelled') / total('found'):.1%} of the found would be "
          "relabelled rightly", flush=True)


if __name__ == "__main__":
    run_as_script(main)
