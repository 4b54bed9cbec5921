"""The model card says what the run measured, and what its author left unsaid."""
import json
import re
import shutil

import pytest

from src_mindspore.deploy import model_card as cards
from src_mindspore.errors import LabError


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_figures_are_those_of_the_run(finished_run, language):
    text = cards.model_card(finished_run.folder, language)
    metrics = json.loads((finished_run.folder / "metrics_val.json").read_text())
    low, high = metrics["interval"]
    for figure in (f"{100 * metrics['top1']:.1f} %", f"{100 * low:.1f} %", f"{100 * high:.1f} %"):
        assert figure in text
    contract = json.loads((finished_run.folder / "best.json").read_text())
    for file in ("mindir", "onnx", "checkpoint"):
        assert contract[f"{file}_sha256"] in text
    assert "| 30 |" in text, "5 classes with 6 train pictures each"
    assert "| 15 |" in text
    assert "MIT" in text, "the licence of the pretrained weights"
    assert not re.search(r"\{[{%]|None", text)


def test_a_drawn_run_says_so(finished_run):
    assert "say nothing about photos" in cards.model_card(finished_run.folder)
    assert "不能说明模型在真实照片上的表现" in cards.model_card(finished_run.folder, "zh")


def test_purpose_and_limits_are_the_authors(finished_run):
    empty = cards.model_card(finished_run.folder)
    assert "To be written by its author" in empty
    full = cards.model_card(finished_run.folder, purpose="A | demonstration", limits="Not at night")
    assert "To be written by its author" not in full
    assert "A \\| demonstration" in full
    assert "- Not at night" in full


def test_the_weakest_classes_come_first():
    rows = [{"english": name, "n": n, "correct": round(n * recall), "recall": recall}
            for name, n, recall in (("a", 10, 0.9), ("b", 10, 0.5), ("c", 10, 1.0))]
    rows.append({"english": "d", "n": 0, "correct": 0, "recall": None})
    assert [row["name"] for row in cards._weakest(rows, "english")] == ["b", "a"]


def test_an_unfinished_run_has_no_card(tmp_path):
    with pytest.raises(LabError, match="holds no finished run"):
        cards.model_card(tmp_path)


def test_unknown_weights_have_an_unknown_licence(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run, ignore=shutil.ignore_patterns("*.ckpt", "*.mindir"))
    contract = json.loads((run / "best.json").read_text())
    (run / "best.json").write_text(json.dumps({**contract, "source": "from a friend"}))
    assert "unknown: find out" in cards.model_card(run)


def test_the_command_writes_beside_the_run_or_where_told(finished_run, tmp_path, ask_script):
    out = tmp_path / "card.md"
    code, printed, _ = ask_script(cards.main, ["--run", finished_run.folder, "--out", out,
                                               "--language", "zh"])
    assert code == 0
    assert str(out) in printed
    assert out.read_text(encoding="utf-8").startswith("# 模型卡片：drawn_set")
