"""Event files say what history.csv says; without the key there are none."""
import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from src_mindspore.training.live_charts import NoCharts, charts_of


def events_of(folder):
    """Read event files back: (tag, step) -> number, and (tag, step) -> picture."""
    from tensorboardX.proto.event_pb2 import Event
    numbers, pictures = {}, {}
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        for record in records_of(data):
            event = Event.FromString(record)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    numbers[value.tag, event.step] = value.simple_value
                if value.HasField("image"):
                    picture = Image.open(io.BytesIO(value.image.encoded_image_string))
                    assert picture.size == (value.image.width, value.image.height)
                    pictures[value.tag, event.step] = picture
    return numbers, pictures


def records_of(data):
    """Take a file of length-prefixed records apart: length 8, checksum 4, data, checksum 4."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 8], "little")
        yield data[at + 12:at + 12 + length]
        at += 16 + length
    assert at == len(data)


def test_events_say_what_the_history_says(street, make_argv, tmp_path, weights_path):
    run = street(make_argv(tensorboard="true", epochs=3), tmp_path / "results",
                 tmp_path / "features")
    numbers, pictures = events_of(run.folder / "tensorboard")
    with open(run.folder / "history.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        for tag, column in (("loss/train", "train_loss"), ("top1/val", "val_top1"),
                            ("learning_rate", "learning_rate")):
            assert numbers[tag, int(row["epoch"])] == pytest.approx(float(row[column]), rel=1e-5)
    chosen = json.loads((run.folder / "result.json").read_text())["epoch"]
    with Image.open(run.folder / "confusion.png") as picture:
        assert pictures["confusion", chosen].size == picture.size
    (thumbnails,) = (picture for (tag, _), picture in pictures.items() if tag == "val_photos")
    assert min(thumbnails.size) >= 112
    assert sorted(step for tag, step in pictures if tag == "confusion/val") == [1, 2, 3]
    counts = json.loads((run.folder / "metrics_val.json").read_text())["confusion"]
    np.testing.assert_array_equal(cells_of(pictures["confusion/val", chosen], 5),
                                  np.array(counts) > 0)


def cells_of(picture, classes):
    """(C, C) bool: which cells of a picture of a confusion matrix are not white."""
    side = picture.width // classes
    middles = np.asarray(picture)[side // 2::side, side // 2::side]
    assert middles.shape == (classes, classes, 3)
    return (middles < 255).any(axis=2)


def test_rows_within_an_epoch_stand_at_their_step(make_config, tmp_path):
    with charts_of(make_config(tensorboard=True), tmp_path) as charts:
        charts.epoch({"epoch": 0.5, "step": 7, "train_loss": 0.25}, lambda: np.eye(3, dtype=int))
        charts.epoch({"epoch": 1.0, "step": 14, "train_loss": 0.125},
                     lambda: np.array([[3, 0, 0], [1, 1, 0], [0, 0, 0]]))
    numbers, pictures = events_of(tmp_path / "tensorboard")
    np.testing.assert_array_equal(cells_of(pictures["confusion/val", 7], 3), np.eye(3, dtype=bool))
    np.testing.assert_array_equal(cells_of(pictures["confusion/val", 14], 3),
                                  [[True, False, False], [True, True, False], [False] * 3])
    side = pictures["confusion/val", 14].width // 3
    right, wrong = (np.asarray(pictures["confusion/val", 14])[side, x] for x in (side, 0))
    assert right[2] > right[0]  # blue is right, orange is wrong
    assert wrong[0] > wrong[2]
    assert numbers["loss/train", 7] == 0.25
    assert numbers["loss/train", 14] == 0.125
    assert numbers["epoch", 7] == 0.5


def test_charts_that_are_off_write_nothing(make_config, tmp_path):
    with charts_of(make_config(), tmp_path) as charts:
        assert isinstance(charts, NoCharts)
        charts.epoch({"epoch": 1, "train_loss": 0.5}, None)
        charts.pictures({"confusion": tmp_path / "none.png"}, 1)
        charts.photos("val", [])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_writer_is_named_before_anything_is_computed(ask_script, make_argv, tmp_path,
                                                               monkeypatch):
    import train_head
    import train_network
    monkeypatch.setattr("src_mindspore.errors.find_spec", lambda name: None)
    for script in (train_head, train_network):
        code, _, err = ask_script(script.main, [
            "--tensorboard", "true", "--results_path", str(tmp_path / "results")])
        assert code == 2
        assert "pip install tensorboardX" in err
    assert list(tmp_path.iterdir()) == []
