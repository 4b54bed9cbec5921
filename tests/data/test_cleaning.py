"""Labels made wrong on purpose are found; what a person decided is never lost."""
import csv
import shutil

import numpy as np
import pytest

from src_mindspore.data import cleaning
from src_mindspore.data.classes import name_classes
from src_mindspore.data.cleaning import find_suspects, write_decisions
from src_mindspore.data.drawn import draw_dataset
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.data.scan import FileRecord

CLASSES, EACH, WRONG = 6, 14, 9


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """(root, dict from moved photo to the folder it belongs in): drawn photos, some misfiled."""
    root = draw_dataset(tmp_path_factory.mktemp("noisy") / "noisy", train_per_class=EACH,
                        val_per_class=2, classes=CLASSES, seed=3, size=96, workers=1,
                        progress=False)
    rng = np.random.default_rng(0)
    photos = sorted((root / "train").glob("*/*.jpg"))
    moved = {}
    for number in rng.permutation(len(photos))[:WRONG]:
        folders = sorted(f.name for f in (root / "train").iterdir()
                         if f.name != photos[number].parent.name)
        target = root / "train" / str(rng.choice(folders)) / f"moved_{number}.jpg"
        shutil.move(photos[number], target)
        moved[target.relative_to(root).as_posix()] = photos[number].parent.name
    return root, moved


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_misfiled_photos_are_found_and_put_right(noisy, make_argv, make_config, tmp_path,
                                                 weights_path, capsys):
    root, moved = noisy
    cleaning.main([*make_argv(dataset_path=root, cv_seeds="1,2", folds=3, fill="relabel",
                              out=tmp_path / "cleaning", results_path=tmp_path,
                              features_path=tmp_path / "features")])
    found = read(tmp_path / "cleaning/decisions.csv")
    recall = len(found.keys() & moved) / WRONG
    precision = len(found.keys() & moved) / len(found)
    assert recall >= 0.75
    assert precision >= 0.5
    suggested = [found[path]["suggested"] == folder for path, folder in moved.items()
                 if path in found]
    assert np.mean(suggested) >= 0.75
    assert (tmp_path / "cleaning/suspects_1.png").stat().st_size > 10_000
    assert f"{len(found)} suspects among {CLASSES * EACH} photos" in capsys.readouterr().out
    photos = prepare_photos(make_config(
        dataset_path=str(root), results_path=str(tmp_path),
        decisions=str(tmp_path / "cleaning/decisions.csv")), progress=False)
    label_of = {r.path: photos.classes.folders[r.label] for r in photos.splits["train"]}
    put_right = [label_of[path] == folder for path, folder in moved.items()]
    assert np.mean(put_right) >= 0.6


def test_certain_contradictions_are_suspects_and_doubts_are_not():
    labels = np.array([0] * 10 + [1] * 10)
    probabilities = np.full((20, 2), 0.1)
    probabilities[np.arange(20), labels] = 0.9
    probabilities[3] = 0.02, 0.98
    probabilities[15] = 0.95, 0.05
    probabilities[7] = 0.55, 0.45  # unsure, but on the side of its label
    found = find_suspects(labels, probabilities)
    assert [(s.number, s.given, s.suggested) for s in found] == [(3, 0, 1), (15, 1, 0)]
    assert found[0].given_probability == pytest.approx(0.02)


def test_a_missing_package_is_named_before_anything_is_computed(ask_script, make_argv, tmp_path,
                                                                monkeypatch):
    monkeypatch.setattr("src_mindspore.errors.find_spec", lambda name: None)
    code, _, err = ask_script(cleaning.main, make_argv(
        results_path=tmp_path / "results", features_path=tmp_path / "features"))
    assert code == 2
    assert "pip install cleanlab" in err
    assert list(tmp_path.iterdir()) == []


def test_nothing_decided_is_lost(tmp_path):
    classes = name_classes(["00_00", "00_01"])
    records = [FileRecord(f"train/00_00/{n}.jpg", 0, "train", 1, sha256=f"{n}" * 64)
               for n in range(3)]
    suspects = [cleaning.Suspect(n, 0, 1, 0.1, 0.9) for n in range(2)]
    path = tmp_path / "decisions.csv"
    assert write_decisions(path, suspects, records, classes) == suspects
    text = path.read_text("utf-8-sig").replace("0.jpg,,", "0.jpg,keep,")
    path.write_text(text + 'gone.jpg,drop,"a, b"\n', "utf-8")
    new = write_decisions(path, [*suspects, cleaning.Suspect(2, 0, 1, 0.2, 0.8)], records, classes,
                          "drop")
    assert [s.number for s in new] == [1, 2]
    rows = read(path)
    assert {p: row["decision"] for p, row in rows.items()} == {
        "train/00_00/0.jpg": "keep", "gone.jpg": "drop", "train/00_00/1.jpg": "drop",
        "train/00_00/2.jpg": "drop"}
    assert rows["train/00_00/2.jpg"]["sha256"] == "2" * 12
