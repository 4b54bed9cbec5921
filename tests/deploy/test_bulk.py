"""Bulk prediction on one machine: every row once, whatever is wrong with it, and after a kill."""
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from src_mindspore.deploy import bulk, photo_files
from src_mindspore.deploy.bulk_job import open_job, photos_of, prepare_job, relative_to
from src_mindspore.deploy.bulk_parts import PartPredictor, count, load
from src_mindspore.deploy.repeats import RepeatFinder
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of

FATAL_PHOTO = Path(__file__).parents[1] / "fatal_photo"  # its sitecustomize.py
MARK = b"this photo ends its process"
PART = 7  # 45 photos: six parts and a shorter one


@pytest.fixture(scope="module")
def checkpoint(finished_run):
    return finished_run.folder / "best.ckpt"


@pytest.fixture(scope="module")
def whole(drawn_data, checkpoint, tmp_path_factory):
    """The job of all drawn pictures, done at once; not to be changed."""
    out = tmp_path_factory.mktemp("bulk") / "out"
    bulk.main([str(drawn_data), "--ckpt", str(checkpoint), "--out", str(out),
               "--part_rows", str(PART)])
    return out


def table(out):
    return pq.read_table(out / "predictions").to_pylist()


def parts(out):
    return {path.name: path.read_bytes() for path in sorted((out / "predictions").iterdir())}


def test_rows_are_what_evaluation_says(whole, checkpoint, drawn_data):
    from src_mindspore.evaluation.predict import predict
    from src_mindspore.model import load_model
    rows = table(whole)
    assert [row["row"] for row in rows] == list(range(45))
    assert {row["path"] for row in rows} == {p for p, _ in photos_of(drawn_data)}
    model = load_model(checkpoint)
    expected = predict(model, drawn_data, [row["path"] for row in rows], np.full(45, -1),
                       progress=False)
    assert [row["label"] for row in rows] == expected.predicted.tolist()
    assert [row["top5_labels"] for row in rows] == expected.top(5).tolist()
    # The rows come from the engine that `auto` takes, what is expected from MindSpore.
    np.testing.assert_allclose([row["top5_probabilities"] for row in rows],
                               np.take_along_axis(expected.probabilities, expected.top(5), 1),
                               atol=1e-4)
    assert {row["class"] for row in rows} <= set(model.classes.folders)
    assert {row["model_sha256"] for row in rows} == {model.sha256}
    assert {row["error"] for row in rows} == {None}
    summary = json.loads((whole / "summary.json").read_text())
    assert (summary["rows"], summary["predicted"], summary["errors"]) == (45, 45, {})
    assert sum(summary["classes"].values()) == 45


def test_a_killed_job_goes_on_and_ends_equal(whole, checkpoint, drawn_data, tmp_path, monkeypatch,
                                             capsys):
    argv = [str(drawn_data), "--ckpt", str(checkpoint), "--out", str(tmp_path / "out"),
            "--part_rows", str(PART)]
    predict_part = PartPredictor._predict

    def stop(self, inventory):
        if inventory["row"][0].as_py() == 3 * PART:
            assert self.job.begun(3).exists()
            raise KeyboardInterrupt
        return predict_part(self, inventory)
    with monkeypatch.context() as patch:
        patch.setattr(PartPredictor, "_predict", stop)
        with pytest.raises(KeyboardInterrupt):
            bulk.main(argv)
    assert len(parts(tmp_path / "out")) == 3
    # A part that a full disk or a copy cut short is not taken for one.
    cut = tmp_path / "out" / "predictions" / "part-000001.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    done = []
    monkeypatch.setattr(PartPredictor, "_predict", lambda self, inventory: done.append(
        inventory["row"][0].as_py() // PART) or predict_part(self, inventory))
    bulk.main(argv)
    assert done == [1, 3, 4, 5, 6]
    assert parts(tmp_path / "out") == parts(whole)
    assert "14 rows are predicted already" in capsys.readouterr().out


def test_another_engine_names_the_same_classes(whole, checkpoint, drawn_data, tmp_path, capsys):
    argv = [str(drawn_data), "--ckpt", str(checkpoint), "--part_rows", str(PART)]
    bulk.main([*argv, "--engine", "mindspore", "--out", str(tmp_path / "slow")])
    assert "engine:" not in capsys.readouterr().out
    bulk.main([*argv, "--engine", "onnxruntime", "--out", str(tmp_path / "fast")])
    assert "engine: onnxruntime, within" in capsys.readouterr().out
    slow, fast = table(tmp_path / "slow"), table(tmp_path / "fast")
    assert [row["label"] for row in fast] == [row["label"] for row in slow]
    likeliest = [np.array([row["probability"] for row in rows]) for rows in (slow, fast)]
    np.testing.assert_allclose(*likeliest, atol=1e-4)
    assert (likeliest[0] != likeliest[1]).any()  # so it was another engine


@pytest.fixture
def odd_photos(drawn_data, tmp_path):
    """A root with good, damaged and odd files, a manifest that names them, and what to expect."""
    root = tmp_path / "photos"
    (root / "深 folder").mkdir(parents=True)
    good = sorted((drawn_data / "val").rglob("*.jpg"))[:3]
    for number, source in enumerate(good):
        shutil.copy(source, root / f"good{number}.jpg")
    shutil.copy(good[0], root / "深 folder" / "图.jpg")
    (root / "cut.jpg").write_bytes(good[0].read_bytes()[:-300])
    (root / "empty.jpg").write_bytes(b"")
    (root / "text.jpg").write_text("not a photo")
    cv2.imwrite(str(root / "grey.png"), np.arange(4096, dtype=np.uint8).reshape(64, 64))
    (tmp_path / "secret.jpg").write_bytes(good[1].read_bytes())
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    os.mkfifo(root / "pipe.jpg")
    lines = {"good0.jpg": None, "absent.jpg": "absent", "./good0.jpg": "duplicate",
             "cut.jpg": "truncated", "empty.jpg": "empty", "text.jpg": "not-an-image",
             "../secret.jpg": "outside", str(root / "good1.jpg"): None,
             str(tmp_path / "secret.jpg"): "outside", "link.jpg": "outside",
             "pipe.jpg": "not-a-file", "深 folder": "not-a-file", "深 folder/图.jpg": None,
             "grey.png": None, "good2.jpg": None, "a\0b.jpg": "name"}
    manifest = tmp_path / "manifest.txt"
    manifest.write_text("\ufeff" + "\r\n".join(lines) + "\r\n\r\n", encoding="utf-8")
    return root, manifest, list(lines.values())


def test_whatever_is_wrong_with_a_row_is_said_in_its_row(odd_photos, checkpoint, tmp_path, capsys):
    root, manifest, expected = odd_photos
    bulk.main([str(manifest), "--root", str(root), "--ckpt", str(checkpoint), "--out",
               str(tmp_path / "out"), "--part_rows", "5", "--batch_size", "2"])
    rows = table(tmp_path / "out")
    assert [row["error_kind"] for row in rows] == expected
    for row in rows:
        assert (row["label"] is None) == (row["probability"] is None) == bool(row["error"])
    assert rows[0]["top5_labels"] == rows[12]["top5_labels"]  # the same photo
    out = capsys.readouterr().out
    assert "16 rows, each exactly once; 5 predicted, 11 without an answer" in out
    assert "outside: 3" in out
    assert "absent.jpg does not exist" in out


def test_a_photo_that_ends_the_process_is_a_row(checkpoint, drawn_data, tmp_path, monkeypatch):
    """Of the part that a dead process had begun; nothing else is looked at twice."""
    root, out = tmp_path / "photos", tmp_path / "out"
    root.mkdir()
    for number, source in enumerate(sorted(drawn_data.glob("val/*/*"))[:9]):
        end = MARK if number in (4, 5, 8) else b""
        (root / f"{number}.jpg").write_bytes(source.read_bytes() + end)
    (root / "3.jpg").write_bytes(b"no photo")
    monkeypatch.setenv("PYTHONPATH", str(FATAL_PHOTO))
    job = prepare_job(root, None, out, sha256_of(checkpoint), 6, progress=False)
    job.begun(0).parent.mkdir()
    job.begun(0).touch()
    bulk.main([str(root), "--ckpt", str(checkpoint), "--out", str(out), "--part_rows", "6",
               "--engine", "mindspore"])
    assert [row["error_kind"] for row in table(out)] == [
        None, None, None, "not-an-image", "fatal", "fatal", None, None, None]
    assert not list((out / "predictions").glob(".*"))


def test_a_process_that_was_ended_once_blames_no_photo(monkeypatch):
    """As by somebody, or by a lack of memory."""
    ends = iter([2, 3, 1, None])
    asked = []
    monkeypatch.setattr(photo_files, "_decode_apart",
                        lambda root, paths: asked.append(paths) or next(ends))
    assert photo_files.fatal_photos("/", list("abcdef")) == {3}
    assert asked == [list("abcdef"), list("bcdef"), list("def"), list("ef")]


@pytest.mark.parametrize(("change", "message"), [
    (lambda argv, job: argv.__setitem__(2, job["other"]), "with another model"),
    (lambda argv, job: argv.__setitem__(0, str(job["data"] / "val")), "another root"),
    (lambda argv, job: argv.__setitem__(6, "8"), "another --part_rows: 7 there, 8 now")])
def test_another_job_is_refused(whole, checkpoint, drawn_data, tmp_path, ask_script, change,
                                message):
    other = tmp_path / "other.ckpt"
    other.write_bytes(b"another model")
    argv = [str(drawn_data), "--ckpt", str(checkpoint), "--out", str(whole), "--part_rows", "7"]
    change(argv, {"other": str(other), "data": drawn_data})
    code, _, err = ask_script(bulk.main, argv)
    assert code == 2
    assert message in err
    assert "choose another --out" in err


def test_model_that_changes_meanwhile_is_refused(whole, checkpoint, tmp_path):
    shutil.copytree(whole / "inventory", tmp_path / "inventory")
    record = json.loads((whole / "job.json").read_text())
    (tmp_path / "job.json").write_text(json.dumps({**record, "model_sha256": "0" * 64}))
    with pytest.raises(LabError, match="The model has changed"):
        PartPredictor(tmp_path, lambda: load(checkpoint, 8, "mindspore", tmp_path / "engines"),
                      8)(0)
    assert not (tmp_path / "predictions").exists()


@pytest.mark.parametrize("damage", ["swapped", "absent", "doubled"])
def test_the_count_finds_what_is_not_once(whole, tmp_path, damage):
    copy = tmp_path / "out"
    shutil.copytree(whole, copy)
    path = copy / "predictions" / "part-000002.parquet"
    if damage == "swapped":
        shutil.copy(copy / "predictions" / "part-000003.parquet", path)
    elif damage == "absent":
        path.unlink()
    else:
        rows = pq.read_table(path)
        pq.write_table(rows.take([0, 0, 2, 3, 4, 5, 6]), path)
    with pytest.raises(LabError, match="part-000002.parquet is not the answer to its rows"):
        count(open_job(copy))
    assert count(open_job(whole))["rows"] == 45


@pytest.mark.parametrize(("text", "message"), [
    ("", "names no photo"), ("nothing.jpg\nnowhere.jpg\n", "None of the first 2 photos"),
    ("../a.jpg\n/etc/passwd\n", "lie outside"), (b"\xff\xfe\x00a.jpg\n", "is not UTF-8 text")])
def test_manifest_that_cannot_be_meant_is_refused(checkpoint, tmp_path, ask_script, text, message):
    manifest = tmp_path / "manifest.txt"
    manifest.write_bytes(text if isinstance(text, bytes) else text.encode())
    code, _, err = ask_script(bulk.main, [manifest, "--ckpt", checkpoint, "--out",
                                          tmp_path / "out"])
    assert code == 2
    assert message in err


@pytest.mark.parametrize(("argv", "message"), [
    (["absent", "--ckpt", "MODEL", "--out", "OUT"], "no folder or manifest absent"),
    ([".", "--ckpt", "absent.ckpt", "--out", "OUT"], "no model absent.ckpt"),
    ([".", "--ckpt", "MODEL", "--out", "OUT", "--part_rows", "0"], "--part_rows is 0"),
    ([".", "--ckpt", "MODEL", "--out", "OUT", "--actors", "2"], "and --ray"),
    (["--ckpt", "MODEL", "--out", "OUT", "x", "--ray", "photos/"], "expected host:port"),
    ([".", "--ckpt", "MODEL", "--out", "OUT", "--ray", "127.0.0.1:1"], "Nothing answers")])
def test_mistakes_on_the_command_line_are_explained(checkpoint, tmp_path, ask_script, argv,
                                                    message):
    names = {"MODEL": checkpoint, "OUT": tmp_path / "out"}
    code, _, err = ask_script(bulk.main, [names.get(a, a) for a in argv])
    assert code == 2
    assert message in err


def test_names_that_are_no_text_have_a_row(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").touch()
    (tmp_path / "z.PNG").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden.jpg").touch()
    with open(os.fsencode(tmp_path) + b"/\xb0\xa1.jpg", "wb"):
        pass
    assert sorted(photos_of(tmp_path)) == [("\\xb0\\xa1.jpg", "name"), ("a/b.jpg", ""),
                                           ("z.PNG", "")]


@pytest.mark.parametrize(("line", "expected"), [
    ("a/../b.jpg", ("b.jpg", "")), ("/root/x/c.jpg", ("c.jpg", "")), ("..x.jpg", ("..x.jpg", "")),
    ("../x2/c.jpg", ("../x2/c.jpg", "outside")), (".", (".", "outside")),
    ("/etc/passwd", ("/etc/passwd", "outside"))])
def test_paths_stay_below_the_root(line, expected):
    assert relative_to(line, Path("/root/x")) == expected


def test_repeats_are_found_exactly(tmp_path):
    rng = np.random.default_rng(0)
    texts = [f"photo {n}" for n in rng.integers(0, 3000, 5000)]
    seen, expected = set(), []
    for number, text in enumerate(texts):
        if text in seen:
            expected.append(number)
        seen.add(text)
    with RepeatFinder(tmp_path) as finder:
        for text in texts:
            finder.add(text)
        assert list(finder.repeats()) == expected
    assert list(tmp_path.iterdir()) == []
