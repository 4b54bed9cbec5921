"""What a sweep found: a table, a picture, and the command of the winner."""
import math
import shlex

import numpy as np
from matplotlib.ticker import NullFormatter

from config import KEYS, PRESETS
from src_mindspore.evaluation.metrics import wilson_interval
from src_mindspore.evaluation.plots import TRAIN, VAL, saved_figure
from src_mindspore.evaluation.tables import format_percent, format_table, write_csv
from src_mindspore.files import write_text

SHOWN = 30  # rows of the picture
FAR = 15  # percentage points behind the best
WORDS = {
    "en": {"top1": "cross-validated top-1, %; bar: 95 % interval",
           "more": "; the best {n} of {all}",
           "title": "{n} photos, {folds} folds, {seeds} seed(s)"},
    "zh": {"top1": "交叉验证 top-1 准确率（%），横线为 95% 置信区间",
           "more": "；前 {n} 名（共 {all} 个）",
           "title": "{n} 张图片，{folds} 折，{seeds} 个随机种子"},
}


def summarise(trials, results, seeds, folds):
    """Rank trials.

    Args:
        trials: dict from trial id to dict of the values tried.
        results: list of dicts, one a head, see `sweep_workers`; all of these trials.
        seeds, folds: list of int, int.

    Returns:
        list of dicts, the best first (highest top-1, then lowest loss, then order of trying):
        trial, values, top1, spread (over seeds), interval, n, loss; for a trial that diverged
        top1 is None and error says why.
    """
    rows = []
    for trial, values in trials.items():
        heads = [r for r in results if r["trial"] == trial and r["seed"] in seeds
                 and r["fold"] < folds]
        errors = [r["error"] for r in heads if "error" in r]
        if errors:
            rows.append({"trial": trial, "values": values, "top1": None, "error": errors[0]})
            continue
        correct = [sum(r["correct"] for r in heads if r["seed"] == seed) for seed in seeds]
        n = sum(r["n"] for r in heads if r["seed"] == seeds[0])
        shares = np.array(correct) / n
        rows.append({"trial": trial, "values": values, "n": n, "top1": float(shares.mean()),
                     "spread": float(shares.std(ddof=1)) if len(seeds) > 1 else None,
                     "interval": list(wilson_interval(round(float(np.mean(correct))), n)),
                     "loss": float(np.average([r["loss"] for r in heads],
                                              weights=[r["n"] for r in heads]))})
    return sorted(rows, key=lambda row: (row["top1"] is None, -(row["top1"] or 0),
                                         row.get("loss", math.inf)))


def table_of(rows):
    """Return (headers, list of rows of str) of ranked trials."""
    keys = list(rows[0]["values"])
    body = []
    for number, row in enumerate(rows, 1):
        values = [show(row["values"][key]) for key in keys]
        if row["top1"] is None:
            body.append([number, *values, "diverged", None, None, None, None])
            continue
        low, high = row["interval"]
        body.append([number, *values, format_percent(row["top1"], 2),
                     f"{100 * low:.1f} to {100 * high:.1f} %", format_percent(row["spread"], 2),
                     f"{row['loss']:.4f}", row["n"]])
    return ["rank", *keys, "top-1", "95 % interval", "spread", "loss", "n"], body


def show(value):
    """Return a value as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def write_report(folder, rows, folds, seeds, command, language):
    """Write table.csv, table.md and sweep.png; returns the table as text for a terminal.

    Args:
        folder: Path.
        rows: from `summarise`.
        folds, seeds: int, list of int.
        command: str, of the winner.
        language: 'en' or 'zh', of the picture.

    Raises:
        LabError: a file cannot be written.
    """
    headers, body = table_of(rows)
    write_csv(folder / "table.csv", [headers, *body])
    lines = [headers, ["---"] * len(headers), *body]
    markdown = "\n".join("| " + " | ".join("-" if cell is None else str(cell) for cell in line)
                         + " |" for line in lines)
    write_text(folder / "table.md", f"{markdown}\n\n{folds} folds grouped by near-duplicates, "
               f"seeds {', '.join(map(str, seeds))}; train photos alone. Train the winner:\n\n"
               f"    {command}\n")
    plot_sweep(rows, folder / "sweep.png", folds, seeds, language)
    return format_table(headers, body)


def plot_sweep(rows, path, folds, seeds, language="en"):
    """Draw the ranked trials with their intervals, and top-1 over each numeric key.

    Args:
        rows: from `summarise`.
        path: str or Path of the PNG.
        folds, seeds: int, list of int.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    good = [row for row in rows if row["top1"] is not None]
    if not good:
        return
    shown = good[:SHOWN]
    numeric = [key for key in rows[0]["values"]
               if len({row["values"][key] for row in good}) > 1
               and all(isinstance(row["values"][key], int | float)
                       and not isinstance(row["values"][key], bool) for row in good)][:3]
    height = max(2.2 + 0.3 * len(shown), 2.3 * len(numeric) + 0.6)
    with saved_figure(path, 12 if numeric else 8.5, height, layout="constrained") as figure:
        grid = figure.add_gridspec(max(1, len(numeric)), 2 if numeric else 1,
                                   width_ratios=[1.9, 1] if numeric else None)
        left = figure.add_subplot(grid[:, 0])
        lowest = _plot_ranking(left, shown)
        left.set_xlabel(words["top1"])
        title = words["title"].format(n=shown[0]["n"], folds=folds, seeds=len(seeds))
        if len(shown) < len(rows):
            title += words["more"].format(n=len(shown), all=len(rows))
        left.set_title(title, fontsize=10)
        for number, key in enumerate(numeric):
            axes = figure.add_subplot(grid[number, 1])
            x = np.array([row["values"][key] for row in good], float)
            y = np.array([100 * row["top1"] for row in good])
            axes.plot(x, y, "o", color=TRAIN, alpha=0.6)
            axes.plot(x[:1], y[:1], "o", color=VAL, markersize=8)
            axes.set_ylim(bottom=lowest)
            if x.min() > 0 and x.max() / x.min() > 5:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
                axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(key)
            axes.set_ylabel("top-1, %")
            axes.grid(alpha=0.3)


def _plot_ranking(axes, rows):
    """Draw trials with their intervals; returns the lower end of the axis in %."""
    middle = np.array([row["top1"] for row in rows]) * 100
    ends = np.array([row["interval"] for row in rows]).T * 100
    # A trial that failed must not squeeze the others: it is drawn as an arrow at the edge.
    near = middle >= middle[0] - FAR
    lowest, highest = ends[0][near].min() - 1.5, ends[1].max() + 0.5
    for place in range(len(rows)):
        if near[place]:
            axes.plot(ends[:, place], [place, place], color="#9dbbd6", linewidth=2.5)
            axes.plot(middle[place], place, "o", color=TRAIN if place else VAL,
                      markersize=5.5 if place else 8)
        else:
            axes.plot(lowest + 0.02 * (highest - lowest), place, "<", color=TRAIN)
            axes.annotate(format_percent(middle[place] / 100), (lowest, place), fontsize=8,
                          xytext=(18, 0), textcoords="offset points", va="center")
    axes.set_xlim(lowest, highest)
    axes.set_yticks(range(len(rows)), [label_of(row["values"]) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    return lowest


def label_of(values):
    """Return the values of a trial as one line, without keys where the value names itself."""
    return ", ".join(show(value) if isinstance(value, str) else f"{key} {show(value)}"
                     for key, value in values.items())


def winner_command(config, python):
    """Return the train_head.py command of a configuration.

    Args:
        config: the winner's configuration.
        python: str, how Python is started here.
    """
    preset = {**{name: key.default for name, key in KEYS.items()}, **PRESETS[config.preset]}
    flags = " ".join(f"--{name} {shlex.quote(show(config[name]))}" for name in KEYS
                     if config[name] != preset[name])
    return f"{python} train_head.py --preset {config.preset} {flags}".rstrip()
