"""A drawn folder looks like a reader's own, says that it is drawn, and harms no other folder."""
import numpy as np
import pytest

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.drawn import draw_image, is_drawn
from src_mindspore.data.drawn_folder import draw_plain_folder
from src_mindspore.data.folder import read_folder
from src_mindspore.errors import LabError

OBJECTS = {"shell": 16, "bottle": 0}


def test_it_is_a_plain_folder_with_names_of_its_own(tmp_path):
    root = draw_plain_folder(tmp_path / "mine", OBJECTS, 3, seed=5)
    folder = read_folder(root)
    assert folder.is_plain
    assert folder.classes.english == ("bottle", "shell")
    assert len(folder.splits["all"]) == 6
    assert is_drawn(root)
    drawn = load_rgb(root / "shell" / "02.jpg")
    assert np.abs(drawn.astype(int) - draw_image(16, 5, 2)).mean() < 6, "the picture, but for JPEG"


def test_drawing_again_gives_the_same_and_keeps_what_was_added(tmp_path):
    root = draw_plain_folder(tmp_path / "mine", OBJECTS, 2)
    before = (root / "shell" / "00.jpg").read_bytes()
    (root / "shell" / "mine.jpg").write_bytes(b"added")
    (root / "shell" / "00.jpg").unlink()
    draw_plain_folder(root, OBJECTS, 2)
    assert (root / "shell" / "00.jpg").read_bytes() == before
    assert (root / "shell" / "mine.jpg").read_bytes() == b"added"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "shell").mkdir()
    (tmp_path / "shell" / "00.jpg").write_bytes(b"a photo")
    with pytest.raises(LabError, match="was not drawn by this project"):
        draw_plain_folder(tmp_path, OBJECTS, 2)
    assert (tmp_path / "shell" / "00.jpg").read_bytes() == b"a photo"
