"""A real hand-in, as the lab writes it, scores exactly as evaluate.py says."""
import csv
import json
import shutil

import pytest

import evaluate
from lab import grade

REAL = ["--memory_mb", "2048", "--image_seconds", "60"]


@pytest.fixture(scope="session")
def real_hand_in(finished_run, tmp_path_factory):
    """Folder of the submission of the finished run, for RGB photos."""
    from src_mindspore.deploy.submission import write_submission
    return write_submission(finished_run.folder / "best.ckpt", "RGB",
                            tmp_path_factory.mktemp("real") / "submission")


@pytest.fixture(scope="session")
def graded(real_hand_in, drawn_data, tmp_path_factory):
    """Folder of a finished grading of that submission and of one written for BGR."""
    root = tmp_path_factory.mktemp("graded")
    shutil.copytree(real_hand_in, root / "hand-ins" / "real")
    shutil.make_archive(str(root / "hand-ins" / "zipped"), "zip", real_hand_in.parent)
    assert grade.main([str(root / "hand-ins"), "--data", str(drawn_data), "--out",
                       str(root / "out"), *REAL]) == 0
    return root / "out"


def test_score_is_that_of_the_evaluation(graded, finished_run, drawn_data, tmp_path):
    evaluate.main(["--ckpt", str(finished_run.folder / "best.ckpt"), "--data", str(drawn_data),
                   "--out", str(tmp_path), "--json", str(tmp_path / "metrics.json")])
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    with open(graded / "grades.csv", newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["submission"] for row in rows] == ["real", "zipped"]
    for row in rows:
        assert (int(row["correct"]), int(row["photos"])) == (metrics["correct"], metrics["n"])
        assert [float(row["interval_low"]), float(row["interval_high"])] == pytest.approx(
            metrics["interval"], abs=1e-6)
        assert row["reason"] == ""
        for one in metrics["per_class"]:
            assert row[f"{one['folder']} {one['english']}"] == f"{one['correct']}/{one['n']}"
    assert metrics["correct"] > metrics["n"] / 4
