"""Tables for terminals and spreadsheets."""
import csv

import numpy as np
import pytest

from src_mindspore.data.classes import name_classes
from src_mindspore.evaluation.metrics import evaluate
from src_mindspore.evaluation.predictions import Predictions
from src_mindspore.evaluation.tables import (
    display_width,
    format_percent,
    format_table,
    per_class_table,
    prediction_rows,
    printable,
    shorten,
    write_csv,
)


@pytest.fixture
def predictions():
    classes = name_classes(["00_00", "00_01", "00_02"])
    paths = ("val/00_00/a.jpg", 'val/00_01/帽子, "b".jpg', "unsorted/c.jpg")
    logits = np.log([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    return Predictions(paths, [0, 1, -1], logits, classes, "photos")


@pytest.mark.parametrize(("text", "width"), [
    ("Hats", 4), ("帽子", 4), ("a帽", 3), ("（", 2), ("", 0), ("e\u0301", 1)])
def test_display_width(text, width):
    assert display_width(text) == width


def test_columns_line_up_with_wide_characters():
    table = format_table(("类别", "n"), [("塑料瓶", 5), ("Hats", 12), ("c", None)])
    assert table.splitlines() == ["类别     n",
                                  "------  --",
                                  "塑料瓶   5",
                                  "Hats    12",
                                  "c        -"]
    assert len({display_width(line) for line in table.splitlines()}) == 1


def test_table_without_rows_keeps_its_header():
    assert format_table(("a", "bc"), []).splitlines() == ["a  bc", "-  --"]


def test_shorten_keeps_the_asked_end():
    assert shorten("train/00_00/photo.jpg", 10, keep_end=True) == "…photo.jpg"
    assert shorten("Disposable Chopsticks", 11) == "Disposable…"
    assert display_width(shorten("一次性筷子一次性筷子", 8)) <= 8
    assert shorten("short", 5) == "short"


def test_printable_removes_what_terminals_and_fonts_cannot_show():
    assert printable("a\nb\x1b[31m") == "a b [31m"
    assert printable("bad\udcff.jpg") == "bad?.jpg"


def test_percent():
    assert (format_percent(0.93846), format_percent(1.0), format_percent(None)) == \
        ("93.8 %", "100.0 %", "-")


def test_per_class_table_in_both_languages(predictions):
    result = evaluate(predictions)
    english, chinese = per_class_table(result, "en"), per_class_table(result, "zh")
    assert "Plastic Bottle" in english
    assert "recall" in english
    assert "塑料瓶" in chinese
    assert "召回率" in chinese
    assert english.splitlines()[4].split() == ["00_02", "Newspaper", "0", "0", "-", "-", "-"]


def test_prediction_rows(predictions):
    header, first, second, unknown = prediction_rows(predictions)
    assert header == ("path", "truth", "predicted", "probability", "correct", "top5")
    assert first == ("val/00_00/a.jpg", "Plastic Bottle", "Plastic Bottle", "0.700000", 1,
                     "Plastic Bottle 0.700 | Hats 0.200 | Newspaper 0.100")
    assert second[1:5] == ("Hats", "Plastic Bottle", "0.600000", 0)
    assert unknown[1:5] == ("", "Newspaper", "0.800000", "")
    assert prediction_rows(predictions, "zh")[2][1] == "帽子"


def test_csv_round_trip_and_mark_for_excel(predictions, tmp_path):
    rows = prediction_rows(predictions, "zh")
    path = tmp_path / "run" / "predictions.csv"
    write_csv(path, rows)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with open(path, encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [[str(cell) for cell in row] for row in rows]
    assert [p.name for p in path.parent.iterdir()] == ["predictions.csv"]


def test_csv_with_a_file_name_that_is_not_utf8(tmp_path):
    write_csv(tmp_path / "p.csv", [("path",), ("bad\udcff.jpg",)])
    assert "bad\\udcff.jpg" in (tmp_path / "p.csv").read_text("utf-8-sig")
