"""The report is one harmless file that says what was done."""
import base64
import html.parser
import re

import numpy as np
import pytest
from PIL import Image

from src_mindspore.data.classes import ClassNames
from src_mindspore.evaluation.metrics import evaluate, wilson_interval
from src_mindspore.evaluation.predictions import Predictions
from src_mindspore.evaluation.report import escape_markdown, explain_interval, write_report

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "hr"}


class _Page(html.parser.HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.title, self.headings, self.open = [], [], "", [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes
                       if name in ("src", "href", "srcset", "action", "data", "poster")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "title":
            self.title += data
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


@pytest.fixture
def content(tmp_path):
    Image.new("RGB", (30, 20), (10, 200, 30)).save(tmp_path / "confusion.png")
    names = (EVIL, "b|c", "plain")
    classes = ClassNames(("00", "01", "02"), names, ("帽子", "b|c", "报纸"))
    predictions = Predictions(("a", "b", "c"), [0, 1, 1], np.eye(3)[[1, 1, 0]], classes, ".")
    return {
        "title": "garbage_26x100", "date": "2025-01-31", "preset": "course",
        "command": "train --note '" + EVIL + "'", "summary": f"Reached {EVIL} *well*.",
        "result": evaluate(predictions),
        "chosen": {"epoch": 2, "rule": "Highest val top-1.", "val_top1": 0.5, "val_loss": 1.25},
        "history": [{"epoch": e, "learning_rate": 0.1, "train_loss": 1.0, "train_top1": 0.5,
                     "val_loss": 1.25, "val_top1": 0.5, "seconds": 0.5} for e in (1, 2)],
        "what": {"backbone": "MobileNetV2", "weights_source": EVIL, "augmented": False},
        "data": {"root": "datasets/x", "classes": 3, "counts": {"train": 10, "val": 3},
                 "skipped": [{"path": EVIL + ".jpg", "reason": "is empty"}, "b.jpg: odd"],
                 "notes": ["one note"]},
        "timings": {"train": 2.04, "total": 131.0}, "environment": {"python": "3.11"},
        "files": {"confusion": "confusion.png", "curves": "absent.png", "csv": "predictions.csv"},
        "config": {"name": EVIL, "中文": "帽子"}, "repeat": "make train",
        "export": {"mindir": "agrees on 3 of 3", "batch": 1},
    }


def test_html_is_one_self_contained_file(tmp_path, content):
    _, path = write_report(tmp_path, content)
    text = path.read_text("utf-8")
    page = _Page(text)
    assert len(page.links) == 1
    prefix, _, data = page.links[0].partition(",")
    assert prefix == "data:image/png;base64"
    assert base64.b64decode(data) == (tmp_path / "confusion.png").read_bytes()
    assert not re.search(r"https?://|@import|url\(", text)
    assert {"script", "link", "iframe", "object"}.isdisjoint(page.tags)
    assert 'name="viewport"' in text
    assert "@media print" in text


def test_html_has_its_sections_and_numbers(tmp_path, content):
    text = write_report(tmp_path, content)[1].read_text("utf-8")
    assert _Page(text).headings == [
        "garbage_26x100", "Result on val", "What", "Data", "Training", "Classes", "Export", "Time",
        "Environment", "Files", "How to repeat"]
    assert "one photo is 33.33 points" in text
    assert "2 min 11 s" in text
    assert "Highest val top-1." in text
    assert "帽子" in text


def test_names_are_escaped(tmp_path, content):
    markdown, html_file = (p.read_text("utf-8") for p in write_report(tmp_path, content))
    assert EVIL not in html_file
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html_file
    outside_code = re.sub(r"^```.*?^```", "", markdown, flags=re.S | re.M)
    assert "<script" not in outside_code
    assert r"b\|c" in outside_code
    assert r"\*well\*" in outside_code


def test_markdown_tables_are_whole(tmp_path, content):
    markdown = write_report(tmp_path, content)[0].read_text("utf-8")
    for table in re.findall(r"(?:^\|.*\n)+", markdown, flags=re.M):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1, table
    assert "![Confusion matrix](<confusion.png>)" in markdown
    assert "absent.png>" not in markdown
    assert "| what |" not in markdown
    assert "\n\n\n" not in markdown


@pytest.mark.parametrize("is_drawn", [True, False])
def test_drawn_data_is_said_in_the_title(tmp_path, content, is_drawn):
    markdown, html_file = (p.read_text("utf-8")
                           for p in write_report(tmp_path, {**content, "is_drawn": is_drawn}))
    title = "garbage_26x100 (drawn data, not photos)" if is_drawn else "garbage_26x100"
    assert _Page(html_file).title == title
    assert markdown.splitlines()[0] == f"# {title}"
    assert ("says nothing about real photos" in html_file) == is_drawn
    assert ("says nothing about real photos" in markdown) == is_drawn


def test_a_title_alone_is_enough(tmp_path):
    markdown, html_file = (p.read_text("utf-8") for p in write_report(tmp_path, {"title": "x"}))
    assert markdown == "# x\n"
    assert _Page(html_file).headings == ["x"]


def test_any_part_may_be_absent(tmp_path, content):
    for key in set(content) - {"title"}:
        _Page(write_report(tmp_path, {k: v for k, v in content.items() if k != key})[1]
              .read_text("utf-8"))


@pytest.mark.parametrize(("key", "short"), [
    ("result", {"n": 2, "correct": 1, "top1": 0.5, "interval": [0.1, 0.9]}),
    ("chosen", {"epoch": 1}), ("data", {"root": "x"}), ("history", [{"epoch": 1}])])
def test_parts_of_parts_may_be_absent(tmp_path, content, key, short):
    _Page(write_report(tmp_path, {**content, key: short})[1].read_text("utf-8"))


def test_interval_in_plain_language():
    result = {"correct": 122, "n": 130, "top1": 122 / 130, "interval": wilson_interval(122, 130)}
    assert explain_interval(result) == (
        "122 of 130 (93.8 %): the true accuracy plausibly lies between 88.3 % and 96.8 % (95 % "
        "Wilson interval); one photo is 0.77 points.")


def test_markdown_escapes():
    assert escape_markdown("a_b _c_ [x](y)\n# d`e`") == r"a_b \_c\_ \[x\](y) \# d\`e\`"
    assert escape_markdown("&lt;") == "&amp;lt;"
