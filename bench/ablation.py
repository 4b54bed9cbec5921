"""What every technique of docs/tricks.md brings, measured by cross-validation on train.

    .venv/bin/python -m bench.ablation --data ./datasets/garbage_26x100 --work results/ablation
    .venv/bin/python -m bench.ablation --data FOLDER --work W --folds 2 --group_by '^[^_]+'
    .venv/bin/python -m bench.ablation --data FOLDER --work W --rows "focal loss; ranger"
    .venv/bin/python -m bench.ablation --data FOLDER --work W --without "svm, linear"

First the recommended preset, then each technique alone on the same photos, folds and seeds, then
the techniques that helped together, with seeds that had no say in choosing them. Answers are kept
row by row and seed by seed: the same command goes on where it was interrupted. Any key of config.py
may follow. The table, the picture and a sentence a technique are written into --work.
"""
import os
import sys
import time
from pathlib import Path

import numpy as np
from easydict import EasyDict

from bench.ablation_rows import BASE, COMBINATION, TECHNIQUES, VIEW_KEYS, Technique
from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.crossval import parse_seeds, refuse_upsampling
from src_mindspore.evaluation.paired import paired_difference
from src_mindspore.files import replacing, sha256_of_json

ROWS = {row.name: row for row in (BASE, *TECHNIQUES)}
# Added to the seeds for the combination, so that it is not judged by what chose it.
FRESH = 1000


def main(argv):
    """Measure every row that is not measured yet, then write the report."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data", required="--help" not in argv and "-h" not in argv)
    parser.add_argument("--work", default="results/ablation")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--cv_seeds", default="1,2,3,4,5")
    parser.add_argument("--rows", default="", help="names of rows with ; between; '': all")
    parser.add_argument("--without", default="", help="names of rows to leave out")
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET,
                             ["--preset", "recommended", *rest, "--dataset_path", args.data or ""],
                             __doc__)
    refuse_upsampling(config)
    left_out = set(names_in(args.without)) - {BASE.name}  # all others are compared with it
    chosen = [row for row in rows_named(args.rows) if row.name not in left_out]
    seeds = parse_seeds(args.cv_seeds)
    runtime.start(config.seed)
    from bench.ablation_report import write_report

    bench = Ablation(config, Path(args.work), args.folds)
    measured = {row.name: {} for row in chosen}
    for seed in seeds:  # seed by seed, so that all rows can be compared early
        for row in chosen:
            measured[row.name] |= bench.measure(row, [seed])
    combination = bench.combine(measured, seeds) if not args.rows else None
    write_report(bench, measured, combination, seeds, Path(args.work))


def rows_named(text):
    """Return the techniques that 'a;b' names and what their votes need, the recommended preset
    first; all where it is ''.

    Raises:
        LabError: there is no such row.
    """
    names = names_in(text) or list(ROWS)
    needed = {BASE.name, *names, *(member for name in names for member in ROWS[name].vote)}
    return [row for name, row in ROWS.items() if name in needed]


def names_in(text):
    """Return the names of rows in 'a;b', none in ''.

    Raises:
        LabError: there is no such row.
    """
    names = [part.strip() for part in text.split(";")] if text else []
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise LabError(f"There is no row {unknown[0]!r}; the rows are: {'; '.join(ROWS)} (with "
                       "semicolons between).")
    return names


class Ablation:
    """Photos, their groups, and the answers so far.

    Args:
        config: the configuration, of the recommended preset.
        work: Path, where answers are kept.
        folds: int.

    Attributes:
        labels, groups: (N,) int, of the photos that are asked about.
        classes: ClassNames.
    """

    def __init__(self, config, work, folds):
        from src_mindspore.data.duplicates import group_ids

        self.config, self.work, self.folds = config, work, folds
        self.photos = all_of_train(config)
        self.classes = self.photos.classes
        records = self.photos.splits["train"]
        self.labels = np.array([record.label for record in records])
        self.groups = group_ids(self.photos.root, records, progress=False,
                                group_by=config.group_by)
        self.identity = sha256_of_json([[r.path, r.sha256] for r in records])
        self.data = {}  # CrossvalData of the last cache alone: each may be large

    def measure(self, row, seeds):
        """Return the answers of a row: dict seed -> dict with logits (N, C), seconds."""
        answers = {}
        for seed in seeds:
            config = EasyDict({**self.config, **row.changes, "seed": seed})
            path = self.work / "answers" / f"{self._key(row, config)}.npz"
            if not path.exists():
                started = time.perf_counter()
                scores = self._vote(row, seed) if row.vote else self._train(row, config)
                with replacing(path) as temporary:
                    np.savez_compressed(temporary, scores=scores.astype(np.float32),
                                        seconds=time.perf_counter() - started)
            with np.load(path, allow_pickle=False) as kept:
                answers[seed] = {"scores": kept["scores"], "seconds": float(kept["seconds"])}
            right = (answers[seed]["scores"].argmax(1) == self.labels).mean()
            print(f"{row.name}, seed {seed}: {right:.2%}, {answers[seed]['seconds']:.0f} s",
                  flush=True)
        return answers

    def _key(self, row, config):
        what = {name: value for name, value in config.items() if name not in (
            "dataset_path", "features_path", "results_path", "workers", "engine", "language",
            "run_name", "memory_limit_mb")}
        vote = [self._key(r, EasyDict({**config, **r.changes}))
                for r in rows_named(";".join(row.vote)) if r.name in row.vote] if row.vote else []
        return sha256_of_json([what, row.views, vote, row.by, self.folds,
                               self.identity, self.groups.tolist()])[:24]

    def _folds(self, seed):
        from src_mindspore.data.split import grouped_folds
        return grouped_folds(self.labels, self.groups, self.folds, seed, self.classes.folders)

    def _train(self, row, config):
        """Return (N, C) scores of heads that have not learnt from a photo nor from its copies."""
        data, channels = self._crossval_data(config)
        fold_of = self._folds(config.seed)
        scores = np.empty((len(self.labels), len(self.classes)), np.float32)
        for fold in range(self.folds):
            trainer, spec = data.trainer(fold_of, fold, channels, len(self.classes), config)
            trainer.train_to_the_end()
            asked = fold_of == fold
            scores[asked] = self._views(trainer, spec, data.cache, asked) if row.views \
                else trainer.logits(trainer.val)
        return scores

    def _views(self, trainer, spec, cache, asked):
        """Return the mean probabilities of all passes of the photos that `asked` marks."""
        from scipy.special import softmax

        from src_mindspore.training.rows import apply_in_chunks, joined
        rows = np.flatnonzero(asked[cache.index[:, 0]])
        features = cache.features(spec.columns())[rows]
        prepared = joined(apply_in_chunks(trainer.head.prepare, features), len(rows))
        said = softmax(joined(apply_in_chunks(trainer.head.dense, prepared), len(rows)), axis=1)
        total = np.zeros((len(asked), said.shape[1]))
        np.add.at(total, cache.index[rows, 0], said)
        return total[asked]

    def _crossval_data(self, config):
        from src_mindspore.evaluation.crossval import CrossvalData
        from src_mindspore.features.of_config import (
            extract_clean,
            extract_splits,
            prepare_backbone,
        )
        views = tuple(config[name] for name in VIEW_KEYS)
        if self.data.get("views") != views:
            # The seed of the views stays that of the preset: one cache serves all seeds.
            fixed = EasyDict({**config, "seed": self.config.seed})
            backbone = prepare_backbone(fixed)
            self.data = {"views": views, "channels": backbone.channels, "data": CrossvalData(
                extract_splits(self.photos, backbone, fixed, ("train",))["train"],
                extract_clean(self.photos, backbone, fixed, "train"), self.groups,
                config.memory_limit_mb)}
        return self.data["data"], self.data["channels"]

    def _vote(self, row, seed):
        from scipy.special import softmax

        from src_mindspore.ensemble.combine import combine
        from src_mindspore.training.calibration import fit_temperature
        said = []
        for member in rows_named(";".join(row.vote)):
            if member.name in row.vote:
                scores = self.measure(member, [seed])[seed]["scores"]
                said.append(softmax(scores / fit_temperature(scores, self.labels), axis=1))
        return combine(row.by, np.array(said), self.labels, self._folds(seed)).out_of_fold

    def right(self, answers):
        """Return (S, N) bool: which photos the seeds of a row were right about."""
        return np.array([a["scores"].argmax(1) == self.labels for a in answers.values()])

    def macro_weights(self):
        """Return (N,) weights that make an accuracy the macro recall."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return 1 / counts[self.labels] / (counts > 0).sum()

    def differences(self, base, answers):
        """Return (of top-1, of macro recall): two Difference of a row and the base."""
        first, second = self.right(base), self.right(answers)
        return (paired_difference(first, second, self.groups),
                paired_difference(first, second, self.groups, self.macro_weights()))

    def combine(self, measured, seeds):
        """Put the techniques together that gained, the best of each place, and ask fresh seeds.

        Returns:
            (Technique or None, answers, base answers on the same fresh seeds).
        """
        gains = {}
        for row in TECHNIQUES:
            if not row.changes or row.name not in measured:
                continue  # left out; or votes and views, which add to any head
            gain = sum(d.mean for d in self.differences(measured[BASE.name], measured[row.name]))
            if gain > max(0, gains.get(row.place, (0, None))[0]):
                gains[row.place] = gain, row
        if not gains:
            return None, {}, {}
        if gains.get("head", (0, BASE))[1].name.startswith("svm"):
            # A machine is fitted at once: what belongs to training does not reach it; and it puts
            # each photo into one class, so it takes no mixed ones.
            gains = {place: (gain, row) for place, (gain, row) in gains.items() if place == "head"
                     or place != "mix" and set(row.changes) <= set(VIEW_KEYS)}
        changes, parts = {}, []
        for _, row in sorted(gains.values(), key=lambda gain: -gain[0]):
            # A rate that came with an optimizer or with a head is no rate for the other: of two
            # parts that set one key the better one stays.
            if not changes.keys() & row.changes.keys():
                changes |= row.changes
                parts.append(row)
        names = " + ".join(row.name for row in TECHNIQUES if row in parts)
        row = Technique(f"{COMBINATION}: {names}", changes)
        fresh = [seed + FRESH for seed in seeds]
        return row, self.measure(row, fresh), self.measure(BASE, fresh)


def all_of_train(config):
    """Return the Photos with everything that was given for training in `train`: a val split that
    was drawn from it, because the folder has none, is joined again."""
    import dataclasses

    from src_mindspore.data.prepare import prepare_photos
    photos = prepare_photos(config)
    records = list(photos.splits["train"])
    if not (Path(photos.root) / "val").is_dir():
        records += photos.splits["val"]
    records.sort(key=lambda record: record.path)
    return dataclasses.replace(photos, splits={"train": records})


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    run_as_script(main, sys.argv[1:])
