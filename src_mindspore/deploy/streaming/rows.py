"""The rows a stream writes: one for each photo, good or bad."""
import csv
import io
import json
from pathlib import Path

COLUMNS = ("id", "path", "label", "name", "probability", "top5", "milliseconds", "model_sha256",
           "error")


def make_row(identity, path, answer, milliseconds, model_sha256):
    """Return the row of one photo.

    Args:
        identity, path: str, as the source named the photo.
        answer: dict with `top5`, a list of [label, name, probability], likeliest first; or with
            `error`, a str.
        milliseconds: float, from taking the photo up to its answer, model process included.
        model_sha256: str.

    Returns:
        dict with `COLUMNS`; label, name and probability are None beside an error.
    """
    top = answer.get("top5") or []
    label, name, probability = top[0] if top else (None, None, None)
    return dict(zip(COLUMNS, (identity, path, label, name, probability, top,
                              round(milliseconds, 3), model_sha256, answer.get("error", "")),
                    strict=True))


def to_json(row):
    """Return a row as one line of JSON."""
    return json.dumps(row, ensure_ascii=False)


def to_csv(row):
    """Return a row as one line of CSV in the order of `COLUMNS`; top5 is JSON in a cell."""
    buffer = io.StringIO()
    # A line break in a cell would make two lines of one row.
    cells = ["" if row[name] is None else
             json.dumps(row[name], ensure_ascii=False) if name == "top5" else
             " ".join(row[name].splitlines()) if isinstance(row[name], str) else row[name]
             for name in COLUMNS]
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def read_rows(folder):
    """Read what is visible of a stream's result.

    Args:
        folder: str or Path of the row files. Names with a leading dot are still being written and
            may be taken back after a failure; they are skipped.

    Returns:
        list of dict, in the order of files and lines.
    """
    return [row for path in sorted(Path(folder).glob("[!.]*")) for row in read_file(path)]


def read_file(path):
    """Return the rows of one visible file, list of dict; none where it is no row file."""
    path = Path(path)
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    if path.suffix == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            return [_from_csv(cells) for cells in csv.reader(file) if cells]
    return []


def _from_csv(cells):
    row = dict(zip(COLUMNS, cells, strict=True))
    row["top5"] = json.loads(row["top5"])
    row["label"] = int(row["label"]) if row["label"] else None
    row["probability"] = float(row["probability"]) if row["probability"] else None
    row["milliseconds"] = float(row["milliseconds"])
    row["name"] = row["name"] or None
    return row
