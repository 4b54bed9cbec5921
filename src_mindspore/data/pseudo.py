"""Photos whose labels a model gave: the file that lists them, and how they join train."""
import csv
import dataclasses
import io
from pathlib import Path

from src_mindspore.data.folder import ImageFile
from src_mindspore.data.scan import scan
from src_mindspore.errors import LabError
from src_mindspore.evaluation.tables import write_csv
from src_mindspore.files import sha256_of

COLUMNS = ("path", "class", "confidence", "level", "sha256")


@dataclasses.dataclass(frozen=True)
class Joined:
    """What a file of pseudo-labels added to train.

    Attributes:
        file, sha256: str, of the file.
        photos: int.
    """

    file: str
    sha256: str
    photos: int

    def to_dict(self):
        """Return a JSON-able dict."""
        return dataclasses.asdict(self)

    def sentence(self):
        """Return what was done as one line."""
        return f"pseudo-labels of {self.file}: {self.photos} photos joined train"


def write_pseudo_labels(path, records, classes, labels, confidences, levels):
    """Write which photos were taken, for what, how surely: one line each.

    Args:
        path: str or Path of the CSV.
        records: sequence of K FileRecord, their paths relative to the data root.
        classes: ClassNames.
        labels, levels: (K,) int; level 0 is the strictest and is written as 1.
        confidences: (K,) float.
    """
    write_csv(path, [COLUMNS, *(
        (record.path, classes.folders[label], f"{confidence:.4f}", level + 1, record.sha256)
        for record, label, confidence, level in zip(records, labels, confidences, levels,
                                                    strict=True))])


def join_pseudo_labels(path, folder, records, progress=True):
    """Add the photos of a file of pseudo-labels to train.

    Args:
        path: str or Path of the CSV.
        folder: ImageFolder of the labelled photos.
        records: list of FileRecord of them.
        progress: bool.

    Returns:
        (folder, records, Joined): the first two with the further photos in train.

    Raises:
        LabError: not such a file, an unknown class, or a photo that is gone or has changed.
    """
    rows = _read(path, folder.classes)
    known = {record.path for record in records}
    added = tuple(ImageFile(photo, label) for _, photo, label, _ in rows)
    found = scan(dataclasses.replace(folder, splits={"train": added}), progress=progress)
    for (line, photo, _, sha256), record in zip(rows, found, strict=True):
        problem = record.reason if record.problem else \
            "has changed since it was labelled" if record.sha256 != sha256 else \
            "is a photo of the data folder itself" if photo in known else ""
        if problem:
            raise LabError(f"{path}, line {line}: {photo} {problem}. Paths are relative to "
                           f"{folder.root}. Run `python -m src_mindspore.training.pseudo_labels` "
                           "again, or remove the line.")
    splits = {**folder.splits, "train": (*folder.splits["train"], *added)}
    return (dataclasses.replace(folder, splits=splits), [*records, *found],
            Joined(str(path), sha256_of(path), len(found)))


def _read(path, classes):
    """Return a list of (line, photo, label, sha256)."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"The pseudo-labels {path} cannot be read: {error}. `python -m "
                       "src_mindspore.training.pseudo_labels` writes such a file.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = {"path", "class", "sha256"} - set(reader.fieldnames or ())
    if missing:
        raise LabError(f"{path} has no column {sorted(missing)[0]!r}; expected the file that "
                       "`python -m src_mindspore.training.pseudo_labels` wrote.")
    rows, seen = [], set()
    for row in reader:
        if row["class"] not in classes.folders:
            raise LabError(f"{path}, line {reader.line_num}: the data has no class "
                           f"{row['class']!r}; it has {', '.join(classes.folders[:3])}, ...")
        if row["path"] in seen:
            raise LabError(f"{path}, line {reader.line_num}: {row['path']} stands there twice; "
                           "expected every photo once. Remove one of the two lines.")
        seen.add(row["path"])
        rows.append((reader.line_num, row["path"], classes.folders.index(row["class"]),
                     row["sha256"]))
    return rows
