"""Search train for wrong labels: photos whose label the others contradict.

    python -m src_mindspore.data.cleaning                              # look at what it found
    python -m src_mindspore.data.cleaning --dataset_path ./my_photos --cv_seeds 1,2,3
    python train_head.py --decisions results/cleaning/my_photos/decisions.csv

Every photo is asked about by heads that learnt neither from it nor from a copy of it. Confident
learning (Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR
2021, arXiv:1911.00068; the package cleanlab) takes the probabilities and names the suspects.
Written: pictures of the suspects with the given and the suggested label, and decisions.csv, in
which a person fills in keep, drop or relabel CLASS. Run again, it keeps what was decided.
"""
import dataclasses
import sys
from pathlib import Path

import numpy as np
from easydict import EasyDict
from scipy.special import softmax

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import files, runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.data.decisions import read_decisions, read_rows
from src_mindspore.errors import require_package, run_as_script
from src_mindspore.evaluation.crossval import parse_seeds
from src_mindspore.evaluation.gallery import CAPTION_WIDTH, PLAIN, RIGHT, WRONG, plot_photos
from src_mindspore.evaluation.tables import format_percent, shorten, write_csv

COLUMNS = ("path", "decision", "given", "suggested", "given_probability",
           "suggested_probability", "sha256")
PHOTOS_A_SHEET = 48
DIGITS = 12  # of a SHA-256 are plenty to notice another photo

WORDS = {
    "en": {"title": "{n} suspects among {total} photos of train, the least plausible first "
                    "({first} to {last})",
           "given": "given: {name} {share}", "suggested": "suggested: {name} {share}"},
    "zh": {"title": "训练集 {total} 张图片中有 {n} 张标注可疑，按标注可信度从低到高排列"
                    "（第 {first} 至 {last} 张）",
           "given": "现标注：{name} {share}", "suggested": "建议：{name} {share}"},
}


@dataclasses.dataclass(frozen=True)
class Suspect:
    """A photo whose label is probably wrong.

    Attributes:
        number: int, position among the photos of train.
        given, suggested: int, classes.
        given_probability, suggested_probability: float in [0, 1], out of fold.
    """

    number: int
    given: int
    suggested: int
    given_probability: float
    suggested_probability: float


def find_suspects(labels, probabilities):
    """Name the photos whose label out-of-fold probabilities contradict.

    Args:
        labels: (N,) int, the given classes; every class occurs.
        probabilities: (N, C) float, of heads that did not learn from the photo; rows sum to 1.

    Returns:
        list of Suspect, the smallest probability of the given label first.
    """
    # Imported here: it takes seconds, and mistakes in a flag should answer at once.
    from cleanlab.filter import find_label_issues

    order = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence",
                              n_jobs=1)
    suspects = []
    for number in map(int, order):
        given, row = int(labels[number]), probabilities[number]
        suggested = int(row.argmax())
        if suggested != given:
            suspects.append(Suspect(number, given, suggested, float(row[given]),
                                    float(row[suggested])))
    return suspects


def out_of_fold_probabilities(data, backbone, classes, config, folds, seeds):
    """Return calibrated out-of-fold probabilities, averaged over seeds: (N, C) float64.

    Args:
        data: CrossvalData.
        backbone: Backbone.
        classes: ClassNames.
        config: the configuration; its seed is replaced by each of `seeds`.
        folds: int >= 2.
        seeds: list of int.

    Raises:
        LabError: more folds than different photos of a class.
    """
    from src_mindspore.evaluation.crossval import out_of_fold_logits
    from src_mindspore.training.calibration import fit_temperature

    total = 0
    for number, seed in enumerate(seeds):
        def after_fold(done, number=number):
            print(f"\rout of fold: {number * folds + done} of {folds * len(seeds)}", end="",
                  file=sys.stderr, flush=True)
        logits, _ = out_of_fold_logits(data, backbone, classes,
                                       EasyDict({**config, "seed": seed}), folds, after_fold)
        temperature = fit_temperature(logits, data.clean.labels)
        total = total + softmax(logits.astype(np.float64) / temperature, axis=1)
    print(file=sys.stderr)
    return total / len(seeds)


def write_decisions(path, suspects, records, classes, fill=""):
    """Write the file that a person edits; what was decided in an earlier one is kept.

    Args:
        path: str or Path of the CSV.
        suspects: list of Suspect.
        records: list of FileRecord of train.
        classes: ClassNames.
        fill: '' leaves new lines undecided; 'drop' and 'relabel' decide them so.

    Returns:
        list of Suspect that are new, in the order of the file.

    Raises:
        LabError: the earlier file is damaged, or the new one cannot be written.
    """
    earlier = []
    if Path(path).exists():
        read_decisions(path, classes)  # a mistake in it is named before anything is written
        earlier = [row for _, row in read_rows(path) if row["decision"].strip()]
    decided = {row["path"] for row in earlier}
    new = [s for s in suspects if records[s.number].path not in decided]
    lines = [[row.get(column) or "" for column in COLUMNS] for row in earlier]
    for suspect in new:
        record, suggested = records[suspect.number], classes.folders[suspect.suggested]
        decision = f"relabel {suggested}" if fill == "relabel" else fill
        lines.append([record.path, decision, classes.folders[suspect.given], suggested,
                      f"{suspect.given_probability:.4f}", f"{suspect.suggested_probability:.4f}",
                      record.sha256[:DIGITS]])
    write_csv(path, [COLUMNS, *lines])
    return new


def draw_suspects(folder, suspects, root, records, classes, language="en"):
    """Draw the suspects, 48 a sheet: folder/suspects_1.png and so on; older sheets are removed.

    Args:
        folder: Path.
        suspects: list of Suspect.
        root: Path of the data folder.
        records: list of FileRecord of train.
        classes: ClassNames.
        language: 'en' or 'zh'.

    Returns:
        list of Path.
    """
    for old in folder.glob("suspects_*.png"):
        old.unlink()
    words, names = WORDS[language], classes.in_language(language)
    sheets = []
    for first in range(0, len(suspects), PHOTOS_A_SHEET):
        part = suspects[first:first + PHOTOS_A_SHEET]
        cells = [(records[s.number].path, (
            (shorten(records[s.number].path, CAPTION_WIDTH, keep_end=True), PLAIN),
            (_line(words["given"], names[s.given], s.given_probability), WRONG),
            (_line(words["suggested"], names[s.suggested], s.suggested_probability), RIGHT)))
            for s in part]
        sheets.append(folder / f"suspects_{len(sheets) + 1}.png")
        plot_photos(root, cells, words["title"].format(
            n=len(suspects), total=len(records), first=first + 1, last=first + len(part)),
            sheets[-1], language)
    return sheets


def _line(pattern, name, share):
    room = CAPTION_WIDTH - len(pattern.format(name="", share="100.0 %"))
    return pattern.format(name=shorten(name, room), share=format_percent(share))


def main(argv):
    """Search the configured data, write pictures and the decisions file."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cv_seeds", default="1,2,3")
    parser.add_argument("--out", metavar="FOLDER")
    parser.add_argument("--fill", choices=("drop", "relabel"), default="")
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, rest, __doc__ + (
        "\nflags of this tool: --folds 5, --cv_seeds 1,2,3, --out FOLDER (default "
        "results/cleaning/NAME), --fill drop|relabel (decide new suspects so, unseen);\nand every "
        "key below"))
    seeds = parse_seeds(args.cv_seeds)
    require_package("cleanlab", "The search for wrong labels")
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.evaluation.crossval import crossval_data
    from src_mindspore.features.of_config import prepare_backbone

    photos = prepare_photos(config)
    backbone = prepare_backbone(config)
    out = Path(args.out or Path(config.results_path) / "cleaning" / photos.root.resolve().name)
    data = crossval_data(photos, backbone, config)
    probabilities = out_of_fold_probabilities(data, backbone, photos.classes, config, args.folds,
                                              seeds)
    records = photos.splits["train"]
    suspects = find_suspects(data.clean.labels, probabilities)
    new = write_decisions(out / "decisions.csv", suspects, records, photos.classes, args.fill)
    sheets = draw_suspects(out, new, photos.root, records, photos.classes, config.language)
    right = int((probabilities.argmax(1) == data.clean.labels).sum())
    files.write_json(out / "cleaning.json", {
        "data": photos.root.resolve().name, "photos": len(records), "folds": args.folds,
        "seeds": seeds, "out_of_fold_right": right, "suspects": len(suspects), "new": len(new)})
    print(f"{len(suspects)} suspects among {len(records)} photos of train"
          + (f", {len(suspects) - len(new)} of them decided earlier" if len(new) < len(suspects)
             else ""))
    for sheet in sheets:
        print(f"look at:   {sheet}")
    print(f"edit:      {out / 'decisions.csv'} (the column decision: keep, drop, relabel CLASS)\n"
          f"then:      train_head.py --decisions {out / 'decisions.csv'}")


if __name__ == "__main__":
    run_as_script(main)
