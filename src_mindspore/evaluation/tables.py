"""Tables of results: aligned text for terminals, CSV for spreadsheets."""
import csv
import io
import unicodedata

from src_mindspore.files import write_bytes

ELLIPSIS = "…"


def printable(text):
    """Return `text` on one line, without control characters and undecodable bytes of file names."""
    text = str(text).encode("utf-8", "replace").decode("utf-8")
    return "".join(" " if unicodedata.category(c).startswith("C") else c for c in text)


def display_width(text):
    """Return how many terminal columns `text` takes: Chinese characters take two, accents none."""
    return sum(0 if unicodedata.combining(c) else
               2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shorten(text, width, keep_end=False):
    """Return `text` printable and in at most `width` columns, cut at its end or at its start."""
    text = printable(text)
    if display_width(text) <= width:
        return text
    while display_width(text) > width - 1:
        text = text[1:] if keep_end else text[:-1]
    return ELLIPSIS + text if keep_end else text + ELLIPSIS


def format_percent(share, digits=1):
    """Return '93.8 %' for 0.938, and '-' for None: not known."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def format_table(headers, rows):
    """Lay out a table for a terminal.

    Args:
        headers: sequence of str.
        rows: iterable of sequences of the same length; None is shown as '-'.

    Returns:
        str, lines without trailing spaces; columns of numbers and percentages are right-aligned.
    """
    body = [["-" if cell is None else printable(cell) for cell in row] for row in rows]
    lines = [[printable(header) for header in headers], *body]
    widths = [max(map(display_width, column)) for column in zip(*lines, strict=True)]
    right = [bool(body) and all(_is_number(row[i]) for row in body) for i in range(len(headers))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(_pad(cell, width, to_right) for cell, width, to_right
                               in zip(line, widths, right, strict=True)).rstrip()
                     for line in lines)


def _is_number(cell):
    try:
        float(cell.removesuffix("%"))
    except ValueError:
        return cell == "-"
    return True


def _pad(cell, width, to_right):
    space = " " * (width - display_width(cell))
    return space + cell if to_right else cell + space


def per_class_table(result, language="en"):
    """Return the classes of a result (see `metrics.evaluate`) as text, 'en' or 'zh'."""
    if language == "zh":
        name, headers = "chinese", ("文件夹", "类别", "图片", "正确", "召回率", "精确率", "F1")
    else:
        name = "english"
        headers = ("folder", "class", "photos", "correct", "recall", "precision", "F1")
    return format_table(headers, [
        (row["folder"], row[name], row["n"], row["correct"], format_percent(row["recall"]),
         format_percent(row["precision"]), format_percent(row["f1"]))
        for row in result["per_class"]])


def write_csv(path, rows):
    """Write rows to a CSV file, atomically; the byte-order mark makes Excel show Chinese.

    Args:
        path: str or Path.
        rows: iterable of sequences, the header first.

    Raises:
        LabError: the file cannot be written.
    """
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    # File names may hold bytes that are not UTF-8; they are shown as escapes.
    write_bytes(path, buffer.getvalue().encode("utf-8-sig", "backslashreplace"))


def prediction_rows(predictions, language="en"):
    """Return the rows of predictions.csv, the header first, one row per photo.

    Args:
        predictions: Predictions.
        language: 'en' or 'zh', of the class names.

    Returns:
        list of tuples (path, truth, predicted, probability of the predicted class, correct, top5):
        correct is 1 or 0; both truth and correct are '' where the truth is unknown; top5 is text
        such as 'Hats 0.812 | Cans 0.101'.
    """
    names = predictions.classes.in_language(language)
    rows = [("path", "truth", "predicted", "probability", "correct", "top5")]
    for path, label, predicted, likeliest, probabilities in zip(
            predictions.paths, predictions.labels, predictions.predicted, predictions.top(5),
            predictions.probabilities, strict=True):
        known = label >= 0
        rows.append((path, names[label] if known else "", names[predicted],
                     f"{probabilities[predicted]:.6f}", int(label == predicted) if known else "",
                     " | ".join(f"{names[i]} {probabilities[i]:.3f}" for i in likeliest)))
    return rows
