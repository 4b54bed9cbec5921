"""'I don't know': a threshold below which a model had better not answer.

Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
Neural Networks", ICLR 2017.
"""
import numpy as np

from src_mindspore.evaluation.metrics import wilson_interval
from src_mindspore.evaluation.plots import CHOSEN, TRAIN, VAL, saved_figure
from src_mindspore.evaluation.tables import format_percent

WORDS = {
    "en": {"known": "photos of the classes ({n}): {share} answered",
           "unknown": "photos of no class ({n}): {share} refused",
           "threshold": "threshold {threshold:.2f}", "photos": "photos (share)"},
    "zh": {"known": "属于这些类别的图片（{n} 张）：回答 {share}",
           "unknown": "不属于任何一类的图片（{n} 张）：拒答 {share}",
           "threshold": "阈值 {threshold:.2f}", "photos": "图片（占比）"},
}


def threshold_keeping(scores, share):
    """Return the largest threshold at which at least this share of known photos is answered.

    A photo is answered where its score is not below the threshold. Known photos alone decide:
    nobody has photos of everything else.

    Args:
        scores: (N,) float of photos of the classes, higher for surer.
        share: float in (0, 1].

    Returns:
        float, one of the scores.

    Raises:
        ValueError: no score, or a share outside (0, 1].
    """
    scores = np.sort(np.asarray(scores, np.float64))
    if not len(scores) or not 0 < share <= 1:
        raise ValueError("a threshold needs scores and a share in (0, 1]. Received: "
                         f"{len(scores)} scores and share={share}")
    return float(scores[len(scores) - int(np.ceil(share * len(scores) - 1e-9))])


def separation(known, unknown):
    """Return the chance that a known photo scores above an unknown one (ties count half).

    It is the area under the ROC curve: 0.5 says nothing, 1 separates them all.

    Args:
        known, unknown: (N,) and (M,) float scores.
    """
    from sklearn.metrics import roc_auc_score

    truth = np.repeat((1, 0), (len(known), len(unknown)))
    return float(roc_auc_score(truth, np.concatenate((known, unknown))))


def refused(scores, threshold):
    """Return (share, (low, high)): the part of scores below a threshold, Wilson 95 % interval."""
    below = int((np.asarray(scores) < threshold).sum())
    return below / len(scores), wilson_interval(below, len(scores))


def plot_rejection(panels, path, language="en"):
    """Draw the scores of known and unknown photos with the threshold between them.

    Args:
        panels: dict from the score's name to (known, unknown, threshold).
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words = WORDS[language]
    with saved_figure(path, 8, 3 * len(panels), layout="constrained") as figure:
        axes = figure.subplots(len(panels), 1, squeeze=False).ravel()
        for axis, (name, (known, unknown, threshold)) in zip(axes, panels.items(), strict=True):
            edges = np.linspace(min(known.min(), unknown.min()), max(known.max(), unknown.max()),
                                26)
            for scores, key, colour in ((known, "known", TRAIN), (unknown, "unknown", VAL)):
                share, _ = refused(scores, threshold)
                label = words[key].format(n=len(scores), share=format_percent(
                    1 - share if key == "known" else share))
                axis.hist(scores, edges, weights=np.full(len(scores), 1 / len(scores)),
                          color=colour, alpha=0.65, label=label)
            axis.axvline(threshold, color=CHOSEN, linestyle="--",
                         label=words["threshold"].format(threshold=threshold))
            axis.set_xlabel(name)
            axis.set_ylabel(words["photos"])
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_ylim(0, 1.6 * axis.get_ylim()[1])  # room for the legend above the bars
            axis.legend(loc="upper center", fontsize=9)
