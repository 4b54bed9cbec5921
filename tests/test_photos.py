"""On real photos, where the figures mean something. Needs LAB_DATA."""
import json
import shutil

import pytest

import evaluate

NAME = "garbage_26x100"
# The recommended preset reaches more; half of its passes and another machine may cost a little.
FLOOR, VAL_PHOTOS = 116, 130


@pytest.fixture(scope="module")
def photos(lab_data):
    """Root of the course's photos."""
    if not (lab_data / NAME).is_dir():
        pytest.skip(f"LAB_DATA has no {NAME}")
    return lab_data / NAME


@pytest.fixture(scope="module")
def trained(photos, street, weights_path, tmp_path_factory):
    """A run of the recommended preset with two passes; not to be changed."""
    root = tmp_path_factory.mktemp("photos")
    return street(["--dataset_path", str(photos), "--repeat", "2"], root / "results",
                  root / "features")


@pytest.mark.slow
def test_recommended_preset_reaches_its_accuracy(trained):
    metrics = json.loads((trained.folder / "metrics_val.json").read_text())
    assert metrics["n"] == VAL_PHOTOS
    assert metrics["correct"] >= FLOOR
    assert metrics["interval"][0] < metrics["correct"] / VAL_PHOTOS < metrics["interval"][1]
    html = (trained.folder / "report.html").read_text(encoding="utf-8")
    assert "drawn data" not in html


@pytest.mark.slow
def test_near_copies_of_val_are_found_and_left_out(trained, photos):
    from src_mindspore.data.audit import audit
    from src_mindspore.data.folder import read_folder
    from src_mindspore.data.scan import scan
    folder = read_folder(photos)
    report = audit(folder, scan(folder, progress=False), progress=False)
    assert [leak.exact for leak in report.leaks] == [False] * 3
    twins = {leak.twin for leak in report.leaks}
    assert all(twin.startswith("train/") for twin in twins)
    assert not twins & {image["path"] for image in trained.caches["train"].images}


@pytest.mark.slow
def test_photos_with_exchanged_colours_are_suspected(trained, photos, tmp_path, capsys):
    import cv2
    for path in sorted((photos / "val").rglob("*.*")):
        image = cv2.imread(str(path))
        target = tmp_path / "bgr" / path.parent.name / f"{path.stem}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), image[..., ::-1])
    shutil.copytree(photos / "val", tmp_path / "rgb")
    suspected = {}
    for order in ("bgr", "rgb"):
        evaluate.main(["--ckpt", str(trained.folder / "best.ckpt"), "--data",
                       str(tmp_path / order), "--out", str(tmp_path / "out")])
        suspected[order] = json.loads((tmp_path / "out/metrics.json").read_text())["colour_order"]
        warned = "with red and blue exchanged" in capsys.readouterr().out
        assert warned == suspected[order]["suspicious"] == (order == "bgr")
    assert suspected["bgr"]["correct_swapped"] > suspected["bgr"]["correct"]
