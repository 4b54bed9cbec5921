"""Pictures for choosing a recipe: schedules, runs side by side, a range test, rungs of a ladder."""
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from src_mindspore.evaluation.metrics import wilson_interval
from src_mindspore.evaluation.plots import saved_figure
from src_mindspore.evaluation.tables import format_percent

COLOURS = ("#1f6fb4", "#d95f02", "#3c8d40", "#8e4b9e", "#a0772a", "#666666")
GRID = "#e4e4e4"

WORDS = {
    "en": {
        "step": "step", "learning_rate": "learning rate", "epoch": "epoch", "loss": "train loss",
        "accuracy": "val accuracy", "batch_loss": "loss of the batch", "raw": "each step",
        "smoothed": "smoothed", "lowest": "lowest: {rate:.2g}",
        "suggested": "a tenth of it: {rate:.2g}",
        "right": "right, with 95 % interval (n = {n})",
    },
    "zh": {
        "step": "步", "learning_rate": "学习率", "epoch": "轮次", "loss": "训练损失",
        "accuracy": "验证准确率", "batch_loss": "当前批次的损失", "raw": "每一步",
        "smoothed": "平滑后", "lowest": "最低点：{rate:.2g}",
        "suggested": "它的十分之一：{rate:.2g}",
        "right": "准确率及 95 % 置信区间（n = {n}）",
    },
}


def plot_schedules(schedules, path, language="en"):
    """Draw learning rates over the steps.

    Args:
        schedules: dict from name to a list of floats, such as of `build_lr`.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    with saved_figure(path, 7.5, 3.2, layout="constrained") as figure:
        axes = figure.add_subplot()
        for number, (name, rates) in enumerate(schedules.items()):
            axes.plot(rates, label=name, color=COLOURS[number % len(COLOURS)], linewidth=2)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(words["step"])
        axes.set_ylabel(words["learning_rate"])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _tidy(axes)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def plot_runs(histories, path, language="en"):
    """Draw train loss and val accuracy of several runs side by side.

    Args:
        histories: dict from name to a list of dicts, one an epoch, with epoch, train_loss and
            val_top1.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    with saved_figure(path, 9, 3.6, layout="constrained") as figure:
        loss, top1 = figure.subplots(1, 2)
        for number, (name, rows) in enumerate(histories.items()):
            epochs = [row["epoch"] for row in rows]
            # Dashes, so that a run that hides another one lets it be seen.
            style = {"color": COLOURS[number % len(COLOURS)], "linewidth": 2,
                     "linestyle": ("-", "--", "-.", ":")[number % 4], "label": name}
            loss.plot(epochs, [row["train_loss"] for row in rows], **style)
            top1.plot(epochs, [row["val_top1"] for row in rows], **style)
        loss.set_yscale("log")
        _plain_powers(loss.yaxis, *loss.get_ylim())
        loss.set_ylabel(words["loss"])
        top1.set_ylabel(words["accuracy"])
        top1.set_ylim(0, 1.02)
        top1.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        for axes in (loss, top1):
            axes.set_xlabel(words["epoch"])
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            _tidy(axes)
        figure.legend(*top1.get_legend_handles_labels(), loc="outside lower center",
                      ncols=min(len(histories), 3 if len(histories) > 4 else 4), frameon=False)


def plot_range_test(result, path, language="en"):
    """Draw the loss over the growing learning rate.

    Args:
        result: RangeTest.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    with saved_figure(path, 7.5, 3.6, layout="constrained") as figure:
        axes = figure.add_subplot()
        axes.plot(result.rates, result.losses, ".", color="#b8b8b8", label=words["raw"])
        axes.plot(result.rates, result.smoothed, color=COLOURS[0], linewidth=2,
                  label=words["smoothed"])
        for name, colour in (("lowest", COLOURS[1]), ("suggested", COLOURS[2])):
            rate = getattr(result, name)
            axes.axvline(rate, color=colour, linestyle="--", label=words[name].format(rate=rate))
        axes.set_xscale("log")
        _plain_powers(axes.xaxis, *axes.get_xlim())
        axes.set_ylim(0, 1.05 * max(result.smoothed.max(), result.losses[0]))
        axes.set_xlabel(words["learning_rate"])
        axes.set_ylabel(words["batch_loss"])
        _tidy(axes)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def plot_rungs(rights, path, language="en"):
    """Draw the accuracy of each rung with its Wilson interval, the first rung on top.

    Args:
        rights: dict from name to a bool array, which of the same photos were right: (N,), or (S, N)
            of S seeds, of which the mean is drawn.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    with saved_figure(path, 8, 0.9 + 0.5 * len(rights), layout="constrained") as figure:
        axes = figure.add_subplot()
        for place, right in enumerate(rights.values()):
            count = right.shape[-1]
            low, high = wilson_interval(round(float(right.mean()) * count), count)
            axes.plot((low, high), (place, place), color=COLOURS[0], linewidth=3, alpha=0.45)
            axes.plot(right.mean(), place, "o", color=COLOURS[0])
            axes.annotate(format_percent(right.mean()), (right.mean(), place), xytext=(0, 7),
                          textcoords="offset points", ha="center", fontsize=9)
        axes.set_yticks(range(len(rights)), list(rights))
        axes.set_ylim(len(rights) - 0.5, -0.7)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=1, symbol=" %"))
        axes.set_xlabel(words["right"].format(n=count))
        _tidy(axes)


def _plain_powers(axis, low, high):
    # Matplotlib writes powers as formulas, and a saved figure shows formulas as they are typed.
    few = high < 1000 * low
    axis.set_major_locator(LogLocator(subs=(1, 3) if few else (1,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _tidy(axes):
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
