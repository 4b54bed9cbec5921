import io
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from src_mindspore.data import duplicates
from src_mindspore.data.duplicates import DuplicateGroup, find_duplicates, group_ids, hash_distance
from src_mindspore.data.folder import read_folder
from src_mindspore.data.scan import perceptual_hash, scan
from src_mindspore.errors import LabError


def photo(seed, height=150, width=200):
    """A random scene with shapes and a light texture: (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(9):
        centre = tuple(int(v) for v in rng.integers(0, (width, height)))
        axes = tuple(int(v) for v in rng.integers(8, 60, 2))
        colour = tuple(int(v) for v in rng.integers(10, 240, 3))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def encoded(image, **options):
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, "JPEG", **options)
    return stream.getvalue()


CHANGES = {
    "re-encoded": lambda image: encoded(image, quality=40),
    "smaller": lambda image: encoded(cv2.resize(image, (100, 75), interpolation=cv2.INTER_AREA)),
    "larger": lambda image: encoded(cv2.resize(image, (480, 360), interpolation=cv2.INTER_CUBIC)),
    "mirrored": lambda image: encoded(image[:, ::-1]),
    "brighter": lambda image: encoded(cv2.convertScaleAbs(image, alpha=1.2)),
    "darker": lambda image: encoded(cv2.convertScaleAbs(image, alpha=0.8)),
}


def write(root, name, data):
    path = root / "train" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"train/{name}"


@pytest.fixture
def root(tmp_path):
    for number in range(40):
        write(tmp_path, f"{'ab'[number % 2]}/{number:02}.jpg", encoded(photo(number), quality=90))
    return tmp_path


def search(root):
    return find_duplicates(root, scan(read_folder(root), progress=False), progress=False)


def test_different_pictures_do_not_match(root):
    assert search(root) == []


def test_the_same_bytes_are_an_exact_group(root):
    copy = write(root, "a/00 副本.jpg", encoded(photo(0), quality=90))
    assert search(root) == [DuplicateGroup((copy, "train/a/00.jpg"), True)]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(root, change):
    copies = [write(root, f"b/copy{number}.jpg", CHANGES[change](photo(number)))
              for number in range(10)]
    groups = {frozenset(group.paths) for group in search(root)}
    assert groups == {frozenset((f"train/{'ab'[number % 2]}/{number:02}.jpg", copy))
                      for number, copy in enumerate(copies)}


def test_a_group_of_bytes_and_of_pictures_is_one(root):
    paths = {write(root, "b/x.jpg", encoded(photo(4), quality=90)),
             write(root, "b/y.jpg", encoded(photo(4), quality=50)), "train/a/04.jpg"}
    group, = search(root)
    assert (set(group.paths), group.exact) == (paths, False)


def test_nearly_uniform_pictures_are_not_all_alike(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(12):
        image = rng.normal(rng.integers(60, 200, 3), 3, (80, 80, 3)).clip(0, 255).astype(np.uint8)
        write(tmp_path, f"{'ab'[number % 2]}/{number}.jpg", encoded(image))
    assert search(tmp_path) == []


def test_the_same_shading_in_another_colour_is_another_picture(tmp_path):
    light = np.tile(np.linspace(0.4, 1, 80)[None, :, None], (80, 1, 1))
    for name, colour in (("a/red.jpg", (250, 60, 60)), ("b/blue.jpg", (60, 60, 250))):
        write(tmp_path, name, encoded((light * colour).astype(np.uint8)))
    assert search(tmp_path) == []


def test_bad_files_are_left_out(root):
    write(root, "a/bad1.jpg", b"nothing")
    write(root, "a/bad2.jpg", b"nothing")
    assert search(root) == []


def test_group_ids_join_copies_and_slightly_turned_copies(root):
    turn = cv2.getRotationMatrix2D((100, 75), 1.0, 1.02)
    turned = cv2.warpAffine(photo(3), turn, (200, 150), borderMode=cv2.BORDER_REFLECT)
    write(root, "b/turned.jpg", encoded(turned))
    write(root, "b/same.jpg", encoded(photo(6), quality=90))
    records = scan(read_folder(root), progress=False)
    ids = dict(zip((r.path.split("/")[-1] for r in records),
                   group_ids(root, records, progress=False), strict=True))
    assert ids["turned.jpg"] == ids["03.jpg"]
    assert ids["same.jpg"] == ids["06.jpg"]
    assert len(set(ids.values())) == 40


def test_photos_whose_names_have_a_part_in_common_stay_together(tmp_path):
    for number, name in enumerate(("a/7_0.jpg", "a/7_1.jpg", "b/7_2.jpg", "a/8_0.jpg")):
        write(tmp_path, name, encoded(photo(number)))
    records = scan(read_folder(tmp_path), progress=False)
    ids = dict(zip((r.path.removeprefix("train/") for r in records),
                   group_ids(tmp_path, records, False, group_by="^[^_]+"), strict=True))
    assert ids["a/7_0.jpg"] == ids["a/7_1.jpg"]
    assert len(set(ids.values())) == 3  # another class is another thing, whatever its name
    with pytest.raises(LabError, match=r"finds nothing in the file name of .*7_0.jpg"):
        group_ids(tmp_path, records, False, group_by="-view")


def test_the_search_in_blocks_equals_the_search_at_once(root, monkeypatch):
    for number in range(10):
        write(root, f"b/copy{number}.jpg", CHANGES["mirrored"](photo(number)))
    whole = search(root)
    monkeypatch.setattr(duplicates, "HASH_ROWS", 7)
    monkeypatch.setattr(duplicates, "HASH_COLUMNS", 11)
    monkeypatch.setattr(duplicates, "PAIRS_AT_ONCE", 3)
    assert search(root) == whole


def test_hash_distance_sees_through_mirroring():
    image = photo(1)
    plain = perceptual_hash(image)
    assert hash_distance(plain, plain) == 0
    assert hash_distance(plain, perceptual_hash(np.ascontiguousarray(image[:, ::-1]))) <= 8
    assert hash_distance(plain, perceptual_hash(photo(2))) > 12


@pytest.mark.slow
@pytest.mark.skipif("LAB_DATA" not in os.environ, reason="LAB_DATA does not name a data folder")
def test_real_photos_and_planted_copies(tmp_path):
    source = Path(os.environ["LAB_DATA"], "garbage_26x100")
    for folder in sorted((source / "val").iterdir()):
        shutil.copytree(folder, tmp_path / "train" / folder.name)
    # As published, one val photo has a mirrored copy.
    group, = search(tmp_path)
    (tmp_path / group.paths[1]).unlink()
    planted = {}
    for path in sorted((tmp_path / "train").rglob("*.jpg")):
        relative = path.relative_to(tmp_path).as_posix()
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        change = list(CHANGES)[len(planted) % len(CHANGES)]
        planted[write(tmp_path, f"{path.parent.name}/copy_{path.name}", CHANGES[change](image))] = \
            relative
    found = {path: set(group.paths) for group in search(tmp_path) for path in group.paths}
    assert len(set(planted) & set(found)) >= 0.95 * len(planted)
    assert all(members == {copy, planted[copy]} for copy, members in found.items()
               if copy in planted)
    print("missed", set(planted) - set(found))
