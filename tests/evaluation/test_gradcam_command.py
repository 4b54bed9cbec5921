"""The Grad-CAM command: its pictures, its names, its sentences for mistakes."""
import shutil

import numpy as np
import pytest

from src_mindspore.data.folder import read_folder
from src_mindspore.evaluation import gradcam
from src_mindspore.evaluation.explanation import class_named
from src_mindspore.evaluation.explanation_plots import overlay
from src_mindspore.model import load_model


def test_a_folder_becomes_a_picture_of_each_photo_and_a_sheet_of_each_class(
        finished_run, drawn_data, tmp_path, capsys):
    out = tmp_path / "out"
    gradcam.main([str(drawn_data), "--ckpt", str(finished_run.folder / "best.ckpt"), "--out",
                  str(out), "--language", "zh"])
    folder = read_folder(drawn_data)
    for kind in folder.classes.folders:
        assert (out / f"sheet_{kind}.png").stat().st_size > 10_000
        names = {file.path.split("/")[-1] + ".png" for file in folder.splits["val"]
                 if f"/{kind}/" in file.path}
        assert {path.name for path in (out / kind).iterdir()} == names
    assert "15 photos read behind features.18" in capsys.readouterr().out


def test_single_photos_take_their_class_from_their_folder(finished_run, drawn_data, tmp_path,
                                                          capsys):
    ckpt = finished_run.folder / "best.ckpt"
    kind = read_folder(drawn_data).classes.folders[0]
    known = next((drawn_data / "val" / kind).iterdir())
    loose = tmp_path / known.name
    shutil.copy(known, loose)
    gradcam.main([str(known), str(loose), "--ckpt", str(ckpt), "--out", str(tmp_path / "out"),
                  "--layer", "features.13"])
    said = capsys.readouterr().out
    assert "behind features.13" in said
    assert " of 1 named wrongly" in said
    assert len(list((tmp_path / "out").rglob(f"{known.name}*.png"))
               + list((tmp_path / "out").rglob(f"*_{known.name}.png"))) == 2


def test_a_mindir_is_explained_by_its_checkpoint_or_told_why_not(finished_run, drawn_data, tmp_path,
                                                                 ask_script, capsys):
    photo = next((drawn_data / "val").rglob("*.jpg"))
    gradcam.main([str(photo), "--mindir", str(finished_run.folder / "best.mindir"), "--out",
                  str(tmp_path / "out")])
    assert "was exported from" in capsys.readouterr().out
    for name in ("best.mindir", "best.json"):
        shutil.copy(finished_run.folder / name, tmp_path)
    code, _, err = ask_script(gradcam.main, [photo, "--mindir", tmp_path / "best.mindir"])
    assert code == 2
    assert "inner maps cannot be reached" in err
    assert "is not there" in err
    shutil.copy(finished_run.folder / "best.json", tmp_path / "best.ckpt")
    code, _, err = ask_script(gradcam.main, [photo, "--mindir", tmp_path / "best.mindir"])
    assert code == 2
    assert "another model's" in err


@pytest.mark.parametrize(("extra", "expected"), [
    (["--layer", "conv9"], "There is no layer 'conv9'"),
    (["--class", "Bicycle"], "no class 'Bicycle'"),
    (["--ckpt", ""], "Name one model"),
])
def test_mistakes_are_sentences(finished_run, drawn_data, tmp_path, ask_script, extra, expected):
    photo = next((drawn_data / "val").rglob("*.jpg"))
    code, _, err = ask_script(gradcam.main, [photo, "--ckpt", finished_run.folder / "best.ckpt",
                                             "--out", tmp_path, *extra])
    assert code == 2
    assert expected in err


def test_a_damaged_or_absent_photo_is_named(finished_run, tmp_path, ask_script):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    code, _, err = ask_script(gradcam.main, [broken, "--ckpt", finished_run.folder / "best.ckpt"])
    assert code == 2
    assert "broken.jpg is not an image" in err
    code, _, err = ask_script(gradcam.main, ["absent.jpg", broken, "--ckpt",
                                             finished_run.folder / "best.ckpt"])
    assert code == 2
    assert "absent.jpg is not a photo. Name photos, or one folder" in err


def test_classes_are_found_by_any_of_their_names(finished_run):
    classes = load_model(finished_run.folder / "best.ckpt").classes
    for names in (classes.folders, classes.english, classes.chinese):
        assert [class_named(classes, name.upper()) for name in names] == list(range(len(classes)))


def test_cold_places_show_the_photo_and_hot_ones_do_not():
    image = np.full((40, 40, 3), 128, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[3, 3] = 5
    shown = overlay(image, heat).astype(int)
    assert (shown[:20, :20] == 128).all()
    assert np.abs(shown[39, 39] - 128).max() > 60
    assert (overlay(image, 0 * heat) == image).all()
