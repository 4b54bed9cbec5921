import errno
import os
import stat

import numpy as np
import pytest

from src_mindspore import files
from src_mindspore.errors import LabError


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_file_appears_with_its_folders_and_can_be_changed_by_its_owner(tmp_path):
    path = tmp_path / "a" / "b" / "c.ckpt"
    with files.replacing(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".ckpt"
        temporary.write_text("new")
        os.chmod(temporary, 0o400)  # as MindSpore's savers do
        assert not path.exists()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(path.parent) == ["c.ckpt"]


@pytest.mark.parametrize("mistake", [ValueError, KeyboardInterrupt])
def test_a_writer_that_stops_leaves_the_old_file(tmp_path, mistake):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise mistake

    with pytest.raises(mistake):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(("number", "words"), [
    (errno.ENOSPC, "The disk is full"), (errno.EDQUOT, "The disk is full"),
    (errno.EACCES, "Choose a folder that you may write to"),
    (errno.EROFS, "Choose a folder that you may write to"), (errno.EIO, "could not be written")])
@pytest.mark.parametrize("function", ["fsync", "replace", "chmod"])
def test_a_failing_disk_leaves_the_old_file_and_is_explained(tmp_path, monkeypatch, number, words,
                                                             function):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*args):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(LabError, match=words) as caught:
            files.write_text(path, "new")
    assert str(path) in str(caught.value)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_in_the_writer_is_explained_too(tmp_path):
    def write():
        with files.replacing(tmp_path / "a.npy"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LabError, match=f"Free some space in {tmp_path}"):
        write()
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"a\.txt could not be written"):
        files.write_text(tmp_path / "file" / "a.txt", "new")


def test_the_bytes_are_on_disk_before_the_name_is_switched(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append("fsync") or fsync(handle))
    monkeypatch.setattr(os, "replace", lambda *a: calls.append("replace") or replace(*a))
    files.write_bytes(tmp_path / "a", b"x")
    assert calls == ["fsync", "replace", "fsync"]  # file, switch, folder


def test_json_keeps_chinese_readable_and_reads_back(tmp_path):
    value = {"b": [1, 2.5, None], "a": "蛋壳"}
    files.write_json(tmp_path / "v.json", value)
    assert "蛋壳" in (tmp_path / "v.json").read_text(encoding="utf-8")
    assert files.read_json(tmp_path / "v.json") == value
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(LabError, match=r"half\.json is not valid JSON"):
        files.read_json(tmp_path / "half.json")
    with pytest.raises(LabError, match=r"none\.json could not be read"):
        files.read_json(tmp_path / "none.json")


def test_npy_bytes_read_back_and_never_pickle(tmp_path):
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    (tmp_path / "a.npy").write_bytes(files.npy_bytes(array))
    again = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert again.dtype == np.float16
    np.testing.assert_array_equal(again, array)
    with pytest.raises(ValueError, match="pickle"):
        files.npy_bytes(np.array([{}], object))


def test_hashes_are_the_standard_ones(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256_of(tmp_path / "a") == digest
    assert files.sha256_of_json({"a": 1, "b": 2}) == files.sha256_of_json({"b": 2, "a": 1})
    assert files.sha256_of_json({"a": 1}) != files.sha256_of_json({"a": 2})
    assert files.sha256_of_json({"a": 1}) != files.sha256_of_json({"a": "1"})
