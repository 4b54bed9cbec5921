import json

import cv2
import numpy as np
import pytest
from PIL import Image

from src_mindspore.data.folder import read_folder
from src_mindspore.data.scan import scan
from src_mindspore.data.split import grouped_folds, split_plain
from src_mindspore.errors import LabError


def write(path, seed, quality=90):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(cv2.resize(noise, (80, 60), interpolation=cv2.INTER_CUBIC)).save(
        path, quality=quality)


@pytest.fixture
def root(tmp_path):
    """Classes of 40, 20 and 2 photos, each of the first 10 of class a with a copy."""
    root = tmp_path / "我的 data"
    for name, count, base in (("a", 40, 0), ("b", 20, 100), ("帽子 c", 2, 200)):
        for number in range(count):
            write(root / name / f"{number:02}.jpg", base + number)
    for number in range(10):
        write(root / "a" / f"copy {number:02}.jpg", number, quality=60)
    return root


def split(root, tmp_path, seed=1, **options):
    folder = read_folder(root)
    return split_plain(folder, scan(folder, progress=False), seed,
                       splits_dir=tmp_path / "splits", **options)


def paths(folder, name):
    return [file.path for file in folder.splits[name]]


def only_file(tmp_path):
    file, = (tmp_path / "splits").iterdir()
    return file


def test_every_photo_is_on_one_side_and_classes_keep_their_share(root, tmp_path):
    folder = split(root, tmp_path)
    assert set(folder.splits) == {"train", "val"}
    train, val = paths(folder, "train"), paths(folder, "val")
    assert sorted(train + val) == [file.path for file in read_folder(root).splits["all"]]
    share = {name: sum(p.startswith(name + "/") for p in val) for name in ("a", "b", "帽子 c")}
    assert 8 <= share["a"] <= 12
    assert 3 <= share["b"] <= 5
    assert share["帽子 c"] == 1
    labels = dict(zip("ab帽", range(3), strict=True))
    assert all(file.label == labels[file.path[0]] for _, file in folder.files())


@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_together(root, tmp_path, seed):
    val = set(paths(split(root, tmp_path, seed), "val"))
    for number in range(10):
        assert (f"a/{number:02}.jpg" in val) == (f"a/copy {number:02}.jpg" in val)


def test_the_seed_decides(root, tmp_path):
    one, two = split(root, tmp_path / "x"), split(root, tmp_path / "y")
    assert one == two
    assert paths(split(root, tmp_path / "x", seed=2), "val") != paths(one, "val")


@pytest.mark.parametrize(("fraction", "low", "high"), [(0.1, 4, 10), (0.5, 28, 44), (0.33, 18, 30),
                                                       (0.01, 1, 6), (0.99, 60, 70)])
def test_the_fraction_is_followed(root, tmp_path, fraction, low, high):
    assert low <= len(paths(split(root, tmp_path, val_fraction=fraction), "val")) <= high


def test_the_split_file_is_reused(root, tmp_path, capsys):
    first = split(root, tmp_path)
    assert "kept in" in capsys.readouterr().out
    assert split(root, tmp_path) == first
    assert "kept in" not in capsys.readouterr().out
    only_file(tmp_path)


def test_other_photos_get_another_file(root, tmp_path):
    split(root, tmp_path)
    write(root / "b" / "new.jpg", 999)
    split(root, tmp_path)
    assert len(list((tmp_path / "splits").iterdir())) == 2


def test_a_file_edited_by_hand_is_honoured(root, tmp_path):
    split(root, tmp_path)
    file = only_file(tmp_path)
    value = json.loads(file.read_text(encoding="utf-8"))
    moved = value["train"].pop(0)
    value["val"].append(moved)
    file.write_text(json.dumps(value), encoding="utf-8")
    assert moved in paths(split(root, tmp_path), "val")


@pytest.mark.parametrize(("damage", "text"), [
    (lambda v: "{", "not valid JSON"),
    (lambda v: "[]", "not a split file"),
    (lambda v: json.dumps({**v, "val": [3]}), "not a split file"),
    (lambda v: json.dumps({**v, "val": v["val"] + ["a/none.jpg"]}), "not among the usable"),
    (lambda v: json.dumps({**v, "val": v["val"] + v["train"][:1]}), "2 times"),
    (lambda v: json.dumps({**v, "val": v["val"][1:]}), "0 times"),
    (lambda v: json.dumps({**v, "val": [], "train": v["train"] + v["val"]}), "no val photo"),
    (lambda v: json.dumps({"val": v["val"] + [p for p in v["train"] if p[0] == "b"],
                           "train": [p for p in v["train"] if p[0] != "b"]}),
     "no train photo of class b"),
])
def test_a_damaged_file_is_refused(root, tmp_path, damage, text):
    split(root, tmp_path)
    file = only_file(tmp_path)
    file.write_text(damage(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")
    with pytest.raises(LabError, match=text) as error:
        split(root, tmp_path)
    assert file.name in str(error.value)


def test_a_class_with_one_photo_stays_in_train_and_is_named(root, tmp_path, capsys):
    (root / "帽子 c" / "01.jpg").unlink()
    folder = split(root, tmp_path)
    assert "帽子 c/00.jpg" in paths(folder, "train")
    assert "class 帽子 c has a single photo" in capsys.readouterr().out


def test_tiny_folders_have_both_sides(tmp_path):
    root = tmp_path / "tiny"
    for seed, name in enumerate(("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")):
        write(root / name, seed)
    for seed in range(4):
        folder = split(root, tmp_path, seed)
        for side in ("train", "val"):
            assert {path[0] for path in paths(folder, side)} == {"a", "b"}


def test_only_single_photos_cannot_be_split(tmp_path):
    for seed, name in enumerate(("a/1.jpg", "b/1.jpg")):
        write(tmp_path / "data" / name, seed)
    with pytest.raises(LabError, match="two different photos"):
        split(tmp_path / "data", tmp_path)


def test_train_without_val_is_split_and_test_stays(root, tmp_path):
    (tmp_path / "new").mkdir()
    root = root.rename(tmp_path / "new" / "train").parent
    write(root / "test" / "a" / "0.jpg", 500)
    folder = split(root, tmp_path)
    assert paths(folder, "test") == ["test/a/0.jpg"]
    assert len(paths(folder, "train")) + len(paths(folder, "val")) == 72


def test_a_folder_with_val_is_not_split(root, tmp_path):
    (tmp_path / "new").mkdir()
    root = root.rename(tmp_path / "new" / "train").parent
    write(root / "val" / "a" / "0.jpg", 500)
    with pytest.raises(LabError, match="already has a val folder"):
        split(root, tmp_path)


@pytest.mark.parametrize("fraction", [0, 1, -0.2, 2])
def test_the_fraction_is_between_0_and_1(root, tmp_path, fraction):
    with pytest.raises(LabError, match="val_fraction"):
        split(root, tmp_path, val_fraction=fraction)


def test_folds_are_stratified_grouped_and_seeded():
    labels = np.repeat([0, 1, 2], [60, 30, 15])
    groups = np.arange(105)
    groups[1:20:2] = groups[0:20:2]
    folds = grouped_folds(labels, groups, 5, seed=3)
    assert set(folds) == set(range(5))
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1
    counts = np.array([[np.sum((folds == fold) & (labels == label)) for label in range(3)]
                       for fold in range(5)])
    assert (np.abs(counts - [12, 6, 3]) <= 1).all()
    np.testing.assert_array_equal(folds, grouped_folds(labels, groups, 5, seed=3))
    assert (folds != grouped_folds(labels, groups, 5, seed=4)).any()


def test_too_many_folds_name_the_smallest_class():
    labels, groups = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4, 4])
    with pytest.raises(LabError, match=r"class hats has only 2 different.*at most 2"):
        grouped_folds(labels, groups, 3, seed=0, names=("cans", "hats"))
    with pytest.raises(LabError, match="at least 2"):
        grouped_folds(labels, groups, 1, seed=0)
