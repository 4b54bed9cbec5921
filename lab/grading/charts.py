"""The two pictures of the teacher's page: scores with their intervals, and classes by hand-in."""
import numpy as np
from matplotlib.ticker import PercentFormatter

from src_mindspore.evaluation.plots import TRAIN, VAL, saved_figure
from src_mindspore.evaluation.tables import shorten

NAME_WIDTH = 24
WORDS = {
    "en": {"score": "correct, with 95 % interval", "failed": "did not finish",
           "classes": "correct of each class"},
    "zh": {"score": "正确率及 95 % 区间", "failed": "未能完成", "classes": "各类别正确率"},
}


def plot_scores(rows, path, language):
    """Draw every hand-in's share of correct answers with its interval, best first.

    Args:
        rows: list of Row (see report.py), best first.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    with saved_figure(path, 8, 0.9 + 0.24 * len(rows)) as figure:
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            low, high = row.score.interval
            colour = VAL if row.record["ended"] else TRAIN
            axes.plot((low, high), (place, place), color=colour, linewidth=2, alpha=0.55)
            axes.plot(row.score.share, place, "o", color=colour, markersize=5)
        for colour, label in ((TRAIN, words["score"]), (VAL, words["failed"])):
            axes.plot([], [], "o-", color=colour, label=label)
        names = [shorten(row.name, NAME_WIDTH) for row in rows]
        axes.set_yticks(range(len(rows)), names, fontsize=8)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.grid(axis="x", color="#e4e4e4")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)


def plot_classes(rows, path, language):
    """Draw the share of correct answers of every class, a line for each hand-in.

    Args:
        rows, path, language: as for `plot_scores`.
    """
    shares = np.array([[c["correct"] / c["n"] if c["n"] else np.nan for c in row.score.per_class]
                       for row in rows])
    key = "chinese" if language == "zh" else "english"
    classes = [shorten(c[key], NAME_WIDTH) for c in rows[0].score.per_class]
    with saved_figure(path, 1.5 + 0.3 * len(classes), 1.6 + 0.22 * len(rows)) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="YlGnBu", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right",
                        rotation_mode="anchor", fontsize=8)
        axes.set_yticks(range(len(rows)), [shorten(row.name, NAME_WIDTH) for row in rows],
                        fontsize=8)
        axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=0.8)
        axes.tick_params(which="minor", length=0)
        axes.set_facecolor("#dddddd")
        bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02,
                              format=PercentFormatter(1, symbol=" %"))
        bar.ax.tick_params(labelsize=8)
        axes.set_title(WORDS[language]["classes"], loc="left", fontsize=11)
