"""Extraction: every photo once a pass, the same bytes whatever happens on the way."""
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_engine import (
    SPEC,
    VIEWS,
    FakeEngine,
    extract_fake,
    fake_backbone,
    files_of,
    train_records,
)

from src_mindspore.data.augment import AugmentSpec, augment, rng_for
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import normalise, preprocess
from src_mindspore.errors import LabError
from src_mindspore.features.extract import Views

ROWS = 90  # 30 photos, 3 passes: 11 batches of 8 and one of 2


def refuse(number):
    raise AssertionError("the engine was asked although the features are there")


@pytest.fixture(scope="module")
def cache(drawn_data, tmp_path_factory):
    """The features of the drawn set by the fake engine; not to be changed."""
    return extract_fake(drawn_data, tmp_path_factory.mktemp("features"))


@pytest.fixture
def copied(drawn_data, tmp_path):
    """A copy of the train split whose photos a test may change."""
    shutil.copytree(drawn_data / "train", tmp_path / "data" / "train")
    return tmp_path / "data"


def test_nothing_is_dropped(cache, drawn_data):
    records = train_records(drawn_data)
    assert [b["rows"] for b in cache.batches] == [8] * 11 + [2]
    assert cache.index.tolist() == [[image, number] for image in range(30) for number in range(3)]
    assert cache.labels.tolist() == [records[image].label for image, _ in cache.index]
    assert [image["path"] for image in cache.images] == [r.path for r in records]


def test_rows_are_what_the_engine_says_about_the_views(cache, drawn_data):
    rows = cache.features()
    for row in (0, 1, 44, 89):
        image, number = cache.index[row]
        path = cache.images[image]["path"]
        pixels = load_rgb(drawn_data / path)
        view = preprocess(pixels, SPEC) if number == 0 else normalise(
            augment(pixels, SPEC, VIEWS.augmentation, rng_for(VIEWS.seed, path, number)), SPEC)
        np.testing.assert_array_equal(rows[row], FakeEngine()(view[None])[0])


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_do_not_change_a_byte(cache, drawn_data, tmp_path, workers):
    other = extract_fake(drawn_data, tmp_path, workers=workers)
    assert other.folder.name == cache.folder.name
    assert files_of(other.folder) == files_of(cache.folder)


def test_same_key_is_reused_without_the_engine(cache, drawn_data, capsys):
    again = extract_fake(drawn_data, cache.folder.parent, FakeEngine(at_call=refuse))
    np.testing.assert_array_equal(again.features(), cache.features())
    assert "30 photos x 3, cached in" in capsys.readouterr().out


def with_views(**changes):
    return {"views": dataclasses.replace(VIEWS, **changes)}


def with_augmentation(**changes):
    return with_views(augmentation=dataclasses.replace(VIEWS.augmentation, **changes))


@pytest.mark.parametrize(("change", "told"), [
    ({"backbone": fake_backbone("bb")}, "weights_sha256 aa -> bb"),
    (with_views(preprocess=dataclasses.replace(SPEC, resize=0)), "preprocess.resize 36 -> 0"),
    (with_views(preprocess=dataclasses.replace(SPEC, interpolation="bilinear")),
     "preprocess.interpolation area -> bilinear"),
    (with_augmentation(brightness=0.1), "augmentation.brightness 0.4 -> 0.1"),
    (with_augmentation(flip=0.0), "augmentation.flip 0.5 -> 0.0"),
    (with_augmentation(crop_scale=(0.5, 1.0)), "augmentation.crop_scale [0.08, 1.0] -> [0.5, 1.0]"),
    (with_views(seed=5), "augmentation_seed 4 -> 5"),
    (with_views(repeat=2), "repeat 3 -> 2"),
    (with_views(include_clean=False), "include_clean True -> False"),
    ({"engine": FakeEngine(batch_size=7)}, "batch_size 8 -> 7"),
    ({"pooling": "none", "engine": FakeEngine(maps=True)}, "pooling mean+max -> none"),
    ({"dtype": "float16"}, "dtype float32 -> float16"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_every_ingredient_makes_a_new_key_and_is_named(cache, drawn_data, tmp_path, capsys, change,
                                                       told):
    shutil.copytree(cache.folder, tmp_path / cache.folder.name)
    other = extract_fake(drawn_data, tmp_path, **change)
    assert other.folder.name != cache.folder.name
    line = capsys.readouterr().out
    assert line.count("->") == 1
    assert told in line


def test_changed_photos_make_a_new_key(cache, drawn_data, copied, tmp_path, capsys):
    shutil.copytree(cache.folder, tmp_path / "features" / cache.folder.name)
    first, second = sorted(copied.rglob("*.jpg"))[:2]
    first.write_bytes(second.read_bytes())
    other = extract_fake(copied, tmp_path / "features")
    assert "in: images " in capsys.readouterr().out
    np.testing.assert_array_equal(other.features()[0], other.features()[3])
    assert not np.array_equal(other.features()[0], cache.features()[0])


def test_other_labels_make_a_new_key(cache, drawn_data, tmp_path):
    records = [dataclasses.replace(r, label=4 - r.label) for r in train_records(drawn_data)]
    other = extract_fake(drawn_data, tmp_path, records=records)
    assert other.folder.name != cache.folder.name
    np.testing.assert_array_equal(other.labels, 4 - cache.labels)


def test_what_has_no_influence_does_not_change_the_key():
    clean = Views(SPEC)
    assert dataclasses.replace(clean, seed=9).to_dict() == clean.to_dict()
    only_clean = Views(SPEC, 1, True, AugmentSpec(), 3)
    assert only_clean.to_dict() == clean.to_dict()
    assert dataclasses.replace(VIEWS, seed=9).to_dict() != VIEWS.to_dict()


@pytest.mark.parametrize("at", [0, 1, 5, 11])
def test_interrupted_extraction_ends_bit_equal(cache, drawn_data, tmp_path, capsys, at):
    def interrupt(number):
        if number == at:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        extract_fake(drawn_data, tmp_path, FakeEngine(at_call=interrupt))
    assert not (tmp_path / cache.folder.name / "manifest.json").exists()
    engine = FakeEngine()
    other = extract_fake(drawn_data, tmp_path, engine)
    assert engine.calls == 12 - at
    assert files_of(other.folder) == files_of(cache.folder)
    assert (f"going on after {8 * at} of {ROWS}" in capsys.readouterr().out) == (at > 0)


def test_killed_before_the_manifest_only_the_manifest_is_written(cache, drawn_data, tmp_path):
    shutil.copytree(cache.folder, tmp_path / cache.folder.name)
    (tmp_path / cache.folder.name / "manifest.json").unlink()
    other = extract_fake(drawn_data, tmp_path, FakeEngine(at_call=refuse))
    assert files_of(other.folder) == files_of(cache.folder)


def test_killed_process_is_continued_bit_equal(cache, drawn_data, tmp_path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    child = subprocess.Popen([sys.executable, str(Path(__file__).with_name("fake_engine.py")),
                              str(drawn_data), str(tmp_path)], env=environment, cwd=root)
    folder = tmp_path / cache.folder.name
    try:
        for _ in range(600):
            if (folder / "feature_2.npy").exists() or child.poll() is not None:
                break
            time.sleep(0.05)
        assert child.poll() is None, "the child ended before it could be killed"
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == -signal.SIGKILL
    assert not (folder / "manifest.json").exists()
    engine = FakeEngine()
    other = extract_fake(drawn_data, tmp_path, engine)
    assert 0 < engine.calls < 12
    assert files_of(other.folder) == files_of(cache.folder)


def test_too_small_disk_is_told_before_the_first_file(drawn_data, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 4000))
        with pytest.raises(LabError, match="The disk is too small for the features: 0 MB") as error:
            extract_fake(drawn_data, tmp_path)
    assert "--feature_dtype float16" in str(error.value)
    assert not list(tmp_path.rglob("*.npy"))
    assert len(extract_fake(drawn_data, tmp_path)) == ROWS


def test_room_is_asked_for_once_and_for_all_that_is_missing(drawn_data, tmp_path, monkeypatch):
    # 90 rows of 12 float32; half of it in float16.
    monkeypatch.setattr(shutil, "disk_usage",
                        lambda path: shutil._ntuple_diskusage(0, 0, 90 * 12 * 4 - 1))
    with pytest.raises(LabError, match="too small"):
        extract_fake(drawn_data, tmp_path)
    assert len(extract_fake(drawn_data, tmp_path, dtype="float16")) == ROWS


def test_photo_that_changed_after_the_scan_is_refused(copied, tmp_path):
    records = train_records(copied)
    changed = copied / records[10].path
    changed.write_bytes((copied / records[11].path).read_bytes())
    with pytest.raises(LabError, match=f"{records[10].path} changed while the run"):
        extract_fake(copied, tmp_path / "features", records=records)
    # The same command scans again, and what was finished is of no use: another key.
    assert len(extract_fake(copied, tmp_path / "features")) == ROWS


def test_photo_that_vanished_after_the_scan_is_named(copied, tmp_path):
    records = train_records(copied)
    (copied / records[3].path).unlink()
    with pytest.raises(LabError, match=f"{records[3].path} cannot be read.*readable before"):
        extract_fake(copied, tmp_path / "features", records=records)


def test_half_precision_is_within_its_rounding(cache, drawn_data, tmp_path):
    half = extract_fake(drawn_data, tmp_path, dtype="float16")
    assert np.load(half.folder / "feature_0.npy").dtype == np.float16
    np.testing.assert_allclose(half.features(), cache.features(), rtol=2**-10, atol=1e-6)


def test_whole_maps_are_kept_and_flattened(drawn_data, tmp_path):
    maps = extract_fake(drawn_data, tmp_path, FakeEngine(maps=True), pooling="none")
    assert np.load(maps.folder / "feature_0.npy").shape == (8, 3, 2, 2)
    rows = maps.features()
    assert rows.shape == (ROWS, 12)
    path = maps.images[0]["path"]
    view = preprocess(load_rgb(drawn_data / path), SPEC)
    np.testing.assert_allclose(rows[0].reshape(3, 2, 2)[1, 0, 1], view[1, :16, 16:].mean(),
                               rtol=1e-5)


def test_mapped_rows_of_a_real_cache_equal_resident_ones(cache):
    resident, mapped = cache.features(slice(3, 9)), cache.features(slice(3, 9), 1)
    numbers = np.random.default_rng(1).integers(0, ROWS, 200)
    np.testing.assert_array_equal(mapped[numbers], resident[numbers])


def test_network_features_are_pooled_maps_of_the_backbone(finished_run, make_config, weights_path):
    """The engines against the plain, unfolded backbone."""
    import mindspore as ms

    from src_mindspore.features.of_config import prepare_backbone
    backbone = prepare_backbone(make_config())
    cache = finished_run.caches["val"]
    root = Path(make_config().dataset_path)
    images = np.stack([preprocess(load_rgb(root / image["path"]), backbone.preprocess)
                       for image in cache.images[:3]])
    maps = backbone.cell(ms.Tensor(images)).asnumpy()
    expected = np.concatenate([maps.mean((2, 3)), maps.max((2, 3))], axis=1)
    np.testing.assert_allclose(cache.features()[:3], expected, rtol=1e-3, atol=1e-3)
