"""What training does with photos of val that stand in train too."""
import cv2
import numpy as np
import pytest

from src_mindspore.data.audit import audit
from src_mindspore.data.folder import read_folder
from src_mindspore.data.leaks import handle_leaks
from src_mindspore.data.scan import scan
from src_mindspore.errors import LabError


def picture(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def root(tmp_path):
    for number, path in enumerate(("train/a/1", "train/a/2", "train/b/3", "train/b/4",
                                   "val/a/5", "val/b/6")):
        file = tmp_path / f"{path}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), picture(number))
    return tmp_path


def handled(root, leaks):
    folder = read_folder(root)
    records = scan(folder, progress=False)
    return {r.path for r in handle_leaks(audit(folder, records, False), folder.classes, records,
                                         leaks)}


def test_without_leaks_nothing_changes(root):
    assert len(handled(root, "refuse")) == 6


def test_byte_identical_copies_stop_the_run(root):
    (root / "val/a/5.jpg").write_bytes((root / "train/a/2.jpg").read_bytes())
    with pytest.raises(LabError, match=r"val/a/5.jpg is the same photo as train/a/2.jpg") as error:
        handled(root, "refuse")
    assert "--leaks drop" in str(error.value)
    assert handled(root, "drop") == {"train/a/1.jpg", "train/b/3.jpg", "train/b/4.jpg",
                                     "val/a/5.jpg", "val/b/6.jpg"}


def test_near_copies_are_left_out_of_train_and_named(root, capsys):
    cv2.imwrite(str(root / "val/a/5.jpg"), picture(1)[:, ::-1])
    assert "train/a/2.jpg" not in handled(root, "refuse")
    assert "val/a/5.jpg is the same photo as train/a/2.jpg" in capsys.readouterr().out


def test_all_can_stay_with_a_warning(root, capsys):
    (root / "val/a/5.jpg").write_bytes((root / "train/a/2.jpg").read_bytes())
    assert len(handled(root, "allow")) == 6
    assert "warning: 1 photos" in capsys.readouterr().out


def test_a_class_made_of_copies_only_is_refused(root):
    for name in ("1", "2"):
        (root / f"train/a/{name}.jpg").write_bytes((root / "val/a/5.jpg").read_bytes())
    with pytest.raises(LabError, match="nothing is left to learn from"):
        handled(root, "drop")
