"""Pictures of a result: confusion matrix, training curves, class balance.

Figures are made without pyplot, so nothing here opens a window, changes a notebook's figures or
keeps a setting. The gallery of mistakes is in `gallery.py`.
"""
import contextlib

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from src_mindspore.evaluation.fonts import use_cjk_font
from src_mindspore.evaluation.tables import format_percent, shorten
from src_mindspore.files import replacing

DPI = 110
NAME_WIDTH = 26  # columns of a class name in a picture; longer ones are cut
TRAIN, VAL, CHOSEN = "#1f6fb4", "#d95f02", "#555555"
SPLIT_COLOURS = (TRAIN, VAL, "#6a9f58")

WORDS = {
    "en": {
        "truth": "truth", "predicted": "predicted", "right": "right",
        "confusion": "{correct} of {n} right ({top1}). Rows: truth, columns: prediction",
        "epoch": "epoch", "loss": "loss", "accuracy": "accuracy", "learning_rate": "learning rate",
        "chosen": "chosen: epoch {epoch}", "steps": "train, every few steps",
        "train": "train", "val": "val", "test": "test", "all": "all",
        "balance": "Photos per class", "photos": "photos",
    },
    "zh": {
        "truth": "真实类别", "predicted": "预测类别", "right": "正确",
        "confusion": "{n} 张中正确 {correct} 张（{top1}）。行：真实类别，列：预测类别",
        "epoch": "轮次", "loss": "损失", "accuracy": "准确率", "learning_rate": "学习率",
        "chosen": "选用：第 {epoch} 轮", "steps": "训练集，每几步",
        "train": "训练集", "val": "验证集", "test": "测试集", "all": "全部",
        "balance": "每类图片数", "photos": "图片数",
    },
}


@contextlib.contextmanager
def saved_figure(path, width, height, **options):
    """Yield a Figure of width x height inches; on success it is saved to `path`, atomically.

    Matplotlib's own style and a font with Chinese glyphs hold inside; the caller's settings
    return afterwards.

    Args:
        path: str or Path, `.png`.
        **options: for `matplotlib.figure.Figure`.

    Raises:
        LabError: the file cannot be written.
    """
    with style.context("default"):
        use_cjk_font()
        # The font draws Traditional forms and centred commas unless it is told otherwise.
        matplotlib.rcParams["text.language"] = "zh-Hans"
        # A class name with $ is text, not a formula.
        matplotlib.rcParams["text.parse_math"] = False
        figure = Figure(figsize=(width, height), **options)
        FigureCanvasAgg(figure)
        yield figure
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=DPI, bbox_inches="tight", pad_inches=0.12)


def plot_confusion(result, path, language="en"):
    """Draw the confusion matrix with a count in every cell that is not zero.

    Blue is right and orange is wrong, the darker the larger the share of the row. The right edge
    says how many photos of each class were right.

    Args:
        result: dict of `metrics.evaluate`.
        path: str or Path of the PNG.
        language: 'en' or 'zh', of the names and words.
    """
    words = WORDS[language]
    counts = np.asarray(result["confusion"])
    classes = len(counts)
    cell = 0.38 if classes <= 30 else 0.29
    side = max(cell * classes, 2.4)
    with saved_figure(path, side, side) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(cell_colours(counts), interpolation="nearest", aspect="equal")
        shares = _row_shares(counts)
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(column, row, str(counts[row, column]), ha="center", va="center",
                      fontsize=8 if counts[row, column] < 1000 else 6,
                      color="white" if shares[row, column] > 0.55 else "black")
        names = _names(result, language)
        axes.set_xticks(range(classes), names, rotation=45, ha="right", rotation_mode="anchor",
                        fontsize=9)
        axes.set_yticks(range(classes), names, fontsize=9)
        axes.set_xlabel(words["predicted"])
        axes.set_ylabel(words["truth"])
        _grid(axes, classes)
        right = axes.secondary_yaxis("right")
        right.set_yticks(range(classes), [f"{row['correct']}/{row['n']}" if row["n"] else "-"
                                          for row in result["per_class"]], fontsize=8)
        right.tick_params(length=0)
        right.set_ylabel(words["right"])
        axes.set_title(words["confusion"].format(correct=result["correct"], n=result["n"],
                                                 top1=format_percent(result["top1"])), pad=12)


def _names(result, language):
    key = "chinese" if language == "zh" else "english"
    return [shorten(row[key], NAME_WIDTH) for row in result["per_class"]]


def _row_shares(counts):
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def cell_colours(counts):
    """Return (C, C, 4) float RGBA: white for zero, else blue on the diagonal and orange off it."""
    strength = 0.25 + 0.65 * _row_shares(counts)
    colours = matplotlib.colormaps["Oranges"](strength)
    diagonal = np.arange(len(counts))
    colours[diagonal, diagonal] = matplotlib.colormaps["Blues"](strength.diagonal())
    colours[counts == 0] = 1.0
    return colours


def _grid(axes, classes):
    edges = np.arange(classes + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="#d8d8d8", linewidth=0.6)
    axes.tick_params(which="minor", length=0)


def plot_history(rows, path, chosen_epoch=None, language="en", step_losses=()):
    """Draw loss, accuracy and learning rate over the epochs, with the chosen epoch marked.

    Args:
        rows: list of dicts, one per epoch, with epoch, learning_rate and train_/val_ loss, top1
            and top5 (shares from 0 to 1); a missing or None value leaves a gap.
        path: str or Path of the PNG.
        chosen_epoch: int, value of `epoch` in the row whose weights were kept, or None.
        language: 'en' or 'zh'.
        step_losses: list of dicts with epoch and loss, a finer curve of the train loss.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("a history needs at least one epoch. Received: none")
    words = WORDS[language]
    with saved_figure(path, 8, 8.2, layout="constrained") as figure:
        loss, top1, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.4))
        if step_losses:
            loss.plot([row["epoch"] for row in step_losses], [row["loss"] for row in step_losses],
                      color=TRAIN, linewidth=0.8, alpha=0.4, label=words["steps"])
        for split, colour in (("train", TRAIN), ("val", VAL)):
            _line(loss, rows, f"{split}_loss", colour, words[split])
            _line(top1, rows, f"{split}_top1", colour, f"{words[split]} top-1")
            _line(top1, rows, f"{split}_top5", colour, f"{words[split]} top-5",
                  linestyle=":", linewidth=1.2)
        _line(rate, rows, "learning_rate", "#444444", None)
        loss.set_ylabel(words["loss"])
        top1.set_ylabel(words["accuracy"])
        top1.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        rate.set_ylabel(words["learning_rate"])
        rate.set_xlabel(words["epoch"])
        rate.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        for axes in (loss, rate):
            axes.set_ylim(0, 1.06 * axes.get_ylim()[1])
        for axes in (loss, top1, rate):
            axes.grid(color="#e4e4e4")
            axes.set_axisbelow(True)
        if chosen_epoch is not None:
            _mark_epoch((loss, top1, rate), rows, chosen_epoch, words)
        loss.legend(loc="best")
        top1.legend(loc="lower right", ncols=2)


def _line(axes, rows, key, colour, label, **options):
    values = np.array([row.get(key) for row in rows], dtype=float)
    if np.isfinite(values).any():
        axes.plot([row["epoch"] for row in rows], values, color=colour, label=label,
                  marker="o" if len(rows) <= 40 else None, markersize=3.5, **options)


def _mark_epoch(panels, rows, chosen, words):
    for axes in panels:
        axes.axvline(chosen, color=CHOSEN, linestyle="--", linewidth=1.2,
                     label=words["chosen"].format(epoch=chosen) if axes is panels[0] else None)
    row = next((row for row in rows if row["epoch"] == chosen), {})
    # The label stands on the side with more room, above a falling and below a rising curve.
    side = -1 if chosen > (rows[0]["epoch"] + rows[-1]["epoch"]) / 2 else 1
    for axes, key, rise in zip(panels, ("val_loss", "val_top1"), (8, -16), strict=False):
        if row.get(key) is not None and np.isfinite(row[key]):
            axes.plot(chosen, row[key], marker="o", markersize=9, color=VAL,
                      markeredgecolor="black", zorder=5)
            text = f"{row[key]:.3f}" if key == "val_loss" else format_percent(row[key])
            axes.annotate(text, (chosen, row[key]), xytext=(8 * side, rise),
                          textcoords="offset points", ha="left" if side > 0 else "right")


def plot_class_balance(counts, classes, path, language="en"):
    """Draw how many photos each class has, a bar per split.

    Args:
        counts: dict from split name to a sequence of C int, in class order.
        classes: ClassNames.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    names = [shorten(name, NAME_WIDTH) for name in classes.in_language(language)]
    thickness = 0.8 / len(counts)
    with saved_figure(path, 7, max(2.0, len(names) * (0.14 + 0.13 * len(counts)) + 0.8)) as figure:
        axes = figure.add_subplot()
        for position, (split, values) in enumerate(counts.items()):
            offset = (position - (len(counts) - 1) / 2) * thickness
            bars = axes.barh(np.arange(len(names)) + offset, values, thickness * 0.95,
                             label=f"{words.get(split, split)} ({sum(values)})",
                             color=SPLIT_COLOURS[position % len(SPLIT_COLOURS)])
            axes.bar_label(bars, padding=2, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=9)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.margins(x=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(words["photos"])
        axes.set_title(words["balance"], loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(counts), frameon=False)
