"""Reliability: of the answers given with 80 %, are eight in ten right?

DeGroot and Fienberg, "The Comparison and Evaluation of Forecasters", 1983; Guo et al., "On
Calibration of Modern Neural Networks", ICML 2017.
"""
import dataclasses

import numpy as np
from matplotlib.ticker import PercentFormatter

from src_mindspore.evaluation.metrics import expected_calibration_error, wilson_interval
from src_mindspore.evaluation.plots import TRAIN, VAL, saved_figure
from src_mindspore.evaluation.tables import format_percent

BINS = 10
WORDS = {
    "en": {"confidence": "probability of the answer", "accuracy": "of those, right",
           "ideal": "means what it says", "count": "photos", "error": "calibration error {error}"},
    "zh": {"confidence": "模型给出的概率", "accuracy": "其中实际正确的比例", "ideal": "说到做到",
           "count": "图片数", "error": "校准误差 {error}"},
}


@dataclasses.dataclass(frozen=True)
class Bin:
    """The answers whose probability lies in one stretch.

    Attributes:
        n, correct: int.
        confidence: float, mean probability of its answers.
        interval: (low, high), Wilson 95 % of the accuracy.
    """

    n: int
    correct: int
    confidence: float
    interval: tuple

    @property
    def accuracy(self):
        """Float, the part that was right."""
        return self.correct / self.n


def reliability(confidence, right, bins=BINS):
    """Sort answers into stretches of probability of equal width, each open on the left.

    Args:
        confidence: (N,) float from 0 to 1, probability of the predicted class.
        right: (N,) bool.
        bins: int.

    Returns:
        list of Bin, in order; empty stretches are left out.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    out = []
    for number in np.unique(place):
        mine = place == number
        n, correct = int(mine.sum()), int(right[mine].sum())
        out.append(Bin(n, correct, float(confidence[mine].mean()), wilson_interval(correct, n)))
    return out


def plot_reliability(answers, path, language="en", bins=BINS):
    """Draw accuracy over probability, beside the diagonal on which probabilities are true.

    Args:
        answers: dict from a name to (confidence, right), as for `reliability`; a panel each.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
        bins: int.
    """
    words = WORDS[language]
    with saved_figure(path, 4.3 * len(answers), 4.9, layout="constrained") as figure:
        panels = figure.subplots(2, len(answers), squeeze=False, sharex=True, height_ratios=(4, 1))
        for column, (name, (confidence, right)) in enumerate(answers.items()):
            upper, lower = panels[:, column]
            stretches = reliability(confidence, right, bins)
            upper.plot((0, 1), (0, 1), color="#999999", linestyle="--", label=words["ideal"])
            x = [b.confidence for b in stretches]
            y = np.array([b.accuracy for b in stretches])
            low, high = np.array([b.interval for b in stretches]).T
            upper.errorbar(x, y, (np.maximum(y - low, 0), np.maximum(high - y, 0)), color=VAL,
                           marker="o", markersize=5, linewidth=1.2, elinewidth=1, capsize=2)
            error = expected_calibration_error(confidence, right, bins)
            upper.set_title(f"{name}\n" + words["error"].format(error=format_percent(error)),
                            fontsize=11)
            upper.legend(loc="upper left")
            lower.hist(confidence, np.linspace(0, 1, bins + 1), color=TRAIN, edgecolor="white")
            lower.set_xlabel(words["confidence"])
            upper.set(xlim=(0, 1), ylim=(0, 1.02))
            upper.grid(color="#e4e4e4")
            for axis in (upper.xaxis, upper.yaxis):
                axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        panels[0, 0].set_ylabel(words["accuracy"])
        panels[1, 0].set_ylabel(words["count"])
