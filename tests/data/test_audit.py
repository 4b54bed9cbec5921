import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from src_mindspore.data.audit import audit, main
from src_mindspore.data.folder import read_folder
from src_mindspore.data.scan import scan
from src_mindspore.errors import LabError, run_as_script


def picture(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (80, 60), interpolation=cv2.INTER_CUBIC)


def write(root, name, image, quality=90):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image)).save(path, quality=quality)


@pytest.fixture
def root(tmp_path):
    """Four classes of the course: 4 train photos (2 in 03_01) and 1 val photo each."""
    root = tmp_path / "my data 数据"
    for label, name in enumerate(("00_00", "00_01", "03_01", "03_02")):
        for number in range(2 if name == "03_01" else 4):
            write(root, f"train/{name}/{number}.jpg", picture(10 * label + number))
        write(root, f"val/{name}/9.jpg", picture(10 * label + 9))
    return root


def examine(root):
    folder = read_folder(root)
    return audit(folder, scan(folder, progress=False), progress=False)


def test_a_clean_folder(root, tmp_path, capsys):
    assert main([str(root), "--out", str(tmp_path / "out")]) == 0
    assert "nothing unusual" in capsys.readouterr().out
    assert not (tmp_path / "out" / "contact_sheet.png").exists()
    report = examine(root)
    assert report.counts["train"] == {"00_00": 4, "00_01": 4, "03_01": 2, "03_02": 4}
    assert report.imbalance == {"train": 2.0, "val": 1.0}
    assert report.leaks == ()


def test_the_default_place_of_the_results(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([str(root)]) == 0
    assert (tmp_path / "results" / "audit" / "my data 数据" / "audit.json").exists()


@pytest.mark.parametrize(("change", "exact"), [
    (lambda image: image, True), (lambda image: image[:, ::-1], False),
    (lambda image: cv2.resize(image, (160, 120)), False)])
def test_a_leak_is_named_and_drawn(root, tmp_path, capsys, change, exact):
    write(root, "val/00_00/帽子 copy.jpg", change(picture(2)))
    out = tmp_path / "out"
    assert main([str(root), "--out", str(out), "--json", str(tmp_path / "x.json")]) == 1
    text = "val/00_00/帽子 copy.jpg is the same photo as train/00_00/2.jpg"
    assert text in capsys.readouterr().out
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["leaks"] == [
        {"path": "val/00_00/帽子 copy.jpg", "twin": "train/00_00/2.jpg", "exact": exact}]
    assert cv2.imread(str(out / "contact_sheet.png")).std() > 10


def test_a_leak_between_val_and_test_counts(root):
    write(root, "test/00_00/1.jpg", picture(9), quality=50)
    leak, = examine(root).leaks
    assert (leak.path, leak.twin, leak.exact) == ("test/00_00/1.jpg", "val/00_00/9.jpg", False)


def test_copies_and_label_conflicts_within_a_split_are_no_leak(root, tmp_path, capsys):
    write(root, "train/00_01/x.jpg", picture(0))
    write(root, "train/00_01/y.jpg", picture(11), quality=40)
    assert main([str(root), "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "one photo under different classes: 1\n  train/00_00/0.jpg = train/00_01/x.jpg" in text
    assert "copies within a split and class: 1\n  train/00_01/1.jpg = train/00_01/y.jpg" in text


def test_bad_and_unusual_files_are_reported(root, tmp_path, capsys):
    (root / "train/00_00/empty.jpg").touch()
    (root / "train/00_00/notes.txt").write_text("x")
    Image.fromarray(picture(70)).convert("L").save(root / "train/00_00/grey.jpg")
    Image.fromarray(picture(71)).save(root / "train/00_00/really.png", "JPEG")
    assert main([str(root), "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for line in ("train/00_00/empty.jpg is empty (0 bytes) [empty]", "  train/00_00/notes.txt",
                 "grey: 1 (handled), for example train/00_00/grey.jpg",
                 "extension: 1 (handled), for example train/00_00/really.png"):
        assert line in text
    report = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert report["problems"][0]["problem"] == "empty"


def test_classes_with_no_and_with_one_photo(root):
    shutil.rmtree(root / "train/00_01")
    (root / "train/00_01").mkdir()
    (root / "train/03_01/0.jpg").unlink()
    report = examine(root)
    assert "class folder 00_01" in report.empty[0]
    assert report.single == ("03_01",)
    assert report.traps == ()


def test_the_empty_eggshell_edition_is_recognised(root):
    shutil.rmtree(root / "train/03_02")
    (root / "train/03_02").mkdir()
    trap, = examine(root).traps
    assert "came with 03_02 empty" in trap


def test_the_copied_eggshell_edition_is_recognised(root):
    for file in (root / "train/03_02").iterdir():
        shutil.copy(root / "val/03_02/9.jpg", file)
    report = examine(root)
    assert "4 of 4 photos in the train folder of 03_02 (Eggshell)" in report.traps[0]
    assert "filled the class that way" in report.traps[0]


def test_another_class_of_that_name_is_no_trap(root):
    (root / "train/zz").mkdir()
    write(root, "train/zz/1.jpg", picture(99))
    for file in (root / "train/03_02").iterdir():
        shutil.copy(root / "val/03_02/9.jpg", file)
    assert examine(root).traps == ()


def test_a_wrong_path_is_one_paragraph_and_code_2(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        run_as_script(main, [str(tmp_path / "nowhere")])
    assert stop.value.code == 2
    assert "There is no data folder" in capsys.readouterr().err


def test_a_name_that_is_not_utf8_is_explained(root):
    name = os.fsencode(root / "train/00_00") + "/塑料.jpg".encode("gbk")
    shutil.copy(root / "train/00_00/1.jpg", name)
    with pytest.raises(LabError, match="not UTF-8"):
        examine(root)


needs_data = pytest.mark.skipif("LAB_DATA" not in os.environ,
                                reason="LAB_DATA does not name a data folder")


@pytest.mark.slow
@needs_data
def test_the_course_data_is_whole_and_its_leaks_are_known():
    """Seen by eye: one with another background, one mirrored, one mirrored and zoomed."""
    report = examine(Path(os.environ["LAB_DATA"], "garbage_26x100"))
    assert report.problems == ()
    assert report.conflicts == report.empty == report.traps == ()
    assert not any(group.exact for group in report.duplicates)
    assert [(leak.path, leak.twin) for leak in report.leaks] == [
        ("val/01_06/00006.jpg", "train/01_06/00008.jpg"),
        ("val/01_07/00055.jpg", "train/01_07/00051.jpg"),
        ("val/02_02/00065.jpg", "train/02_02/00068.jpg")]


@pytest.mark.slow
@needs_data
def test_a_planted_copy_of_a_val_photo_is_found(tmp_path):
    source = Path(os.environ["LAB_DATA"], "garbage_26x100")
    for split in ("train", "val"):
        for name in ("00_00", "00_01"):
            shutil.copytree(source / split / name, tmp_path / split / name)
    assert examine(tmp_path).leaks == ()
    photo = sorted((tmp_path / "val/00_01").iterdir())[0]
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((300, 300)).save(
            tmp_path / "train/00_01/planted.jpg", quality=70)
    leak, = examine(tmp_path).leaks
    assert (leak.path, leak.twin) == (f"val/00_01/{photo.name}", "train/00_01/planted.jpg")
