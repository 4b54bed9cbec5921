"""Likely traps: which change to the photos or to the names would have raised the score?

Nothing is guessed: each change was tried, on the photos (replays) or on the answers (names), and
the photos that it repairs are counted against those that it breaks.
"""
import dataclasses
import itertools

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from lab.grading.photos import VIEWS
from src_mindspore.data.classes import COURSE_GROUPS

# One-sided exact sign test (McNemar) of repaired against broken photos. About a dozen changes are
# tried, so a change that does nothing is named in about one of a hundred hand-ins.
P_VALUE = 0.001
# A free exchange of names fits itself to the mistakes of an ordinary model, too. It must make most
# photos right, and far more than before.
LEAST_SHARE_REORDERED, LEAST_GAIN_REORDERED = 0.5, 0.2


@dataclasses.dataclass(frozen=True)
class Change:
    """One change that was tried.

    Attributes:
        view: str of VIEWS: what `predict` was shown.
        naming: str, what was done to its answers: 'given', 'spelling' (any known writing of a class
            counts), 'label_file', 'label_file_inverse', 'label_lines' (positions counted through
            label.txt with its headings), 'alphabet', 'alphabet_inverse', or 'reordered' (the
            exchange of names that fits best).
        correct: int, photos right after it.
        repaired, broken: int, photos that became right, and that became wrong.
        likely: bool, chance does not explain it.
        pairs: list of (answered, meant, photos) of folders, for 'reordered'.
    """

    view: str
    naming: str
    correct: int
    repaired: int
    broken: int
    likely: bool
    pairs: tuple = ()


def find_traps(record, photos):
    """Try every change on a hand-in's answers.

    Args:
        record: see record.py.
        photos: HiddenPhotos.

    Returns:
        (changes, likely): list of Change, each change alone; and the Change (perhaps two at once)
        that the feedback names, or None.
    """
    tables = {"given": _exact(photos.classes), **_namings(photos)}
    names = {view: [_text(answer) for answer in answers] for view, answers
             in {"given": record["answers"], **record["replays"]}.items()}
    if not any(names["given"]):
        return [], None
    right = _right(names["given"], tables["given"], photos.labels)
    tried = {}
    for view, (naming, table) in itertools.product(VIEWS, tables.items()):
        if view in names and (view, naming) != ("given", "given"):
            tried[view, naming] = _change(view, naming, right,
                                          _right(names[view], table, photos.labels))
    alone = [change for (view, naming), change in tried.items() if "given" in (view, naming)]
    likely = _best([c for c in tried.values() if c.likely])
    reordered = _reordered(names["given"], right, photos)
    if likely is None and reordered:
        likely = reordered
    return [*alone, *([reordered] if reordered else [])], likely


def _text(answer):
    """Return what was answered as text; of what was no text, such as 'int 7', the value."""
    if not answer:
        return None
    return answer["reason"].partition(" ")[2] if answer.get("problem") == "type" \
        else answer.get("name")


def _best(changes):
    """Return the change with the most right; of nearly equal ones the one that changes less."""
    if not changes:
        return None
    most = max(c.correct for c in changes)
    # One photo more is no reason to tell a student of two mistakes instead of one.
    near = [c for c in changes if c.correct >= most - max(2, 0.02 * most)]
    return min(near, key=lambda c: ((c.view != "given") + (c.naming != "given"), -c.correct))


def _change(view, naming, before, after, pairs=()):
    repaired, broken = int((after & ~before).sum()), int((before & ~after).sum())
    p_value = binomtest(repaired, repaired + broken, alternative="greater").pvalue \
        if repaired + broken else 1.0
    return Change(view, naming, int(after.sum()), repaired, broken, bool(p_value < P_VALUE), pairs)


def _right(names, table, labels):
    """Return (N,) bool: does each answer, read through `table` (name to label), hit its label?"""
    return np.array([name is not None and table.get(name) == label
                     for name, label in zip(names, labels, strict=True)], bool)


def _exact(classes):
    return {name: label for label, name in enumerate(classes.english)}


def _namings(photos):
    """Return tables from answer to label, one for each mistake in the names."""
    classes = photos.classes
    spelt = _spellings(classes)
    place = {folder: label for label, folder in enumerate(classes.folders)}
    tables = {"spelling": _Loose(spelt)}
    sorted_order = list(classes.folders)
    alphabet = [folder for _, folder in sorted(zip(classes.english, classes.folders, strict=True))]
    orders = {"alphabet": alphabet}
    in_file = [folder for folder in photos.label_file if folder in place]
    if set(in_file) == set(place):
        orders["label_file"] = in_file
    for key, order in orders.items():
        if order != sorted_order:
            tables[key] = _Loose(_shifted(spelt, order, place))
            tables[f"{key}_inverse"] = _Loose(
                {name: place[order[label]] for name, label in spelt.items()})
    lines = list(photos.label_file)
    if "label_file" in orders and lines != in_file:
        groups = {_plain(text): folder for folder, both in COURSE_GROUPS.items()
                  for text in (folder, *both)}
        headings = {_plain(text): folder for folder, text in photos.label_file.items()
                    if folder not in place}
        position = {folder: i for i, folder in enumerate(lines) if i < len(place)}
        folders = {**groups, **headings,
                   **{name: sorted_order[label] for name, label in spelt.items()}}
        tables["label_lines"] = _Loose({name: position[folder] for name, folder in folders.items()
                                        if folder in position})
    return tables


def _shifted(spelt, order, place):
    """Read an answer as its position in `order`, which the model learnt in sorted order."""
    folders = list(place)
    return {name: order.index(folders[label]) for name, label in spelt.items()}


class _Loose(dict):
    """A table that forgives case, spaces and underscores."""

    def get(self, name, default=None):
        return super().get(_plain(name), default)


def _plain(text):
    return "".join(c for c in text.casefold() if c.isalnum())


def _spellings(classes):
    """Return a table from every writing of a class to its label: English, Chinese, folder, index.

    An index is how a model counts; a folder such as '1' that looks like one wins.
    """
    table = {str(label): label for label in range(len(classes))}
    for names in (classes.folders, classes.chinese, classes.english):
        table |= {_plain(name): label for label, name in enumerate(names)}
    return table


def _reordered(names, right, photos):
    """Return the Change for the exchange of names that fits best, or None where it fits badly."""
    exact = _exact(photos.classes)
    size = len(photos.classes)
    counts = np.zeros((size, size), int)  # rows: answered, columns: truth
    for name, label in zip(names, photos.labels, strict=True):
        if name in exact:
            counts[exact[name], label] += 1
    answered, meant = linear_sum_assignment(-counts)
    table = {photos.classes.english[a]: int(m) for a, m in zip(answered, meant, strict=True)}
    after = _right(names, table, photos.labels)
    pairs = tuple((photos.classes.folders[a], photos.classes.folders[m], int(counts[a, m]))
                  for a, m in zip(answered, meant, strict=True) if a != m and counts[a, m])
    change = _change("given", "reordered", right, after, pairs)
    fits = after.mean() >= LEAST_SHARE_REORDERED \
        and after.mean() - right.mean() >= LEAST_GAIN_REORDERED
    return change if change.likely and fits else None
