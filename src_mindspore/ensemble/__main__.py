"""Let finished runs vote: soft, hard, weighted by out-of-fold predictions, or stacked.

    python -m src_mindspore.ensemble --runs results/runs/A results/runs/B --vote weighted
    python -m src_mindspore.ensemble --runs results/runs/* --vote stack --folds 5

Weights, temperatures and the stack are learnt from cross-validation on train alone; val is only
asked at the end. Cross-validation trains heads, so a run of train_network.py votes soft or hard
only, with temperatures that the runs found on val. The members, of other input sizes too, become
one MindIR, which evaluate.py reads like any other.
"""
import argparse
import sys
import time
from pathlib import Path

import numpy as np

from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.errors import run_as_script
from src_mindspore.evaluation.tables import format_table

EQUAL_VOTES = ("soft", "hard")
VOTES = (*EQUAL_VOTES, "weighted", "stack")


def main(argv):
    """Combine runs, measure, export, print the table."""
    args = parse(argv)
    runtime.start(args.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.ensemble.combine import combine, equal_vote
    from src_mindspore.ensemble.export import export_ensemble
    from src_mindspore.ensemble.members import (
        load_members,
        on_split,
        out_of_fold,
        require_same_photos,
    )
    from src_mindspore.evaluation.metrics import wilson_interval

    members = load_members(args.runs)
    photos = prepare_photos(members[0].config)
    require_same_photos(members, photos)
    beyond = next((m for m in members if m.beyond_folds), None)
    if beyond and args.vote in EQUAL_VOTES:
        print(f"{beyond.name} was trained {beyond.beyond_folds}: nobody is asked out of fold, and "
              "temperatures are those that the runs found on val")
        learnt, labels = [None] * len(members), None
        temperatures = [m.model.temperature for m in members]
        combined = equal_vote(args.vote, len(members))
    else:
        learnt, temperatures, labels, fold_of = out_of_fold(members, photos, args.folds, args.seed)
        combined = combine(args.vote, learnt, labels, fold_of)
    asked = on_split(members, photos, "val", temperatures)
    truth = np.array([r.label for r in photos.splits["val"]])

    def row(name, of_train, of_val, weight=""):
        right = int((of_val.argmax(axis=1) == truth).sum())
        low, high = wilson_interval(right, len(truth))
        return (name, weight, "" if of_train is None else
                f"{(of_train.argmax(axis=1) == labels).mean():.2%}",
                f"{right} of {len(truth)}", f"{right / len(truth):.2%}",
                f"{low:.1%} to {high:.1%}")

    answers = combined.apply(asked)
    shown = [""] * len(members) if combined.weights is None else \
        [f"{w:.3f}" for w in combined.weights]
    rows = [row(m.name, learnt[i], asked[i], shown[i]) for i, m in enumerate(members)]
    rows.append(row(f"together: {args.vote}", combined.out_of_fold, answers))
    print("\n" + format_table(("model", "weight", f"train, {args.folds}-fold", "val", "top-1",
                               "95 % interval"), rows))
    out = Path(args.out or Path(members[0].config.results_path) / "ensembles"
               / time.strftime(f"%Y%m%d-%H%M%S-{args.vote}"))
    print(export_ensemble(out, args.vote, members, temperatures, combined, photos, answers, rows))


def parse(argv):
    """Read the command line."""
    parser = Parser(prog="python -m src_mindspore.ensemble", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--vote", choices=VOTES, default="soft")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="draws the folds")
    parser.add_argument("--out", metavar="FOLDER")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
