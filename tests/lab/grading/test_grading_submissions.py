"""Hand-ins on disk: what is found, what is refused before anything of it is opened."""
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from lab.grading import submissions
from lab.grading.submissions import Refused, Submission, find_submissions, hash_of, opened
from src_mindspore.errors import LabError

MAIN = "def predict(image):\n    return 'Hats'\n"


@pytest.fixture
def zipped(tmp_path):
    """Function from {name or ZipInfo: data} to a Submission in a zip."""
    def make(entries, name="student.zip", method=zipfile.ZIP_STORED):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", method) as archive:
            for entry, data in entries.items():
                archive.writestr(entry, data)
        return Submission(path.stem, path)
    return make


def linked(name, target):
    """A zip entry that is a symbolic link: what it points to is its content."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return {info: target}


def refusal(submission):
    with pytest.raises(Refused) as refused, opened(submission):
        pass
    return refused.value.code


@pytest.mark.parametrize("name", ["../main.py", "a/../../main.py", "/etc/cron.d/job", "..\\main.py",
                                  "C:\\main.py", "c:/main.py", "a/..\\..\\x"])
def test_zip_that_writes_elsewhere(zipped, tmp_path, name):
    before = {p for p in tmp_path.parent.iterdir()}
    assert refusal(zipped({"main.py": MAIN, name: "evil"})) == "traversal"
    assert {p for p in tmp_path.parent.iterdir()} == before


def test_zip_with_a_link(zipped):
    assert refusal(zipped({"main.py": MAIN, **linked("truth", "/etc/passwd")})) == "link"
    # A link to a folder, then a file through it.
    assert refusal(zipped({**linked("out", "/tmp"), "out/x": "evil", "main.py": MAIN})) == "link"


def test_zip_bomb_by_size(zipped, monkeypatch):
    monkeypatch.setattr(submissions, "MOST_MB", 1)
    bomb = zipped({"main.py": MAIN, "bomb": bytes(50_000_000)}, method=zipfile.ZIP_DEFLATED)
    assert bomb.path.stat().st_size < 60_000
    assert refusal(bomb) == "bomb"


def test_zip_bomb_that_lies_about_its_size(zipped, monkeypatch):
    """The directory says 10 bytes; what comes out is counted, not believed."""
    monkeypatch.setattr(submissions, "MOST_MB", 1)
    bomb = zipped({"main.py": MAIN, "bomb": bytes(3_000_000)}, method=zipfile.ZIP_DEFLATED)
    data = bytearray(bomb.path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, place + 24, 10)
    bomb.path.write_bytes(data)
    assert refusal(bomb) in ("bomb", "zip")


def test_zip_of_many_files(zipped, monkeypatch):
    monkeypatch.setattr(submissions, "MOST_FILES", 20)
    assert refusal(zipped({"main.py": MAIN, **{f"{i}": "" for i in range(30)}})) == "files"


def test_zip_of_deep_folders(zipped):
    assert refusal(zipped({"main.py": MAIN, "a/" * 99 + "x": ""})) == "deep"


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip(tmp_path, data):
    (tmp_path / "s.zip").write_bytes(data)
    assert refusal(Submission("s", tmp_path / "s.zip")) in ("zip", "no_main")


def test_damaged_and_doubled_zips(zipped):
    good = zipped({"main.py": MAIN, "x": bytes(1000)})
    data = bytearray(good.path.read_bytes())
    data[data.index(MAIN.encode()) + 3] ^= 255
    good.path.write_bytes(data)
    assert refusal(good) == "zip"
    with pytest.warns(UserWarning, match="Duplicate name"):
        doubled = zipped({zipfile.ZipInfo("main.py"): MAIN, zipfile.ZipInfo("main.py"): "evil"})
    assert refusal(doubled) == "zip"


@pytest.mark.parametrize("prefix", ["", "project/", "outer/inner/"])
def test_main_is_found_in_the_only_folder(zipped, prefix):
    litter = {"__MACOSX/._main.py": "x", ".DS_Store": "x"}
    with opened(zipped({f"{prefix}main.py": MAIN, f"{prefix}model.bin": "w", **litter})) as folder:
        assert (folder / "main.py").read_text() == MAIN
        assert sorted(p.name for p in folder.iterdir()) == ["main.py", "model.bin"]


def test_no_main(zipped, tmp_path):
    assert refusal(zipped({"notebook.ipynb": "x"})) == "no_main"
    assert refusal(zipped({"a/main.py": MAIN, "b/main.py": MAIN})) == "no_main"


def test_names_from_a_chinese_windows(zipped):
    """Such zips hold GBK bytes and do not say so; Python reads them as cp437."""
    info = zipfile.ZipInfo("main.py")
    submission = zipped({info: MAIN, "model_XXXX.txt": "w"})
    data = submission.path.read_bytes().replace(b"XXXX", "权重".encode("gbk"))
    submission.path.write_bytes(data)
    with opened(submission) as folder:
        assert (folder / "model_权重.txt").read_text() == "w"


def test_nothing_stays_of_an_opened_zip(zipped):
    with opened(zipped({"main.py": MAIN})) as folder:
        place = folder
    assert not place.exists()


@pytest.mark.parametrize(("make", "code"), [
    (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "link"),
    (lambda folder: (folder / "inner").symlink_to("/"), "link"),
    (lambda folder: os.mkfifo(folder / "pipe"), "special"),
    (lambda folder: (folder / "big").write_bytes(bytes(2_000_000)), "large"),
])
def test_folder_that_is_refused(tmp_path, monkeypatch, make, code):
    monkeypatch.setattr(submissions, "MOST_MB", 1)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "main.py").write_text(MAIN)
    make(tmp_path / "s")
    assert refusal(Submission("s", tmp_path / "s")) == code


def test_hand_in_that_is_itself_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "main.py").write_text(MAIN)
    (tmp_path / "s").symlink_to(tmp_path / "real")
    assert refusal(Submission("s", tmp_path / "s")) == "link"


def test_finding(tmp_path):
    for name in ("b", "a", ".hidden", "__MACOSX"):
        (tmp_path / name).mkdir()
    for name in ("a.zip", "C.ZIP", "notes.txt"):
        (tmp_path / name).touch()
    found, others = find_submissions(tmp_path)
    assert [s.path.name for s in found] == ["C.ZIP", "a", "a.zip", "b"]
    assert len({s.name for s in found}) == 4
    assert others == ["__MACOSX", "notes.txt"]


def test_names_become_files(tmp_path):
    """Control characters and names as long as a file system takes."""
    for name in ("line\nbreak", "王" * 80):
        (tmp_path / name).mkdir()
    found, _ = find_submissions(tmp_path)
    for submission in found:
        assert "\n" not in submission.name
        (tmp_path / f"{submission.file_name}.json").write_text("x")


@pytest.mark.parametrize(("prepare", "told"), [
    (lambda folder: folder.rmdir(), "cannot be read"),
    (lambda folder: None, "holds no hand-in"),
    (lambda folder: (folder / "main.py").touch(), "is itself a hand-in"),
])
def test_folders_without_hand_ins(tmp_path, prepare, told):
    folder = tmp_path / "hand-ins"
    folder.mkdir()
    prepare(folder)
    with pytest.raises(LabError, match=told):
        find_submissions(folder)


def test_hash_depends_on_content_and_names_alone(tmp_path, zipped):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(MAIN)
        (tmp_path / name / "model").write_text("weights")
    (tmp_path / "three" / "model").rename(tmp_path / "three" / "other")
    (tmp_path / "two" / "__pycache__").mkdir()
    (tmp_path / "two" / "__pycache__" / "x.pyc").touch()
    one, two, three = (hash_of(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three
    with opened(zipped({"model": "weights", "main.py": MAIN})) as folder:
        assert hash_of(Path(folder)) == one
