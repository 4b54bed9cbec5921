import builtins
import dataclasses
import io
import json
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from src_mindspore.data import scan as scan_module
from src_mindspore.data.classes import ClassNames
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.folder import read_folder
from src_mindspore.data.scan import FileRecord, require_usable, scan
from src_mindspore.errors import LabError


def photo(seed, height=60, width=80):
    """A smooth random picture: (height, width, 3) uint8."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    for label, name in enumerate(("cans", "hats")):
        for number in range(3):
            save(root / "train" / name / f"{number}.jpg", photo(10 * label + number))
    return root


def scan_one(root, **options):
    """Scan and return a dict from file name to record."""
    return {record.path.split("/")[-1]: record
            for record in scan(read_folder(root), progress=False, **options)}


def png_header(width, height):
    """A PNG of width x height grey pixels that is small on disk."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))
    squeeze = zlib.compressobj(9)
    row = bytes(width + 1)
    pixels = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0,
                                                              0, 0))
            + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def test_records_follow_the_folder_and_describe_the_files(root):
    folder = read_folder(root)
    records = scan(folder, progress=False)
    assert [(r.split, r.path, r.label) for r in records] == [
        (split, file.path, file.label) for split, file in folder.files()]
    assert all((r.width, r.height, r.problem, r.reason) == (80, 60, "", "") for r in records)
    assert all(len(r.sha256) == 64 and len(r.phash) == 16 for r in records)
    assert records[0].size == (root / records[0].path).stat().st_size


def test_every_kind_of_bad_file_is_named(root):
    folder = root / "train" / "hats"
    whole = io.BytesIO()
    Image.fromarray(photo(1)).save(whole, "JPEG")
    (folder / "text.jpg").write_text("this is no photo")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[:-400])
    whole = io.BytesIO()
    Image.fromarray(photo(1)).save(whole, "PNG")
    (folder / "cut.png").write_bytes(whole.getvalue()[:-1500])
    (folder / "empty.jpg").touch()
    frames = [Image.fromarray(photo(seed)) for seed in range(3)]
    frames[0].save(folder / "moving.jpg", "GIF", save_all=True, append_images=frames[1:])
    os.symlink(folder / "nowhere.jpg", folder / "gone.jpg")
    found = scan_one(root)
    kinds = {name: record.problem for name, record in found.items() if record.problem}
    assert kinds == {"text.jpg": "not-an-image", "cut.jpg": "truncated", "cut.png": "truncated",
                     "empty.jpg": "empty", "moving.jpg": "animated", "gone.jpg": "unreadable"}
    assert "GIF of 3 frames" in found["moving.jpg"].reason
    assert all(record.reason and not record.phash for record in found.values() if record.problem)


def test_an_enormous_picture_is_refused_from_its_header(root, monkeypatch):
    data = png_header(20_000, 20_000)
    assert len(data) < 500_000
    (root / "train" / "hats" / "huge.png").write_bytes(data)
    decoded = []
    decode = scan_module.decode
    monkeypatch.setattr(scan_module, "decode", lambda data, **options: decoded.append(len(data))
                        or decode(data, **options))
    record = scan_one(root)["huge.png"]
    assert record.problem == "enormous"
    assert "20000x20000" in record.reason
    assert len(data) not in decoded


def test_a_file_without_permission_is_named_and_tried_again(root, tmp_path, monkeypatch):
    refused = root / "train" / "hats" / "1.jpg"
    real = builtins.open

    def guarded(file, *args, **options):
        if str(file) == str(refused):
            raise PermissionError(13, "Permission denied", str(file))
        return real(file, *args, **options)

    cache = tmp_path / "cache.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", guarded)
        bad = [r for r in scan(read_folder(root), cache, progress=False) if r.problem]
    assert [(r.path, r.problem, r.reason) for r in bad] == [
        ("train/hats/1.jpg", "unreadable", "cannot be read: Permission denied")]
    assert not any(r.problem for r in scan(read_folder(root), cache, progress=False))


@pytest.mark.parametrize(("name", "suffix"), [("jpeg", ".jpg"), ("png", ".png"), ("bmp", ".bmp"),
                                              ("webp", ".webp")])
def test_random_damage_never_crashes(root, name, suffix):
    stream = io.BytesIO()
    Image.fromarray(photo(3)).save(stream, name)
    rng = np.random.default_rng(0)
    folder = root / "train" / "hats"
    for number in range(40):
        data = bytearray(stream.getvalue())
        for place in rng.integers(0, len(data) if number % 2 else 60, 8):
            data[place] = rng.integers(0, 256)
        (folder / f"damaged{number}{suffix}").write_bytes(data)
    assert len(scan(read_folder(root), progress=False)) == 46


def test_unusual_photos_decode_to_the_right_pixels(root):
    folder = root / "train" / "hats"
    colour = photo(5)
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(colour).convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    cv2.imwrite(str(folder / "deep.png"), grey.astype(np.uint16) * 257)
    half = np.dstack([colour, np.full(grey.shape, 128, np.uint8)])
    Image.fromarray(half).save(folder / "alpha.png")
    palette = Image.fromarray(colour).quantize(256)
    palette.save(folder / "palette.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(colour))).save(folder / "turned.jpg", exif=exif,
                                                                quality=95)
    found = scan_one(root)
    notes = {"grey.png": "grey", "cmyk.jpg": "CMYK", "deep.png": "16-bit", "alpha.png": "alpha",
             "palette.png": "palette", "turned.jpg": "EXIF-rotated"}
    expected = {"grey.png": np.dstack([grey] * 3), "deep.png": np.dstack([grey] * 3),
                "alpha.png": np.rint(colour * (128 / 255) + 127.0), "cmyk.jpg": colour,
                "palette.png": np.asarray(palette.convert("RGB")), "turned.jpg": colour}
    for name, note in notes.items():
        assert not found[name].problem
        assert note in found[name].notes
        pixels = load_rgb(folder / name).astype(float)
        assert pixels.shape == colour.shape
        assert np.abs(pixels - expected[name]).mean() < 6, name


def test_names_with_spaces_and_chinese_characters(root, tmp_path):
    save(root / "train" / "hats" / "帽子 照片.jpg", photo(9))
    cache = tmp_path / "缓存 cache.jsonl"
    assert scan(read_folder(root), cache, progress=False) == \
        scan(read_folder(root), cache, progress=False)
    assert "帽子 照片.jpg" in scan_one(root)


def test_the_cache_equals_a_fresh_scan_and_reads_nothing(root, tmp_path, monkeypatch):
    cache = tmp_path / "cache.jsonl"
    fresh = scan(read_folder(root), cache, progress=False)
    monkeypatch.setattr(scan_module, "_inspect", lambda path: pytest.fail(f"read {path}"))
    assert scan(read_folder(root), cache, progress=False) == fresh


def test_the_cache_notices_a_changed_file(root, tmp_path):
    cache = tmp_path / "cache.jsonl"
    before = scan_one(root, cache_path=cache)
    path = save(root / "train" / "hats" / "1.jpg", photo(77))
    os.utime(path, ns=(1, 1))
    after = scan_one(root, cache_path=cache)
    assert after == scan_one(root)
    assert after["1.jpg"].sha256 != before["1.jpg"].sha256


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\x00", b"{}\n[1]\n", None])
def test_a_damaged_cache_is_built_again(root, tmp_path, damage):
    cache = tmp_path / "cache.jsonl"
    fresh = scan(read_folder(root), cache, progress=False)
    whole = cache.read_bytes()
    cache.write_bytes(whole[:-30] if damage is None else damage)
    assert scan(read_folder(root), cache, progress=False) == fresh
    assert cache.read_bytes() == whole


def test_an_interrupted_scan_goes_on(root, tmp_path, monkeypatch):
    cache = tmp_path / "cache.jsonl"
    inspect = scan_module._inspect

    def interrupted(path):
        if path.name == "2.jpg" and path.parent.name == "hats":
            raise KeyboardInterrupt
        return inspect(path)

    with monkeypatch.context() as patch:
        patch.setattr(scan_module, "_inspect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            scan(read_folder(root), cache, workers=1, progress=False)
    read = []
    monkeypatch.setattr(scan_module, "_inspect", lambda path: read.append(path.name)
                        or inspect(path))
    assert scan(read_folder(root), cache, progress=False) == \
        scan(read_folder(root), progress=False)
    assert read[0] == "2.jpg"
    assert len(read) == 1 + 6


def test_scanning_one_split_keeps_what_is_known_of_the_other(root, tmp_path):
    save(root / "val" / "hats" / "9.jpg", photo(9))
    cache = tmp_path / "cache.jsonl"
    scan(read_folder(root), cache, progress=False)
    os.utime(root / "val" / "hats" / "9.jpg", ns=(5, 5))
    assert [r.split for r in scan(read_folder(root), cache, progress=False, splits=["val"])] == \
        ["val"]
    assert len(cache.read_text().splitlines()) == 1 + 7


def test_uniform_pictures_have_no_perceptual_hash(root):
    save(root / "train" / "hats" / "wall.png", np.full((60, 80, 3), 200, np.uint8))
    assert scan_one(root)["wall.png"].phash == ""


CLASSES = ClassNames(("cans", "hats"), ("cans", "hats"), ("cans", "hats"))


def records_of(problems, split="train"):
    return [FileRecord(f"{split}/hats/{n}.jpg", n % 2, split, 5, problem=problem,
                       reason=problem and "is empty (0 bytes)")
            for n, problem in enumerate(problems)]


def test_bad_images_fail_lists_them():
    with pytest.raises(LabError) as error:
        require_usable(records_of(["", ""] + ["empty"] * 23), "fail", CLASSES)
    text = str(error.value)
    assert "23 of 25 files" in text
    assert "train/hats/2.jpg is empty (0 bytes)" in text
    assert "and 3 more" in text
    assert "--bad_images skip" in text
    assert "src_mindspore.data.audit" in text


def test_bad_images_skip_sets_them_aside():
    records = records_of(["", "", "empty"])
    assert require_usable(records, "skip", CLASSES) == (records[:2], records[2:])
    assert require_usable(records[:2], "fail", CLASSES) == (records[:2], [])


def test_a_class_left_without_a_photo_is_named():
    with pytest.raises(LabError, match="class folder hats has no usable photo"):
        require_usable(records_of(["", "empty"]), "skip", CLASSES)
    # A val split on its own does not have to show every class.
    assert require_usable(records_of([""], "val"), "fail", CLASSES)


def test_the_empty_eggshell_class_is_recognised():
    eggs = dataclasses.replace(CLASSES, folders=("03_01", "03_02"),
                               english=("Vegetable Leaf", "Eggshell"))
    with pytest.raises(LabError, match=r"03_02 \(Eggshell\).*known fault"):
        require_usable(records_of([""]), "fail", eggs)


def test_the_cache_is_lines_of_json(root, tmp_path):
    cache = tmp_path / "cache.jsonl"
    scan(read_folder(root), cache, progress=False)
    assert [len(json.loads(line)) for line in cache.read_text().splitlines()[1:]] == [10] * 6
