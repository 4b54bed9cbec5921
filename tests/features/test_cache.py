"""The cache: what is written is what is read, damage is named, and a kill costs one batch."""
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src_mindspore.errors import LabError
from src_mindspore.features.cache import CacheWriter, FeatureCache, describe_change, key_of
from src_mindspore.files import npy_bytes

WHAT = {"split": "train", "preprocess": {"resize": 256, "mean": [1.0, 2.0]}, "seed": 1}
SIZES = (5, 5, 3)


def batch(number, dtype=np.float32, shape=(4,)):
    """The features, labels and index of one batch, always the same for the same number."""
    rng = np.random.default_rng(number)
    size = SIZES[number]
    return (rng.random((size, *shape)).astype(dtype), rng.integers(0, 3, size).astype(np.int32),
            rng.integers(0, 9, (size, 2)).astype(np.int32))


def fill(root, what=WHAT, stop_after=None, **kind):
    """Write what is missing of a cache; returns the numbers of the batches that were computed."""
    computed = []
    with CacheWriter(root, what) as writer:
        for number in range(len(writer.done), len(SIZES)):
            if number == stop_after:
                return computed
            writer.write(*batch(number, **kind))
            computed.append(number)
        writer.finish([{"path": "a.jpg", "size": 1, "sha256": "00"}])
    return computed


@pytest.fixture
def cache_folder(tmp_path):
    fill(tmp_path)
    return tmp_path / key_of(WHAT)


def arrays_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def test_rows_come_back_in_order(cache_folder):
    cache = FeatureCache(cache_folder)
    parts = [batch(number) for number in range(3)]
    assert len(cache) == 13
    np.testing.assert_array_equal(cache.features(), np.concatenate([p[0] for p in parts]))
    np.testing.assert_array_equal(cache.labels, np.concatenate([p[1] for p in parts]))
    np.testing.assert_array_equal(cache.index, np.concatenate([p[2] for p in parts]))
    assert cache.what == WHAT


def test_files_are_as_documented(cache_folder):
    feature, label, index = (np.load(cache_folder / f"{part}_2.npy", allow_pickle=False)
                             for part in ("feature", "label", "index"))
    assert (feature.shape, feature.dtype) == ((3, 4), np.float32)
    assert (label.shape, label.dtype) == ((3,), np.int32)
    assert (index.shape, index.dtype) == ((3, 2), np.int32)


def test_half_precision_is_read_as_float32_within_its_rounding(tmp_path):
    fill(tmp_path, dtype=np.float16)
    rows = FeatureCache(tmp_path / key_of(WHAT)).features()
    expected = np.concatenate([batch(n)[0] for n in range(3)])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, rtol=2**-11, atol=1e-7)
    assert not np.array_equal(rows, expected)


def test_whole_maps_are_flattened_channel_by_channel(tmp_path):
    fill(tmp_path, shape=(2, 3, 3))
    cache = FeatureCache(tmp_path / key_of(WHAT))
    maps = np.concatenate([batch(n, shape=(2, 3, 3))[0] for n in range(3)])
    np.testing.assert_array_equal(cache.features(), maps.reshape(13, 18))
    np.testing.assert_array_equal(cache.features(memory_limit_bytes=1)[np.arange(13)],
                                  maps.reshape(13, 18))


@pytest.mark.parametrize("columns", [slice(None), slice(0, 2), slice(1, None), slice(3, 4)])
def test_mapped_rows_equal_resident_rows(cache_folder, columns):
    cache = FeatureCache(cache_folder)
    resident = cache.features(columns)
    mapped = cache.features(columns, memory_limit_bytes=10)
    assert not isinstance(mapped, np.ndarray)
    assert mapped.shape == resident.shape
    assert len(mapped) == len(resident)
    rng = np.random.default_rng(0)
    picks = [rng.integers(0, 13, size) for size in (0, 1, 7, 40)]
    picks += [rng.permutation(13), np.array([12, 0, 12, 5, 4]), np.array([-1, -13]), slice(2, 9),
              rng.random(13) < 0.5]
    for numbers in picks:
        np.testing.assert_array_equal(mapped[numbers], resident[numbers])
        assert mapped[numbers].dtype == np.float32


def test_memory_limit_counts_the_columns_that_are_read(cache_folder):
    cache = FeatureCache(cache_folder)
    assert isinstance(cache.features(slice(0, 1), memory_limit_bytes=13 * 4), np.ndarray)
    assert not isinstance(cache.features(slice(0, 2), memory_limit_bytes=13 * 4), np.ndarray)


def remove(path, other):
    path.unlink()


def truncate(path, other):
    path.write_bytes(path.read_bytes()[:-3])


def flip_a_bit(path, other):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def swap(path, other):
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)


@pytest.mark.parametrize("part", ["feature", "label", "index"])
@pytest.mark.parametrize("damage", [remove, truncate, flip_a_bit, swap])
def test_damage_is_named_and_the_advice_repairs_it(cache_folder, part, damage):
    whole = arrays_of(cache_folder)
    damage(cache_folder / f"{part}_1.npy", cache_folder / f"{part}_0.npy")
    with pytest.raises(LabError, match=rf"{part}_[01]\.npy.*manifest\.json") as error:
        FeatureCache(cache_folder)
    assert str(cache_folder) in str(error.value)
    (cache_folder / "manifest.json").unlink()
    computed = fill(cache_folder.parent)
    # What stands before the damage is kept.
    assert computed == ([0, 1, 2] if damage is swap else [1, 2])
    assert arrays_of(cache_folder) == whole
    assert len(FeatureCache(cache_folder)) == 13


def test_truncated_manifest_is_named(cache_folder):
    manifest = cache_folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:40])
    with pytest.raises(LabError, match=r"manifest\.json is not valid JSON"):
        FeatureCache(cache_folder)


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_what_was_finished_is_not_computed_again(tmp_path, cache_folder, stop_after):
    other = tmp_path / "other"
    fill(other, stop_after=stop_after)
    assert fill(other) == list(range(stop_after, 3))
    assert arrays_of(other / cache_folder.name) == arrays_of(cache_folder)
    assert (other / cache_folder.name / "manifest.json").read_bytes() \
        == (cache_folder / "manifest.json").read_bytes()


def test_leftovers_of_a_kill_are_harmless(tmp_path, cache_folder):
    other = tmp_path / "other"
    fill(other, stop_after=2)
    folder = other / key_of(WHAT)
    (folder / ".tmp-abc.npy").write_bytes(npy_bytes(batch(2)[0])[:50])
    (folder / "feature_2.npy").write_bytes(b"the batch whose line was never written")
    journal = folder / "batches.jsonl"
    with open(journal, "a") as file:
        file.write('{"feature": "12')
    assert fill(other) == [2]
    assert arrays_of(cache_folder) == {name: data for name, data in arrays_of(folder).items()
                                       if not name.startswith(".tmp-")}
    assert [json.loads(line)["rows"] for line in journal.read_text().splitlines()] == list(SIZES)


def test_journal_cut_in_its_last_line_costs_one_batch(tmp_path):
    fill(tmp_path, stop_after=2)
    journal = tmp_path / key_of(WHAT) / "batches.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert fill(tmp_path) == [1, 2]


def test_second_writer_is_refused_while_the_first_lives(tmp_path):
    code = ("import sys; from src_mindspore.features.cache import CacheWriter\n"
            f"with CacheWriter(sys.argv[1], {WHAT!r}):\n"
            "    print('holding', flush=True); sys.stdin.read()")
    root = Path(__file__).parents[2]
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=root, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == "holding\n"
        with pytest.raises(LabError, match="Another run is computing these features"):
            fill(tmp_path)
        # Another key is another cache, which nobody holds.
        assert fill(tmp_path, {**WHAT, "seed": 2}) == [0, 1, 2]
    finally:
        holder.kill()
        holder.communicate()
    # The lock of a dead process does not stand in the way.
    assert fill(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("calls_before", [0, 4, 9])
def test_full_disk_is_explained_and_loses_nothing(tmp_path, monkeypatch, cache_folder,
                                                  calls_before):
    other, fsync, calls = tmp_path / "other", os.fsync, [0]

    def full(handle):
        calls[0] += 1
        if calls[0] > calls_before:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LabError, match="The disk is full"):
            fill(other)
    folder = other / key_of(WHAT)
    assert not (folder / "manifest.json").exists()
    assert not list(folder.glob(".tmp-*"))
    fill(other)
    assert arrays_of(folder) == arrays_of(cache_folder)


@pytest.mark.parametrize(("change", "told"), [
    ({"seed": 2}, "seed 1 -> 2"),
    ({"preprocess": {"resize": 224, "mean": [1.0, 2.0]}}, "preprocess.resize 256 -> 224"),
    ({"preprocess": {"resize": 256, "mean": [1.0, 9.0]}}, "preprocess.mean [1.0, 2.0] -> [1.0, 9"),
    ({"augmentation": None, "seed": 5}, "seed 1 -> 5"),
])
def test_change_is_named_down_to_the_setting(cache_folder, change, told):
    line = describe_change(cache_folder.parent, {**WHAT, **change})
    assert told in line
    assert line.startswith(f"differs from cache {cache_folder.name[:8]} in: ")


def test_nearest_cache_of_the_same_split_is_compared(cache_folder):
    root = cache_folder.parent
    fill(root, {**WHAT, "seed": 7, "preprocess": {"resize": 0, "mean": [0.0]}})
    assert describe_change(root, {**WHAT, "seed": 2}) \
        == f"differs from cache {cache_folder.name[:8]} in: seed 1 -> 2"
    assert describe_change(root, {**WHAT, "split": "val"}) == ""
    assert describe_change(root / "nothing here", WHAT) == ""


def test_key_depends_on_every_value_and_not_on_their_order():
    assert key_of(dict(reversed(WHAT.items()))) == key_of(WHAT)
    assert len({key_of(WHAT), key_of({**WHAT, "seed": 2}), key_of({**WHAT, "more": None})}) == 3
