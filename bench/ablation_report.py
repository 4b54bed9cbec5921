"""The table, the picture and the sentences of an ablation."""
import time

import numpy as np

from bench.ablation_rows import BASE
from src_mindspore import runtime
from src_mindspore.evaluation.metrics import wilson_interval
from src_mindspore.evaluation.plots import saved_figure
from src_mindspore.files import write_json, write_text

COLOURS = {"helps": "#2e7d32", "hurts": "#c0392b", "no evidence": "#777777"}


def write_report(bench, measured, combination, seeds, work):
    """Write table.md and ablation.png and print the table.

    Args:
        bench: Ablation.
        measured: dict from the name of a row to its answers, the base among them.
        combination: (Technique or None, answers, base answers), or None where it was not asked for.
        seeds: list of int.
        work: Path.
    """
    base = measured[BASE.name]
    rows = [of_row(bench, name, answers, base) for name, answers in measured.items()]
    if combination and combination[0]:
        technique, answers, fresh = combination
        rows.append(of_row(bench, technique.name, answers, fresh))
    table = markdown(bench, rows, seeds)
    print("\n" + table)
    write_text(work / "table.md", table)
    write_json(work / "rows.json", rows)
    plot(rows, work / "ablation.png",
         f"{bench.config.dataset_path.rstrip('/').rpartition('/')[2]}: {len(bench.labels)} photos, "
         f"{len(bench.classes)} classes")


def of_row(bench, name, answers, base):
    """Return the figures of a row as a JSON-able dict."""
    right = bench.right(answers)
    share = float(right.mean())
    recalls = [float((r * bench.macro_weights()).sum()) for r in right]
    top1, macro = bench.differences(base, answers)
    return {"name": name, "top1": share, "spread": float(right.mean(axis=1).std(ddof=1))
            if len(right) > 1 else 0.0,
            "interval": list(wilson_interval(round(share * right.shape[1]), right.shape[1])),
            "macro_recall": float(np.mean(recalls)),
            # The median: a seed that was interrupted says nothing about the row.
            "seconds": float(np.median([a["seconds"] for a in answers.values()])),
            **{f"{metric}_{part}": getattr(d, part) for metric, d in
               (("top1", top1), ("macro", macro)) for part in ("mean", "low", "high", "verdict")}}


def sentence(row):
    """Return what a row says, for people."""
    top1, macro = row["top1_verdict"], row["macro_verdict"]
    if top1 == macro:
        return f"**{row['name']}**: {top1}."
    return f"**{row['name']}**: top-1: {top1}; macro recall: {macro}."


def markdown(bench, rows, seeds):
    """Return the report as Markdown."""
    def points(row, metric):
        return (f"{100 * row[f'{metric}_mean']:+.2f} [{100 * row[f'{metric}_low']:+.2f}, "
                f"{100 * row[f'{metric}_high']:+.2f}]")
    lines = ["| row | top-1 | 95 % interval | macro recall | top-1, paired | macro, paired "
             "| s a seed |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        low, high = row["interval"]
        paired = (points(row, "top1"), points(row, "macro")) if row["name"] != BASE.name \
            else ("", "")
        lines.append(f"| {row['name']} | {row['top1']:.2%} | {low:.1%} to {high:.1%} "
                     f"| {row['macro_recall']:.2%} | {paired[0]} | {paired[1]} "
                     f"| {row['seconds']:.0f} |")
    return "\n".join([
        f"{len(bench.labels)} photos of train, {len(bench.classes)} classes, {bench.folds} folds, "
        f"seeds {', '.join(map(str, seeds))}; {runtime.describe()['processor']}, "
        f"{runtime.usable_cores()} cores shared with other work, {time.strftime('%Y-%m-%d')}. "
        "Paired: percentage points over the recommended preset on the same photos, folds and "
        "seeds, with a 95 % interval from the bootstrap over groups of photos.", "", *lines, "",
        *(f"- {sentence(row)}" for row in rows if row["name"] != BASE.name), ""])


def plot(rows, path, title):
    """Draw the paired differences with their intervals, top-1 beside macro recall."""
    rows = [row for row in rows if row["name"] != BASE.name]
    # What the combination consists of stands in the table; here it would run over other rows.
    names = [row["name"].partition(": ")[0] for row in rows]
    with saved_figure(path, 10, 1.4 + 0.34 * len(rows), layout="constrained") as figure:
        figure.suptitle(title, fontsize=11)
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, metric, label in ((left, "top1", "top-1"), (right, "macro", "macro recall")):
            for place, row in enumerate(rows):
                mean, low, high = (100 * row[f"{metric}_{p}"] for p in ("mean", "low", "high"))
                colour = COLOURS[row[f"{metric}_verdict"]]
                axes.plot((low, high), (place, place), color=colour, linewidth=2)
                axes.plot(mean, place, "o", color=colour, markersize=5)
            axes.axvline(0, color="black", linewidth=0.8)
            axes.set_xlabel(f"{label}, percentage points over recommended")
            axes.grid(axis="x", color="#e4e4e4")
            axes.set_axisbelow(True)
            for side in ("top", "right", "left"):
                axes.spines[side].set_visible(False)
        left.set_yticks(range(len(rows)), names, fontsize=9)
        left.invert_yaxis()
        right.tick_params(axis="y", length=0)
