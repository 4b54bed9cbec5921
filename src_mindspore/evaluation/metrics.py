"""How good are predictions: accuracy with its uncertainty, per class, and which classes mix up."""
import statistics

import numpy as np
from scipy.special import log_softmax
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

CALIBRATION_BINS = 15


def wilson_interval(correct, n, confidence=0.95):
    """The score interval of a proportion (Wilson, JASA 22, 1927).

    Unlike the normal approximation it stays within 0 and 1 and is sound for few photos and for
    accuracies near 100 %.

    Args:
        correct: int, 0 to n.
        n: int, number of photos; 0 gives (0.0, 1.0), because nothing is known then.
        confidence: float between 0 and 1.

    Returns:
        (low, high), floats from 0 to 1.

    Raises:
        ValueError: correct is not within 0 and n.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"correct must lie between 0 and n={n}. Received: {correct}")
    if n == 0:
        return 0.0, 1.0
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    # Exact at the ends, where rounding leaves 1e-17 instead of 0.
    return (0.0 if correct == 0 else float(centre - half),
            1.0 if correct == n else float(centre + half))


def evaluate(predictions):
    """Judge predictions; photos of unknown class are counted and left out.

    A class without a photo in this split has recall and F1 None and is left out of macro F1 (it
    would count as 0 although nothing is known about it). A class that is never predicted has
    precision None.

    Args:
        predictions: Predictions.

    Returns:
        JSON-able dict: n, correct, unlabelled (int); top1, top5 (of min(5, C) classes), macro_f1,
        loss (mean cross entropy, nats), expected_calibration_error (float); interval ([low, high]
        of top1, 95 %); per_class (list of dicts in class order: folder, english, chinese, n,
        correct, recall, precision, f1); confusion (C x C list of counts, rows are the truth);
        most_confused (list of {truth, predicted, count} with folder names, most frequent first).

    Raises:
        LabError: no photo of known class, or logits that are not finite.
    """
    predictions.require_truth()
    known = predictions.labelled
    labels, predicted = predictions.labels[known], predictions.predicted[known]
    hits = predictions.top(5)[known] == labels[:, None]
    log_probabilities = log_softmax(predictions.logits[known].astype(np.float64), axis=1)
    n, correct = len(labels), int((labels == predicted).sum())
    every = np.arange(len(predictions.classes))
    confusion = confusion_matrix(labels, predicted, labels=every)
    per_class = _per_class(predictions.classes, labels, predicted)
    return {
        "n": n,
        "correct": correct,
        "unlabelled": int((~known).sum()),
        "top1": correct / n,
        "interval": list(wilson_interval(correct, n)),
        "top5": float(hits.any(axis=1).mean()),
        "macro_f1": statistics.fmean(row["f1"] for row in per_class if row["f1"] is not None),
        "loss": float(-log_probabilities[np.arange(n), labels].mean()),
        "expected_calibration_error": expected_calibration_error(
            predictions.confidence[known], labels == predicted),
        "per_class": per_class,
        "confusion": confusion.tolist(),
        "most_confused": _most_confused(confusion, predictions.classes.folders),
    }


def expected_calibration_error(confidence, right, bins=CALIBRATION_BINS):
    """Mean gap between confidence and accuracy over bins of confidence (Guo et al., ICML 2017).

    Args:
        confidence: (N,) float, 0 to 1, probability of the predicted class.
        right: (N,) bool, whether it was the truth.
        bins: int, number of bins of equal width, each open on the left.

    Returns:
        float from 0 (a confidence of 80 % is right in 80 % of cases) to 1.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def _per_class(classes, labels, predicted):
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(classes)), zero_division=np.nan)
    rows = []
    for i, folder in enumerate(classes.folders):
        absent = support[i] == 0
        rows.append({
            "folder": folder,
            "english": classes.english[i],
            "chinese": classes.chinese[i],
            "n": int(support[i]),
            "correct": int(((labels == i) & (predicted == i)).sum()),
            "recall": None if absent else float(recall[i]),
            "precision": None if np.isnan(precision[i]) else float(precision[i]),
            "f1": None if absent else float(f1[i]),
        })
    return rows


def _most_confused(confusion, folders):
    pairs = [{"truth": folders[i], "predicted": folders[j], "count": int(confusion[i, j])}
             for i, j in zip(*np.nonzero(confusion), strict=True) if i != j]
    return sorted(pairs, key=lambda pair: -pair["count"])
