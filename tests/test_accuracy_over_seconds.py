"""The bench of accuracy against seconds, on runs whose files are written here."""
import csv
import json

import pytest
from PIL import Image

from bench import accuracy_over_seconds as bench


@pytest.fixture
def write_run(tmp_path):
    """Function that writes what the bench reads of a run."""
    def write(name, top1, spent, training, **laps):
        folder = tmp_path / name
        folder.mkdir()
        with open(folder / "history.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("epoch", "val_top1", "seconds"))
            rows.writerows((epoch, share, spent) for epoch, share in enumerate(top1, start=1))
        best = 1 + max(range(len(top1)), key=top1.__getitem__)
        (folder / "result.json").write_text(json.dumps({
            "epoch": best, "n": 50, "seconds": {"training": training, "export": 9.0, **laps}}))
        return folder
    return write


def test_seconds_begin_with_the_command(write_run):
    folder = write_run("a", [0.5, 0.8, 0.7], 10.0, 30.5, scan=2.0, features=100.0)
    curve = bench.read_curve("frozen", folder)
    assert curve.seconds == [112, 122, 132]
    assert (curve.chosen, curve.n) == (1, 50)
    low, high = curve.interval
    assert low == pytest.approx(0.670, abs=1e-3)   # 40 of 50, by the formula of Wilson's interval
    assert high == pytest.approx(0.888, abs=1e-3)


def test_the_figure_and_the_table(write_run, tmp_path, capsys):
    first = write_run("a", [0.5, 0.8], 10.0, 20.5, scan=2.0, features=100.0)
    second = write_run("b", [0.6, 0.9], 40.0, 80.5, scan=2.0, network=5.0)
    bench.main([f"frozen={first}", f"fine-tuned={second}", "--out", str(tmp_path / "f.png")])
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("fine-tuned"))
    assert "87" in row.split()
    assert "90.0% of 50" in row
    with Image.open(tmp_path / "f.png") as figure:
        assert figure.width > 600


@pytest.mark.parametrize(("training", "words"), [
    (12.0, "was gone on with: its epochs took 20 s"), (None, "holds no finished run")])
def test_a_run_whose_cost_is_not_known_is_refused(write_run, ask_script, tmp_path, training, words):
    folder = write_run("a", [0.5, 0.8], 10.0, training, scan=2.0)
    if training is None:
        (folder / "result.json").unlink()
    code, _, err = ask_script(bench.main, [f"x={folder}", "--out", tmp_path / "f.png"])
    assert code == 2
    assert words in " ".join(err.split())
    code, _, err = ask_script(bench.main, [folder, "--out", tmp_path / "f.png"])
    assert code == 2
    assert "is not NAME=FOLDER" in err
