"""What a person decided about photos of train: keep, drop, or relabel to another class.

The file is a CSV that `python -m src_mindspore.data.cleaning` writes and a person edits:

    path,decision,given,suggested,...
    train/00_05/0012.jpg,drop,...
    train/00_05/0013.jpg,relabel 00_04,...
    train/00_05/0014.jpg,keep,...

Only the columns path and decision are needed. An empty decision is not decided yet and changes
nothing. A column sha256, where there is one, must still be that of the photo.
"""
import collections
import csv
import dataclasses
import difflib
import io
from pathlib import Path

from src_mindspore.data.scan import empty_classes, explain_empty
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of

ALLOWED = "keep, drop, or relabel CLASS (for example 'relabel {}')"


@dataclasses.dataclass(frozen=True)
class Decision:
    """One decided line.

    Attributes:
        path: str, of the photo, as in FileRecord.
        action: str, 'keep', 'drop' or 'relabel'.
        label: int, the new class under 'relabel', else -1.
        sha256: str, of the photo that was looked at; '' where the file does not say.
        line: int, in the file, from 1.
    """

    path: str
    action: str
    label: int
    sha256: str
    line: int


def read_decisions(path, classes):
    """Read a decisions file.

    Args:
        path: str or Path of the CSV, UTF-8.
        classes: ClassNames; a class is named by its folder or by its English or Chinese name.

    Returns:
        list of Decision; lines without a decision are left out.

    Raises:
        LabError: unreadable, not such a file, an unknown decision or class, or a photo named
            twice.
    """
    decisions, seen = [], {}
    for line, row in read_rows(path):
        photo, text = row["path"], row["decision"].strip()
        if photo in seen:
            raise LabError(f"{path}, line {line}: {photo!r} stands in line {seen[photo]} already; "
                           "expected one decision a photo. Remove one of the two lines.")
        seen[photo] = line
        if text:
            action, label = _parse(text, classes, f"{path}, line {line}")
            decisions.append(Decision(photo, action, label, row.get("sha256") or "", line))
    return decisions


def read_rows(path):
    """Read the lines of a decisions file as they are.

    Args:
        path: str or Path.

    Returns:
        list of (line number from 2, dict from column to str).

    Raises:
        LabError: unreadable, not UTF-8, or without the columns path and decision.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LabError(f"The decisions file {path} cannot be read: {error.strerror}. `python -m "
                       "src_mindspore.data.cleaning` writes one; leave --decisions out to learn "
                       "from all photos.") from error
    except UnicodeDecodeError:
        raise LabError(f"{path} is not UTF-8 text. Save it as CSV UTF-8.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = {"path", "decision"} - set(reader.fieldnames or ())
    if missing:
        raise LabError(f"{path} has no column {sorted(missing)[0]!r}; its first line is "
                       f"{','.join(reader.fieldnames or ())[:80]!r}. Expected a CSV file with "
                       "commas and a first line that names the columns path and decision.")
    rows = []
    for row in reader:
        if row["decision"] is None or None in row:
            raise LabError(f"{path}, line {reader.line_num}: {len(row)} columns were expected, as "
                           "in the first line. A path with a comma needs quotation marks.")
        rows.append((reader.line_num, row))
    return rows


def _parse(text, classes, where):
    """Return (action, label) of a decision."""
    word, _, name = text.partition(" ")
    word, name = word.lower(), name.strip()
    if word in ("keep", "drop") and not name:
        return word, -1
    if word != "relabel":
        raise LabError(f"{where}: the decision is {text!r}; expected "
                       f"{ALLOWED.format(classes.folders[0])}, or nothing.")
    for names in (classes.folders, classes.english, classes.chinese):
        if name in names:
            return word, names.index(name)
    near = difflib.get_close_matches(name, [*classes.folders, *classes.english], 1, 0.0)[0]
    raise LabError(f"{where}: there is no class {name!r} to relabel to. The nearest is {near!r}; "
                   "classes are named by their folders.")


@dataclasses.dataclass(frozen=True)
class Applied:
    """What a decisions file did to train.

    Attributes:
        file, sha256: str, of the decisions file.
        dropped: tuple of str, paths.
        relabelled: tuple of (path, folder of the old class, folder of the new class).
        kept: int, photos that were looked at and stay.
        elsewhere: tuple of str, paths that are not in train (any more).
    """

    file: str
    sha256: str
    dropped: tuple
    relabelled: tuple
    kept: int
    elsewhere: tuple

    def to_dict(self):
        """Return a JSON-able dict."""
        return dataclasses.asdict(self)

    def sentence(self):
        """Return what was done as one line."""
        return (f"decisions of {self.file}: {len(self.dropped)} photos dropped from train, "
                f"{len(self.relabelled)} relabelled, {self.kept} kept"
                + (f"; {len(self.elsewhere)} not in train and left alone"
                   if self.elsewhere else ""))


def apply_decisions(path, records, classes, known):
    """Drop and relabel photos of train; every other split stays what it is measured by.

    Args:
        path: str or Path of the decisions file.
        records: list of FileRecord with their final splits.
        classes: ClassNames.
        known: set of str, paths of every file in the data folder, unusable ones too.

    Returns:
        (records, Applied).

    Raises:
        LabError: see `read_decisions`; a photo that does not exist or has changed since it was
            looked at; or a class that is left without photos.
    """
    by_path = {record.path: record for record in records}
    changes, dropped, relabelled, elsewhere = {}, [], [], []
    counts = collections.Counter()
    for decision in read_decisions(path, classes):
        where = f"{path}, line {decision.line}"
        if decision.path not in known:
            raise LabError(f"{where}: there is no photo {decision.path!r}. Expected paths below "
                           "the data folder, such as "
                           f"{next(iter(sorted(known)), 'train/class/photo.jpg')!r}. Remove the "
                           "line, or run the cleaning again.")
        record = by_path.get(decision.path)
        if record is None or record.split != "train":
            elsewhere.append(decision.path)
            continue
        if decision.sha256 and not record.sha256.startswith(decision.sha256):
            raise LabError(f"{where}: {decision.path} is another photo than the one that was "
                           "decided about (its SHA-256 differs). Run the cleaning again.")
        counts[decision.action] += 1
        if decision.action == "drop":
            dropped.append(record.path)
            changes[record.path] = None
        elif decision.action == "relabel" and decision.label != record.label:
            relabelled.append((record.path, classes.folders[record.label],
                               classes.folders[decision.label]))
            changes[record.path] = dataclasses.replace(record, label=decision.label)
    records = [changed for record in records
               if (changed := changes.get(record.path, record)) is not None]
    empty = empty_classes(classes, (r for r in records if r.split == "train"))
    if changes and empty:
        raise LabError(f"The decisions of {path} leave nothing to learn from. "
                       + " ".join(explain_empty(name, english) for name, english in empty))
    return records, Applied(str(path), sha256_of(path), tuple(dropped), tuple(relabelled),
                            counts["keep"], tuple(elsewhere))
