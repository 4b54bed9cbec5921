"""Event files say what history.csv says; without the key there are none."""
import csv
import io

import pytest
from PIL import Image

from src_mindspore.training.live_charts import NoCharts, charts_of


def events_of(folder):
    """Read event files back: ((tag, step) -> number, tag -> (width, height, step))."""
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
                    size = Image.open(io.BytesIO(value.image.encoded_image_string)).size
                    assert size == (value.image.width, value.image.height)
                    pictures[value.tag] = size
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
    with Image.open(run.folder / "confusion.png") as picture:
        assert pictures["confusion"] == picture.size
    assert min(pictures["val_photos"]) >= 112


def test_rows_within_an_epoch_stand_at_their_step(make_config, tmp_path):
    with charts_of(make_config(tensorboard=True), tmp_path) as charts:
        charts.epoch({"epoch": 0.5, "step": 7, "train_loss": 0.25})
        charts.epoch({"epoch": 1.0, "step": 14, "train_loss": 0.125})
    numbers, _ = events_of(tmp_path / "tensorboard")
    assert numbers["loss/train", 7] == 0.25
    assert numbers["loss/train", 14] == 0.125
    assert numbers["epoch", 7] == 0.5


def test_charts_that_are_off_write_nothing(make_config, tmp_path):
    with charts_of(make_config(), tmp_path) as charts:
        assert isinstance(charts, NoCharts)
        charts.epoch({"epoch": 1, "train_loss": 0.5})
        charts.pictures({"confusion": tmp_path / "none.png"}, 1)
        charts.photos("val", [])
    assert list(tmp_path.iterdir()) == []
