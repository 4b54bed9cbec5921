"""From answers to a score: strict names, an interval, honest ties."""
import collections
import dataclasses

import numpy as np

from src_mindspore.evaluation.metrics import wilson_interval


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """What a hand-in is worth on N photos.

    Attributes:
        correct, n: int.
        interval: (low, high), 95 % Wilson interval of the share.
        names: tuple of N str or None: what it answered, None without an answer of text.
        right: (N,) bool.
        per_class: list of dicts {folder, english, chinese, n, correct} in class order.
        problems: list of dicts {code, photos, detail}, most frequent first: answers that are no
            class name ('unknown'), not text ('type'), or exceptions ('exception').
        confused: list of ((truth, predicted), count), folders, most frequent first.
        latency: (median, 99th percentile) of milliseconds, or None.
    """

    correct: int
    n: int
    interval: tuple
    names: tuple
    right: np.ndarray
    per_class: list
    problems: list
    confused: list
    latency: tuple | None

    @property
    def share(self):
        """Correct answers as a share of all photos."""
        return self.correct / self.n


def score_of(record, photos):
    """Score a record.

    A photo counts as right if `predict` returned exactly the English name of its class. Everything
    else, and every photo that was not reached, counts as wrong.

    Args:
        record: see record.py.
        photos: HiddenPhotos.

    Returns:
        Score.
    """
    names = [answer.get("name") if answer else None for answer in record["answers"]]
    english = photos.classes.english
    right = np.array([name == english[label]
                      for name, label in zip(names, photos.labels, strict=True)], bool)
    n, correct = len(right), int(right.sum())
    latency = record["latency_ms"]
    return Score(
        correct, n, wilson_interval(correct, n), tuple(names), right,
        _per_class(photos, right), _problems(record["answers"], english),
        _confused(names, photos), tuple(np.percentile(latency, (50, 99))) if latency else None)


def _per_class(photos, right):
    classes = photos.classes
    rows = []
    for i, folder in enumerate(classes.folders):
        mine = photos.labels == i
        rows.append({"folder": folder, "english": classes.english[i],
                     "chinese": classes.chinese[i], "n": int(mine.sum()),
                     "correct": int(right[mine].sum())})
    return rows


def _problems(answers, english):
    counts, examples = collections.Counter(), {}
    for answer in answers:
        if answer is None:
            continue
        code = answer.get("problem") or ("unknown" if answer["name"] not in english else None)
        if code:
            counts[code] += 1
            examples.setdefault(code, answer.get("reason", answer.get("name")))
    return [{"code": code, "photos": count, "detail": {"example": examples[code]}}
            for code, count in counts.most_common()]


def _confused(names, photos):
    position = {name: i for i, name in enumerate(photos.classes.english)}
    folders = photos.classes.folders
    pairs = collections.Counter(
        (folders[label], folders[position[name]])
        for name, label in zip(names, photos.labels, strict=True)
        if name in position and position[name] != label)
    return pairs.most_common()


@dataclasses.dataclass(frozen=True)
class Rank:
    """A place among hand-ins.

    Attributes:
        place: int from 1; equal counts share a place.
        best, worst: int, the places it may have as far as the intervals tell: hand-ins whose
            intervals overlap cannot be told apart with certainty.
    """

    place: int
    best: int
    worst: int


def ranks_of(scores):
    """Rank scores.

    Args:
        scores: list of Score on the same photos.

    Returns:
        list of Rank in the same order.
    """
    return [Rank(1 + sum(other.correct > score.correct for other in scores),
                 1 + sum(other.interval[0] > score.interval[1] for other in scores),
                 len(scores) - sum(other.interval[1] < score.interval[0] for other in scores))
            for score in scores]
