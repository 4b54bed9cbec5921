"""Accuracy against seconds: what training a network brings at the same cost in time.

    .venv/bin/python -m bench.accuracy_over_seconds --out docs/finetune_seconds.png \\
        "fine-tuned"=results/runs/lite0_finetuned "frozen"=results/runs/lite0_frozen

Each run's seconds begin with its command: the scan of the photos, reading features or compiling,
and every epoch with its validation count. A run has to be from one process (not gone on with) whose
features were computed by itself, or its cost is not known.
"""
import argparse
import csv
import dataclasses
import itertools
from pathlib import Path

from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.metrics import wilson_interval
from src_mindspore.evaluation.plots import saved_figure
from src_mindspore.evaluation.tables import format_table
from src_mindspore.files import read_json

COLOURS = ("#d95f02", "#1f6fb4", "#6a9f58", "#555555")
BEFORE_TRAINING = ("scan", "features", "network")


@dataclasses.dataclass(frozen=True)
class Curve:
    """A finished run: its name; seconds since its start and val top-1 of every validation; what
    was chosen, with its interval.
    """

    name: str
    seconds: list
    top1: list
    chosen: int
    n: int

    @property
    def interval(self):
        """95 % Wilson interval of what was chosen: (low, high)."""
        return wilson_interval(round(self.top1[self.chosen] * self.n), self.n)


def read_curve(name, folder):
    """Read the Curve of a run's folder.

    Raises:
        LabError: no finished run, or one that was gone on with.
    """
    folder = Path(folder)
    if not (folder / "result.json").exists():
        raise LabError(f"{folder} holds no finished run (no result.json).")
    result = read_json(folder / "result.json")
    with open(folder / "history.csv", newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    spent = [float(row["seconds"]) for row in rows]
    laps = result["seconds"]
    if sum(spent) > laps["training"] + 1:
        raise LabError(f"{folder} was gone on with: its epochs took {sum(spent):.0f} s, its last "
                       f"process trained for {laps['training']:.0f} s. Run it in one go.")
    start = sum(laps.get(part, 0.0) for part in BEFORE_TRAINING)
    chosen = [float(row["epoch"]) for row in rows].index(float(result["epoch"]))
    return Curve(name, [start + s for s in itertools.accumulate(spent)],
                 [float(row["val_top1"]) for row in rows], chosen, result["n"])


def plot_curves(curves, path):
    """Draw the curves; the chosen epoch of each with its interval, then level to the right."""
    end = max(curve.seconds[-1] for curve in curves)
    with saved_figure(path, 8.5, 4.6) as figure:
        axes = figure.subplots()
        for curve, colour in zip(curves, COLOURS, strict=False):
            low, high = curve.interval
            at, best = curve.seconds[curve.chosen], curve.top1[curve.chosen]
            axes.plot(curve.seconds, curve.top1, marker="o", markersize=3, color=colour,
                      label=curve.name)
            axes.plot([at, end], [best, best], linestyle=":", color=colour)
            axes.errorbar(at, best, [[best - low], [high - best]], color=colour, capsize=4,
                          marker="D", markersize=6)
        axes.set_xlabel("seconds since the command was given")
        axes.set_ylabel(f"top-1 on {curves[0].n} validation photos")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")


def main(argv):
    """Read the runs, print the table, draw the figure."""
    parser = Parser(prog="python -m bench.accuracy_over_seconds", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--out", required=True, metavar="PNG")
    args = parser.parse_args(argv)
    pairs = [run.partition("=") for run in args.runs]
    if bad := [run for run, (_, sign, _) in zip(args.runs, pairs, strict=True) if not sign]:
        raise LabError(f"{bad[0]} is not NAME=FOLDER.")
    if len(pairs) > len(COLOURS):
        raise LabError(f"There are {len(pairs)} runs; the figure holds {len(COLOURS)}.")
    curves = [read_curve(name, folder) for name, _, folder in pairs]
    plot_curves(curves, Path(args.out))
    print(format_table(
        ("run", "validations", "seconds", "to the chosen one", "val top-1", "95 % interval"),
        [(c.name, str(len(c.top1)), f"{c.seconds[-1]:.0f}", f"{c.seconds[c.chosen]:.0f}",
          f"{c.top1[c.chosen]:.1%} of {c.n}", "{:.1%} to {:.1%}".format(*c.interval))
         for c in curves]))


if __name__ == "__main__":
    run_as_script(main)
