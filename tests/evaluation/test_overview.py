"""The overview shows photos of every class, in the row of the class."""
import cv2
import numpy as np
import pytest
from PIL import Image

from src_mindspore.data.classes import ClassNames
from src_mindspore.data.folder import read_folder
from src_mindspore.data.scan import scan
from src_mindspore.evaluation.overview import plot_overview

COLOURS = ((200, 30, 30), (30, 160, 30), (30, 30, 200))


@pytest.fixture
def coloured(tmp_path):
    """Three classes of one colour each; the last has a single photo."""
    for number, colour in enumerate(COLOURS):
        folder = tmp_path / "photos" / f"class{number}"
        folder.mkdir(parents=True)
        for photo in range(1 if number == 2 else 7):
            picture = np.full((40 + photo, 60, 3), colour[::-1], np.uint8)
            cv2.imwrite(str(folder / f"{photo}.png"), picture)
    folder = read_folder(tmp_path / "photos")
    return folder, scan(folder, progress=False)


def areas(path):
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    return [(np.abs(pixels - colour).max(axis=2) < 40) for colour in COLOURS]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_class_has_its_photos_in_its_row(coloured, tmp_path, language):
    folder, records = coloured
    names = ClassNames(folder.classes.folders, ("Cans", "Hats", "Paper"),
                       ("易拉罐", "帽子", "纸张"))
    plot_overview(records, names, folder.root, tmp_path / "sheet.png", language, per_class=4)
    first, second, third = areas(tmp_path / "sheet.png")
    assert first.sum() == pytest.approx(second.sum(), rel=0.02), "four photos each"
    assert third.sum() == pytest.approx(first.sum() / 4, rel=0.05), "its only photo, once"
    rows = [np.flatnonzero(area.any(axis=1)) for area in (first, second, third)]
    assert rows[0].max() < rows[1].min(), "one class below the other"
    assert rows[2].min() == pytest.approx(rows[0].min(), abs=3), "the second column begins anew"


def test_photos_are_spread_over_the_whole_class(coloured, tmp_path, monkeypatch):
    folder, records = coloured
    read = []
    from src_mindspore.evaluation import overview
    load = overview.load_rgb
    monkeypatch.setattr(overview, "load_rgb", lambda path: (read.append(path.name), load(path))[1])
    plot_overview(records, folder.classes, folder.root, tmp_path / "sheet.png", per_class=3)
    assert read[:3] == ["0.png", "3.png", "6.png"]
