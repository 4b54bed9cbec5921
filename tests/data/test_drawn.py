"""The drawn set: reproducible, resumable, careful with the user's files, and not too easy."""
import json

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from src_mindspore.data import drawn
from src_mindspore.data.classes import COURSE_CLASSES
from src_mindspore.errors import LabError

COUNTS = {"train_per_class": 3, "val_per_class": 1, "classes": 4, "seed": 5, "size": 64,
          "progress": False}


def files_of(root):
    """Return {relative path: bytes} of every file under `root`."""
    return {str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    """Return the root of a small set drawn in this process; not to be changed."""
    return drawn.draw_dataset(tmp_path_factory.mktemp("drawn") / "set", workers=1, **COUNTS)


def test_layout_and_record(small_set):
    folders = [folder for folder, *_ in COURSE_CLASSES[:4]]
    expected = {f"train/{folder}/{i:05d}.jpg" for folder in folders for i in range(3)}
    expected |= {f"val/{folder}/00000.jpg" for folder in folders} | {"drawn.json"}
    assert set(files_of(small_set)) == expected
    record = json.loads((small_set / "drawn.json").read_text())
    assert record == {"generator_version": drawn.GENERATOR_VERSION, "seed": 5, "classes": 4,
                      "train_per_class": 3, "val_per_class": 1, "size": 64, "images": 16}
    assert drawn.is_drawn(small_set)
    assert drawn.is_drawn(small_set / "train")
    assert not drawn.is_drawn(small_set.parent)
    assert cv2.imread(str(small_set / "train/00_02/00001.jpg")).shape == (64, 64, 3)


def test_files_do_not_depend_on_the_number_of_workers(small_set, tmp_path):
    other = drawn.draw_dataset(tmp_path / "set", workers=2, **COUNTS)
    assert files_of(other) == files_of(small_set)


def test_image_does_not_depend_on_how_many_are_drawn(small_set, tmp_path):
    counts = {**COUNTS, "train_per_class": 1, "val_per_class": 2, "classes": 3}
    fewer, more = files_of(drawn.draw_dataset(tmp_path / "set", workers=1, **counts)), files_of(
        small_set)
    shared = (fewer.keys() & more.keys()) - {"drawn.json"}
    assert len(shared) == 6
    assert all(fewer[name] == more[name] for name in shared)


def test_image_is_a_function_of_its_arguments_alone():
    first = drawn.draw_image(3, 0, 7, "val", 96)
    drawn.draw_image(9, 0, 7, "val", 96)
    np.random.default_rng(0).random(5)
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, drawn.draw_image(3, 0, 7, "val", 96))
    for other in ((3, 0, 8, "val"), (3, 1, 7, "val"), (3, 0, 7, "train"), (4, 0, 7, "val")):
        assert not np.array_equal(first, drawn.draw_image(*other, 96)), other


@pytest.mark.parametrize("size", [32, 224, 300])
def test_every_size_is_drawn(size):
    picture = drawn.draw_image(0, 0, 0, size=size)
    assert picture.shape == (size, size, 3)
    assert picture.std() > 5


def test_interrupted_set_is_completed_to_the_same_files(small_set, tmp_path, monkeypatch):
    root = tmp_path / "set"
    draw, left = drawn.draw_image, [5]

    def interrupted(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return draw(*arguments)

    monkeypatch.setattr(drawn, "draw_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drawn.draw_dataset(root, workers=1, **COUNTS)
    assert len(list(root.rglob("*.jpg"))) == 5
    assert not drawn.is_drawn(root)
    kept = next(root.rglob("*.jpg"))
    before = kept.stat().st_mtime_ns
    monkeypatch.setattr(drawn, "draw_image", draw)
    drawn.draw_dataset(root, workers=1, **COUNTS)
    assert files_of(root) == files_of(small_set)
    assert kept.stat().st_mtime_ns == before


def test_complete_set_is_left_alone(small_set, monkeypatch):
    monkeypatch.setattr(drawn, "draw_image", None)
    assert drawn.draw_dataset(small_set, workers=1, **COUNTS) == small_set


def test_other_settings_are_refused(small_set):
    before = files_of(small_set)
    with pytest.raises(LabError, match="seed 5 instead of 6"):
        drawn.draw_dataset(small_set, workers=1, **{**COUNTS, "seed": 6})
    assert files_of(small_set) == before


def test_foreign_content_is_refused_and_kept(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(LabError, match="not empty"):
        drawn.draw_dataset(tmp_path, workers=1, **COUNTS)
    assert files_of(tmp_path) == {"holiday.jpg": b"mine"}
    with pytest.raises(LabError, match="is a file"):
        drawn.draw_dataset(tmp_path / "holiday.jpg", workers=1, **COUNTS)


@pytest.mark.parametrize(("changed", "message"), [
    ({"classes": 27}, "classes is 27.*1 to 26"),
    ({"classes": 0}, "classes is 0.*1 to 26"),
    ({"train_per_class": 0}, "train_per_class is 0.*1 or more"),
    ({"val_per_class": -1}, "val_per_class is -1.*0 or more"),
    ({"size": 31}, "size is 31.*32 to 2048"),
    ({"seed": -1}, "seed is -1.*0 or more"),
    ({"seed": 1.5}, "seed is 1.5.*whole number"),
    ({"workers": 0}, "workers is 0.*1 or more"),
])
def test_bad_values_are_named(tmp_path, changed, message):
    with pytest.raises(LabError, match=message):
        drawn.draw_dataset(tmp_path / "set", **{"workers": 1, **COUNTS, **changed})
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    ((26, 0, 0), "class_index is 26.*0 to 25"),
    ((0, 0, -1), "index is -1"),
    ((0, 0, 0, "test"), "split is 'test'.*train, val"),
])
def test_bad_image_arguments_are_named(arguments, message):
    with pytest.raises(LabError, match=message):
        drawn.draw_image(*arguments)


def test_failing_worker_process_is_explained(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    (root / ".drawing.json").write_text(json.dumps({
        "generator_version": drawn.GENERATOR_VERSION,
        **{key: COUNTS[key] for key in ("seed", "classes", "train_per_class", "val_per_class",
                                        "size")}}))
    # A file where a class's folder has to be: no process can write there.
    (root / "train").write_text("")
    with pytest.raises(LabError, match="could not be written"):
        drawn.draw_dataset(root, workers=2, **COUNTS)
    assert not drawn.is_drawn(root)


def test_contact_sheet_shows_every_class(tmp_path):
    path = tmp_path / "sheet.png"
    drawn.draw_contact_sheet(path, per_class=1)
    assert cv2.imread(str(path)).shape == (13 * 128, 2 * (220 + 128), 3)


def test_command_line(tmp_path, capsys):
    out = str(tmp_path / "set")
    drawn.main([out, "--train_per_class", "2", "--val_per_class", "0", "--classes", "2", "--size",
                "32"])
    assert "4 images in" in capsys.readouterr().out
    with pytest.raises(LabError, match="classes is 30"):
        drawn.main([out, "--classes", "30"])


@pytest.fixture(scope="module")
def thumbnails():
    """Return float32 (26, 16, 768): 16 thumbnails of 16x16 of every class, 0 to 1."""
    def small(class_index, index):
        picture = drawn.draw_image(class_index, 0, index, size=128)
        return cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).reshape(-1)

    return np.stack([[small(c, i) for i in range(16)] for c in range(26)]).astype(np.float32) / 255


def test_classes_differ_on_average(thumbnails):
    means = thumbnails.mean(1)
    distance = np.abs(means[:, None] - means[None]).mean(2)
    assert distance[~np.eye(26, dtype=bool)].min() > 0.01


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_raw_pixels_do_not_give_the_classes_away(thumbnails):
    train, val = thumbnails[:, :12].reshape(-1, 768), thumbnails[:, 12:].reshape(-1, 768)
    model = LogisticRegression(C=10, max_iter=60).fit(train - 0.5, np.repeat(np.arange(26), 12))
    assert model.score(train - 0.5, np.repeat(np.arange(26), 12)) > 0.9
    assert model.score(val - 0.5, np.repeat(np.arange(26), 4)) < 0.5
