"""Rounds of pseudo-labels: what is taken, what is refused, and that a bad round leaves no trace."""
import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from src_mindspore.data.drawn import draw_dataset
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.data.unlabelled import read_unlabelled
from src_mindspore.errors import LabError
from src_mindspore.evaluation import crossval
from src_mindspore.training import pseudo_labels


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Root of 4 drawn classes with 14 train and 8 val pictures each."""
    return draw_dataset(tmp_path_factory.mktemp("labelled") / "set", train_per_class=14,
                        val_per_class=8, classes=4, seed=5, size=96, workers=1, progress=False)


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    """(folder, dict from file name to class folder): 12 further drawn pictures of each class."""
    base = tmp_path_factory.mktemp("more")
    root = draw_dataset(base / "set", train_per_class=12, val_per_class=1, classes=4, seed=77,
                        size=96, workers=1, progress=False)
    truth = {}
    (base / "unlabelled" / "below").mkdir(parents=True)
    for number, path in enumerate(sorted((root / "train").glob("*/*.jpg"))):
        name = f"{number:03d}.jpg"
        shutil.copyfile(path, base / "unlabelled" / ("below" if number % 2 else "") / name)
        truth[name] = path.parent.name
    return base / "unlabelled", truth


@pytest.fixture(scope="module")
def argv(make_argv, labelled, more, weights_path, tmp_path_factory):
    """Function from flags to a command line; features are shared by the tests here."""
    features = tmp_path_factory.mktemp("features")

    def make(**flags):
        return make_argv(**{"dataset_path": labelled, "unlabelled": more[0], "folds": 2,
                            "levels": "0.95,0.8", "features_path": features, **flags})
    return make


def taken(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_sure_photos_are_taken_for_what_they_are(argv, labelled, more, make_config, tmp_path,
                                                 capsys, monkeypatch):
    monkeypatch.setattr(pseudo_labels, "PHOTOS_A_SHEET", 8)
    pseudo_labels.main(argv(results_path=tmp_path, out=tmp_path / "out", rounds=1))
    output = capsys.readouterr().out
    rounds = json.loads((tmp_path / "out/pseudo_labels.json").read_text())["rounds"]
    assert [r["kept"] for r in rounds[:2]] == [True, True], output
    assert rounds[1]["val_loss"] < rounds[0]["val_loss"] \
        or rounds[1]["val_correct"] > rounds[0]["val_correct"]
    rows = taken(tmp_path / "out/pseudo_labels.csv")
    assert len(rows) >= 10
    right = [row["class"] == more[1][row["path"].rsplit("/", 1)[1]] for row in rows]
    assert np.mean(right) >= 0.9
    # Every photo that was taken is on a sheet of eight.
    sheets = sorted((tmp_path / "out/round_1").glob("taken_*.png"))
    assert len(sheets) == -(-len(rows) // 8) > 1
    assert all(Image.open(sheet).width > 500 for sheet in sheets)
    assert [line.split()[-1] for line in output.splitlines() if line.startswith("look at:")] \
        == [str(tmp_path / f"out/round_1/taken_{n + 1}.png") for n in range(len(sheets))]
    # Training takes them in, as photos of train like any others; cross-validation does not.
    config = make_config(dataset_path=str(labelled), results_path=str(tmp_path),
                         pseudo_labels=str(tmp_path / "out/pseudo_labels.csv"))
    photos = prepare_photos(config, progress=False)
    assert len(photos.splits["train"]) == 56 + len(rows)
    assert photos.pseudo_labels.photos == len(rows)
    of_path = {row["path"]: row["class"] for row in rows}
    joined = [r for r in photos.splits["train"] if r.path in of_path]
    assert all(photos.classes.folders[r.label] == of_path[r.path] for r in joined)
    assert all((photos.root / r.path).is_file() for r in joined)
    with pytest.raises(LabError, match="labels are guesses"):
        crossval.crossval_data(photos, None, config)


def test_a_bad_round_is_rolled_back(argv, tmp_path, monkeypatch, capsys):
    """From the second level on every photo is taken for its neighbour class."""
    honest = pseudo_labels.accept

    def spoilt(probabilities, thresholds, room):
        numbers, labels, levels = honest(probabilities, thresholds, room)
        return (numbers, labels, levels) if len(thresholds) == 1 \
            else (numbers, (labels + 1) % 4, levels)
    monkeypatch.setattr(pseudo_labels, "accept", spoilt)
    pseudo_labels.main(argv(results_path=tmp_path, out=tmp_path / "out"))
    report = json.loads((tmp_path / "out/pseudo_labels.json").read_text())
    assert [r["kept"] for r in report["rounds"]] == [True, True, False]
    assert report["best"] == 1
    assert "round 2: " in (output := capsys.readouterr().out)
    assert "not better, rolled back" in output
    # What counts is the round before, line by line; what the bad one took is kept to look at.
    assert taken(tmp_path / "out/pseudo_labels.csv") == taken(tmp_path / "out/round_1/taken.csv")
    assert taken(tmp_path / "out/round_2/taken.csv") != taken(tmp_path / "out/round_1/taken.csv")


class Scripted:
    """A learner whose val accuracy is written down, and that is sure of everything."""

    def __init__(self, *top1):
        self.top1 = top1

    def learn(self, number, numbers, labels, levels=(), confidences=()):
        probabilities = np.array([[0.99, 0.01], [0.2, 0.8], [0.4, 0.6]])
        return pseudo_labels.Round(number, numbers, labels, levels, confidences, {
            "epoch": number, "val_top1": self.top1[number], "val_loss": 1.0}, probabilities)


@pytest.mark.parametrize(("top1", "best", "tried"), [
    ((0.5, 0.6, 0.7, 0.8), 2, 3),  # the third finds nothing new to take
    ((0.5, 0.6, 0.6), 1, 3),
    ((0.5, 0.4), 0, 2),
])
def test_rounds_go_on_as_long_as_val_gains(top1, best, tried):
    seen = []
    thresholds = np.array([[0.9, 0.9], [0.9, 0.7]])
    found = pseudo_labels.run_rounds(Scripted(*top1), thresholds, np.array([9, 9]), 6,
                                     lambda done, kept: seen.append((done.number, kept)))
    assert found.number == best
    assert seen == [(n, n <= best) for n in range(tried)]
    assert found.numbers.tolist() == [[], [0], [0, 1]][best]


@pytest.mark.parametrize("thresholds", [
    [[np.inf, np.inf], [0.9, 0.7]],  # the strictest level takes nothing
    [[0.9, 0.9], [0.9, 0.9], [0.9, 0.7]],  # the second adds nothing
])
def test_a_level_that_adds_nothing_is_passed_over(thresholds, capsys):
    seen = []
    found = pseudo_labels.run_rounds(Scripted(0.5, 0.6, 0.7), np.array(thresholds),
                                     np.array([9, 9]), 6, lambda done, kept: seen.append(done))
    assert [done.number for done in seen] == list(range(len(thresholds)))
    assert found.numbers.tolist() == [0, 1]
    assert found.levels.tolist() == ([1, 1] if len(thresholds) == 2 else [0, 2])
    assert f"level {len(thresholds) - 1}: nothing new to take" in capsys.readouterr().out


def test_no_level_that_takes_anything_leaves_train_alone():
    seen = []
    found = pseudo_labels.run_rounds(Scripted(0.5), np.full((3, 2), np.inf), np.array([9, 9]), 6,
                                     lambda done, kept: seen.append(done.number))
    assert (found.number, seen) == (0, [0])


@pytest.mark.parametrize("split", ["train", "val"])
def test_known_photos_and_near_copies_of_them_are_refused(split, drawn_data, more, make_config,
                                                          tmp_path):
    shutil.copytree(more[0], tmp_path / "more")
    source = drawn_data / split / "00_02/00001.jpg"
    Image.open(source).resize((200, 200)).save(tmp_path / "more/innocent.png")
    shutil.copyfile(source, tmp_path / "more/below/same.jpg")
    photos = prepare_photos(make_config(results_path=str(tmp_path)), progress=False)
    with pytest.raises(LabError, match="2 photos of .*near copies of") as raised:
        read_unlabelled(tmp_path / "more", photos, progress=False)
    assert f"innocent.png = {split}/00_02/00001.jpg" in str(raised.value)
    assert f"same.jpg = {split}/00_02/00001.jpg" in str(raised.value)


def test_unlabelled_folder_without_photos(make_config, tmp_path, more):
    photos = prepare_photos(make_config(results_path=str(tmp_path)), progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match="holds no usable photo"):
        read_unlabelled(tmp_path / "empty", photos)
    with pytest.raises(LabError, match="There is no folder"):
        read_unlabelled(tmp_path / "nowhere", photos)
    shutil.copyfile(more[0] / "000.jpg", tmp_path / "empty/a.jpg")
    shutil.copyfile(more[0] / "000.jpg", tmp_path / "empty/b.jpg")
    assert len(read_unlabelled(tmp_path / "empty", photos, progress=False)) == 1


@pytest.mark.parametrize(("flags", "expected"), [
    ({"unlabelled": ""}, "--unlabelled FOLDER is missing"),
    ({"levels": "0.9,0.99"}, "expected falling precisions"),
    ({"mixup": 0.2}, "cannot be mixed before"),
    ({"rounds": 0}, "--rounds 0"),
])
def test_mistakes_on_the_command_line(ask_script, argv, flags, expected):
    code, _, err = ask_script(pseudo_labels.main, argv(**flags))
    assert code == 2
    assert expected in err


def test_a_file_of_pseudo_labels_that_no_longer_fits(make_config, more, tmp_path):
    def refused(text):
        (tmp_path / "p.csv").write_text(text)
        with pytest.raises(LabError, match=r"p\.csv") as raised:
            prepare_photos(make_config(pseudo_labels=str(tmp_path / "p.csv"),
                                       results_path=str(tmp_path)), progress=False)
        return str(raised.value)
    photo = more[0] / "000.jpg"
    assert "no column 'sha256'" in refused("path,class\n")
    assert "has no class '09_09'" in refused(f"path,class,sha256\n{photo},09_09,00\n")
    assert "has changed since" in refused(f"path,class,sha256\n{photo},00_00,00\n")
    assert "cannot be read" in refused("path,class,sha256\nnone.jpg,00_00,00\n")
    assert "twice" in refused(f"path,class,sha256\n{photo},00_00,00\n{photo},00_00,00\n")
