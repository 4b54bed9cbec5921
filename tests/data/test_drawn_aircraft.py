"""Drawn aircraft: the layout of FGVC-Aircraft, details that differ, and banners that give away."""
import numpy as np
import pytest

from src_mindspore.data import drawn_aircraft
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.drawn_aircraft import (
    HEIGHT,
    PHOTOGRAPHERS,
    VARIANTS,
    draw_aircraft,
    draw_set,
)
from src_mindspore.data.fgvc import BANNER
from src_mindspore.data.folder import read_folder
from src_mindspore.errors import LabError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw_set(tmp_path_factory.mktemp("aircraft") / "set", train=3, val=2, test=6, seed=1)


def photographer_of(photo):
    """Which photographer's colour the banner shows."""
    colour = np.median(photo[-BANNER:].reshape(-1, 3), axis=0)
    return int(np.abs(np.array(PHOTOGRAPHERS) - colour).sum(axis=1).argmin())


def test_the_set_is_read_like_the_published_one(root):
    folder = read_folder(root)
    assert folder.classes.english == tuple(sorted(v[0] for v in VARIANTS))
    assert {s: len(f) for s, f in folder.splits.items()} == {"train": 18, "val": 12, "test": 36}
    assert read_folder(root, fgvc_level="family").classes.folders == ("A20", "A40", "R70", "R90")
    assert read_folder(root, fgvc_level="manufacturer").classes.folders == ("Alba", "Rossi")
    assert not folder.others


def test_the_banner_gives_the_answer_away_in_val_and_not_in_test(root):
    folder = read_folder(root)
    seen = {split: {f.label: set() for f in files} for split, files in folder.splits.items()}
    for split, file in folder.files():
        seen[split][file.label].add(photographer_of(load_rgb(root / file.path)))
    for split in ("train", "val"):
        assert all(len(who) == 1 for who in seen[split].values())
        assert len(set.union(*seen[split].values())) == len(VARIANTS)
    assert seen["train"] == seen["val"]
    assert sum(len(who) > 1 for who in seen["test"].values()) == len(VARIANTS)


def test_variants_differ_in_the_aircraft_alone():
    """The same draws of sky, paint and place: what is left is the detail."""
    photos = [draw_aircraft(v, np.random.default_rng(5), 0).astype(int)
              for v in range(len(VARIANTS))]
    for one in range(len(VARIANTS)):
        for other in range(one):
            different = np.abs(photos[one] - photos[other]).max(axis=2) > 40
            assert 40 < different.sum() < 0.2 * different.size
            assert not different[HEIGHT:].any()
            assert not different[:30].any()


def test_a_complete_set_stays_and_a_strange_folder_is_left_alone(root, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    draw_set(root, train=3, val=2, test=6, seed=1)
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(LabError, match="holds other files"):
        draw_set(tmp_path)


def test_command_line(ask_script, tmp_path, capsys):
    code, _, err = ask_script(drawn_aircraft.main, [tmp_path / "x", "--val", "0"])
    assert code == 2
    assert "at least 1" in err
    drawn_aircraft.main([str(tmp_path / "y"), "--train", "1", "--val", "1", "--test", "1"])
    assert len(list((tmp_path / "y/images").iterdir())) == 18
