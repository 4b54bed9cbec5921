"""Let the model label further photos, learn from the sure ones, and stop when it does not help.

    python -m src_mindspore.training.pseudo_labels --unlabelled ./more_photos
    python train_head.py --pseudo_labels results/pseudo_labels/more_photos/pseudo_labels.csv

Round by round: a head trained on train names the unlabelled photos; those it is sure of, by
thresholds of their class (thresholds.py), join train with the class it named; the head is trained
anew and measured on val. The first round takes the strictest level, each further one the next; a
level that adds nothing is passed over. A round after which val is not better is rolled back and is
the last. What each round took is kept: round_N/taken.csv, round_N/taken_1.png and so on (the least
sure first) and round_N/round.json.

Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural
Networks", ICML 2013 Workshop. Photos of the folder that train, val or test know are refused.
"""
import dataclasses
import shutil
from pathlib import Path

import numpy as np
from scipy.special import softmax

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import files, runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.data.pseudo import write_pseudo_labels
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.gallery import CAPTION_WIDTH, PLAIN, RIGHT, plot_photos
from src_mindspore.evaluation.tables import format_percent, shorten
from src_mindspore.training.thresholds import accept, class_room, class_thresholds

LEVELS = (0.99, 0.97, 0.95)
PHOTOS_A_SHEET = 48

WORDS = {
    "en": {"title": "round {number}: {n} photos taken, the least sure first ({first} to {last})",
           "taken": "taken for: {name} {share}", "level": "level {level}"},
    "zh": {"title": "第 {number} 轮：采纳 {n} 张，按置信度从低到高排列（第 {first} 至 {last} 张）",
           "taken": "采纳为：{name} {share}", "level": "第 {level} 档阈值"},
}


@dataclasses.dataclass(frozen=True)
class Round:
    """What one round took and what came of it.

    Attributes:
        number: int, 0 is train alone.
        numbers, labels, levels: (K,) int, which unlabelled photos, their classes, the levels met.
        confidences: (K,) float.
        score: dict with val_top1, val_loss, and epoch (the number of the round), as `rank` reads.
        probabilities: (U, C) float of all unlabelled photos, by the head of this round.
    """

    number: int
    numbers: np.ndarray
    labels: np.ndarray
    levels: np.ndarray
    confidences: np.ndarray
    score: dict
    probabilities: np.ndarray


class Learner:
    """Trains heads on train and some unlabelled photos, from features that are cached.

    Args:
        caches: dict with FeatureCache 'train' and 'val'.
        extra: FeatureCache of the training views of all unlabelled photos.
        clean: FeatureCache of their evaluation views.
        backbone: Backbone.
        classes: ClassNames.
        temperature: float, divides logits for probabilities.
        config: the configuration.
    """

    def __init__(self, caches, extra, clean, backbone, classes, temperature, config):
        from src_mindspore.heads.build import head_spec
        from src_mindspore.training.rows import Split

        self.caches, self.extra, self.config = caches, extra, config
        self.channels, self.classes, self.temperature = backbone.channels, len(classes), temperature
        self.columns = head_spec(config, self.channels, self.classes, 1,
                                 caches["train"].map_side).columns()
        self.val = Split(caches["val"].features(self.columns), caches["val"].labels)
        self.asked = clean.features(self.columns)

    def learn(self, number, numbers, labels, levels=(), confidences=()):
        """Train with some unlabelled photos and return the Round.

        Args:
            number: int, of the round.
            numbers, labels: (K,) int, which unlabelled photos join train, as what.
            levels, confidences: (K,), kept in the Round.
        """
        from src_mindspore.heads.build import head_spec
        from src_mindspore.training.head_of_config import make_trainer
        from src_mindspore.training.loop import scores
        from src_mindspore.training.rows import Split, apply_in_chunks, joined

        train, photos = self.caches["train"], self.caches["train"].photos
        label_of = np.full(self.extra.photos, -1, np.int32)
        label_of[numbers] = labels
        used = np.flatnonzero(label_of[self.extra.index[:, 0]] >= 0)
        rows = np.concatenate((train.features(self.columns),
                               self.extra.features(self.columns)[used]))
        given = np.concatenate((train.labels, label_of[self.extra.index[used, 0]]))
        index = np.concatenate((train.index, self.extra.index[used] + (photos, 0)))
        spec = head_spec(self.config, self.channels, self.classes, photos + len(numbers),
                         train.map_side)
        trainer = make_trainer(spec, Split(rows, given), self.val, index, self.config)
        trainer.train_to_the_end()
        score = scores(trainer.logits(trainer.val) / self.temperature, self.val.labels)
        prepared = joined(apply_in_chunks(trainer.head.prepare, self.asked), len(self.asked))
        logits = joined(apply_in_chunks(trainer.head.dense, prepared), len(prepared))
        return Round(number, np.asarray(numbers), np.asarray(labels), np.asarray(levels),
                     np.asarray(confidences),
                     {"epoch": number, "val_top1": score["top1"], "val_loss": score["loss"]},
                     softmax(logits.astype(np.float64) / self.temperature, axis=1))


def run_rounds(learner, thresholds, room, most_rounds, report):
    """Take photos round by round until val stops gaining.

    Args:
        learner: Learner.
        thresholds: (L, C) float.
        room: (C,) int.
        most_rounds: int.
        report: function (Round, was it kept).

    Returns:
        Round, the best one; number 0 where no round helped.
    """
    from src_mindspore.training.selection import rank

    best = learner.learn(0, np.zeros(0, int), np.zeros(0, int))
    report(best, True)
    number = opened = 0
    while number < most_rounds:
        opened += 1
        numbers, labels, levels = accept(best.probabilities, thresholds[:opened], room)
        if np.array_equal(numbers, best.numbers) and np.array_equal(labels, best.labels):
            if opened < len(thresholds):
                print(f"level {opened}: nothing new to take; the next one")
                continue
            print(f"round {number + 1}: nothing new to take at any level; done")
            break
        number += 1
        confidences = best.probabilities[numbers].max(axis=1)
        tried = learner.learn(number, numbers, labels, levels, confidences)
        kept = rank(tried.score) < rank(best.score)
        report(tried, kept)
        if not kept:
            break
        best = tried
    return best


def main(argv):
    """Label the photos of a folder in rounds; write what was taken."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--unlabelled", metavar="FOLDER")
    parser.add_argument("--levels", default=",".join(map(str, LEVELS)))
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", metavar="FOLDER")
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, rest, __doc__ + (
        "\nflags of this tool: --unlabelled FOLDER, --levels 0.99,0.97,0.95 (wanted precisions), "
        "--share 0.5 (a class\nmay gain this part of its photos, or be filled up to the largest), "
        "--rounds 6 (at most), --folds 5,\n--out FOLDER; and every key below"))
    levels = _check(args, config)
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.data.unlabelled import read_unlabelled

    photos = prepare_photos(config)
    name = Path(args.unlabelled).resolve().name
    records = read_unlabelled(args.unlabelled, photos,
                              Path(config.results_path) / "scans" / f"unlabelled-{name}.jsonl")
    print(f"unlabelled: {len(records)} photos of {args.unlabelled}")
    out = Path(args.out or Path(config.results_path) / "pseudo_labels" / name)
    learner, thresholds = _prepare(photos, records, config, levels, args.folds)
    counts = np.bincount([r.label for r in photos.splits["train"]], minlength=len(photos.classes))
    for old in out.glob("round_*"):
        shutil.rmtree(old)
    history = []

    def report(done, kept):
        history.append(_report(done, kept, out, records, photos, config.language))

    best = run_rounds(learner, thresholds, class_room(counts, args.share), args.rounds, report)
    files.write_json(out / "pseudo_labels.json", {
        "rounds": history, "best": best.number, "levels": levels,
        "thresholds": [[None if np.isinf(t) else round(float(t), 4) for t in row]
                       for row in thresholds]})
    path = out / "pseudo_labels.csv"
    if not best.number:
        path.unlink(missing_ok=True)
        print(f"no round was better on val than train alone; nothing is taken ({out} says what "
              "was tried)")
        return
    write_pseudo_labels(path, [records[n] for n in best.numbers], photos.classes, best.labels,
                        best.confidences, best.levels)
    for sheet in range(1, -(-len(best.numbers) // PHOTOS_A_SHEET) + 1):
        print(f"look at:  {out / f'round_{best.number}' / f'taken_{sheet}.png'}")
    print(f"then:     train_head.py --pseudo_labels {path}")


def _check(args, config):
    """Return the levels of the command line, or raise a LabError."""
    if not args.unlabelled:
        raise LabError("--unlabelled FOLDER is missing: the folder of photos without labels.")
    try:
        levels = [float(part) for part in args.levels.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(0 < level < 1 for level in levels) \
            or levels != sorted(levels, reverse=True):
        raise LabError(f"--levels is {args.levels!r}; expected falling precisions between 0 and "
                       "1, for example 0.99,0.97,0.95.")
    if args.share < 0 or args.rounds < 1:
        raise LabError(f"--share is {args.share} and --rounds {args.rounds}; expected a number "
                       "from 0 and an integer from 1.")
    if config.mixup or config.cutmix:
        raise LabError("Photos with pseudo-labels cannot be mixed before they have them: leave "
                       "mixup and cutmix at 0 here. train_head.py --pseudo_labels mixes as usual.")
    if config.pseudo_labels:
        raise LabError("--pseudo_labels is a result of this tool; leave it out here.")
    return levels


def _prepare(photos, records, config, levels, folds):
    """Return (Learner, thresholds); features that are not cached are computed."""
    from src_mindspore.evaluation.crossval import crossval_data, out_of_fold_logits
    from src_mindspore.features.of_config import extract_more, extract_splits, prepare_backbone
    from src_mindspore.training.calibration import fit_temperature

    backbone = prepare_backbone(config)
    data = crossval_data(photos, backbone, config)
    caches = extract_splits(photos, backbone, config)
    extra, clean = extract_more(records, photos, backbone, config)
    logits, _ = out_of_fold_logits(data, backbone, photos.classes, config, folds)
    temperature = fit_temperature(logits, data.clean.labels)
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    thresholds = class_thresholds(probabilities, data.clean.labels, levels)
    closed = int(np.isinf(thresholds[-1]).sum())
    print(f"thresholds from {folds} folds: " + "; ".join(
        f"precision {level:g} at confidence {np.median(row):.3f} (median of classes)"
        for level, row in zip(levels, thresholds, strict=True))
        + (f"; {closed} classes are never named surely enough" if closed else ""))
    return Learner(caches, extra, clean, backbone, photos.classes, temperature, config), thresholds


def _report(done, kept, out, records, photos, language):
    """Print a round, keep what it took, and return its JSON-able summary."""
    n_val = len(photos.splits["val"])
    right = round(done.score["val_top1"] * n_val)
    summary = {"round": done.number, "taken": len(done.numbers), "val_correct": right,
               "val_n": n_val, "val_loss": done.score["val_loss"], "kept": kept,
               "per_class": np.bincount(done.labels.astype(int),
                                        minlength=len(photos.classes)).tolist()}
    print(f"round {done.number}: {len(done.numbers)} photos taken, val {right} of {n_val}, loss "
          f"{done.score['val_loss']:.4f}" + ("" if kept else ": not better, rolled back"),
          flush=True)
    if done.number:
        folder = out / f"round_{done.number}"
        taken = [records[n] for n in done.numbers]
        write_pseudo_labels(folder / "taken.csv", taken, photos.classes, done.labels,
                            done.confidences, done.levels)
        _draw(folder, done, taken, photos, language)
        files.write_json(folder / "round.json", summary)
    return summary


def _draw(folder, done, taken, photos, language):
    """Draw what a round took, 48 photos a sheet: folder/taken_1.png and so on."""
    words, names = WORDS[language], photos.classes.in_language(language)
    room = CAPTION_WIDTH - len(words["taken"].format(name="", share="100.0 %"))
    order = np.argsort(done.confidences, kind="stable")
    for first in range(0, len(order), PHOTOS_A_SHEET):
        shown = order[first:first + PHOTOS_A_SHEET]
        plot_photos(photos.root, [(taken[i].path, (
            (shorten(taken[i].path, CAPTION_WIDTH, keep_end=True), PLAIN),
            (words["taken"].format(name=shorten(names[done.labels[i]], room),
                                   share=format_percent(done.confidences[i])), RIGHT),
            (words["level"].format(level=done.levels[i] + 1), PLAIN))) for i in shown],
            words["title"].format(number=done.number, n=len(taken), first=first + 1,
                                  last=first + len(shown)),
            folder / f"taken_{first // PHOTOS_A_SHEET + 1}.png", language)


if __name__ == "__main__":
    run_as_script(main)
