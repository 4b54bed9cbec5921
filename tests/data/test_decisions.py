"""A decisions file is honoured to the letter, and a mistake in it is named with its line."""
import pytest

import train_head
from src_mindspore.data.classes import name_classes
from src_mindspore.data.decisions import apply_decisions, read_decisions
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.data.scan import FileRecord
from src_mindspore.errors import LabError

CLASSES = name_classes(["00_00", "00_01", "00_02"])


def records():
    """Three classes with two train photos and one val photo each."""
    return [FileRecord(f"{split}/{name}/{number}.jpg", label, split, 1, sha256=f"{label}{number}ab")
            for label, name in enumerate(CLASSES.folders)
            for split, number in (("train", 0), ("train", 1), ("val", 2))]


@pytest.fixture
def apply(tmp_path):
    """Function from the lines of a decisions file to (records, Applied)."""
    def ask(*lines, head="path,decision,sha256"):
        path = tmp_path / "decisions.csv"
        path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")
        return apply_decisions(path, records(), CLASSES, {r.path for r in records()} | {"bad.jpg"})
    return ask


def test_photos_are_dropped_relabelled_kept(apply):
    after, applied = apply("train/00_00/0.jpg,drop,00ab", "train/00_01/1.jpg,relabel 00_02,",
                           "train/00_02/0.jpg,keep,", "train/00_02/1.jpg,,",
                           "train/00_00/1.jpg,relabel 00_00,")
    expected = {r.path: r.label for r in records()}
    del expected["train/00_00/0.jpg"]
    expected["train/00_01/1.jpg"] = 2
    assert {r.path: r.label for r in after} == expected
    assert applied.dropped == ("train/00_00/0.jpg",)
    assert applied.relabelled == (("train/00_01/1.jpg", "00_01", "00_02"),)
    assert applied.kept == 1
    assert "1 photos dropped from train, 1 relabelled, 1 kept" in applied.sentence()


def test_val_is_what_train_is_measured_by_and_stays(apply):
    after, applied = apply("val/00_00/2.jpg,drop,", "bad.jpg,drop,")
    assert after == records()
    assert applied.elsewhere == ("val/00_00/2.jpg", "bad.jpg")
    assert "2 not in train" in applied.sentence()


@pytest.mark.parametrize("name", ["00_02", "Newspaper", "报纸"])
def test_a_class_may_be_named_in_three_ways(apply, name):
    _, applied = apply(f"train/00_00/0.jpg,relabel {name},")
    assert applied.relabelled[0][2] == "00_02"


@pytest.mark.parametrize(("lines", "expected"), [
    (["train/00_00/0.jpg,delete,"], "line 2: the decision is 'delete'; expected keep, drop, or"),
    (["train/00_00/0.jpg,drop it,"], "the decision is 'drop it'"),
    (["train/00_00/0.jpg,relabel 00_03,"], "no class '00_03' to relabel to. The nearest is '00_0"),
    (["train/00_00/0.jpg,keep,", "train/00_00/0.jpg,drop,"], "line 3: 'train/00_00/0.jpg' stands "
     "in line 2 already"),
    (["train/00_00/9.jpg,drop,"], "there is no photo 'train/00_00/9.jpg'"),
    (["train/00_00/0.jpg,drop,ffff"], "another photo than the one that was decided about"),
    (["train/00_00/0.jpg,drop,", "train/00_00/1.jpg,drop,"], "leave nothing to learn from. The "
     "class folder 00_00"),
    (["train/00_00/0.jpg"], "line 2: 3 columns were expected"),
    (["a,b.jpg,drop,"], "A path with a comma needs quotation marks"),
])
def test_mistakes_are_named(apply, lines, expected):
    with pytest.raises(LabError, match=r"decisions\.csv") as raised:
        apply(*lines)
    assert expected in str(raised.value)


def test_files_that_are_no_decisions(apply, tmp_path):
    with pytest.raises(LabError, match="no column 'decision'; its first line is 'path;decision'"):
        apply(head="path;decision")
    with pytest.raises(LabError, match="cannot be read: No such file"):
        read_decisions(tmp_path / "none.csv", CLASSES)
    (tmp_path / "gbk.csv").write_bytes("path,decision\n报纸,drop\n".encode("gbk"))
    with pytest.raises(LabError, match="is not UTF-8"):
        read_decisions(tmp_path / "gbk.csv", CLASSES)


def test_training_honours_the_file(make_config, drawn_data, tmp_path):
    (tmp_path / "mine.csv").write_text("path,decision\ntrain/00_00/00001.jpg,drop\n"
                                       "train/00_01/00002.jpg,relabel 00_03\n")
    config = make_config(decisions=str(tmp_path / "mine.csv"), results_path=str(tmp_path))
    photos = prepare_photos(config, progress=False)
    labels = {r.path: r.label for r in photos.splits["train"]}
    assert len(labels) == 29
    assert "train/00_00/00001.jpg" not in labels
    assert labels["train/00_01/00002.jpg"] == 3
    assert len(photos.splits["val"]) == 15


def test_the_run_remembers_and_its_features_have_a_key_of_their_own(
        street, make_argv, finished_run, tmp_path, weights_path):
    import json
    (tmp_path / "mine.csv").write_text("path,decision\ntrain/00_00/00001.jpg,drop\n")
    run = street(make_argv(run_name="cleaned", epochs=1, decisions=tmp_path / "mine.csv"),
                 tmp_path / "results", tmp_path / "features")
    result = json.loads((run.folder / "result.json").read_text())
    assert result["photos"]["train"] == 29
    assert result["decisions"]["dropped"] == ["train/00_00/00001.jpg"]
    assert "1 photos dropped from train" in (run.folder / "report.md").read_text()
    assert run.caches["train"].folder.name != finished_run.caches["train"].folder.name
    assert run.caches["val"].folder.name == finished_run.caches["val"].folder.name


def test_train_head_names_the_file(ask_script, make_argv, tmp_path):
    code, _, err = ask_script(train_head.main, make_argv(
        decisions=tmp_path / "absent.csv", results_path=tmp_path / "results"))
    assert code == 2
    assert "absent.csv cannot be read" in err
