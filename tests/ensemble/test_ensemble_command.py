"""Runs that vote: the table, the one MindIR, and what is refused."""
import json
import shutil

import numpy as np
import pytest

from src_mindspore.errors import LabError


@pytest.fixture(scope="module")
def runs(finished_run, street, make_argv, tmp_path_factory):
    """Folders of the finished run and of a support vector machine on the same photos."""
    root = tmp_path_factory.mktemp("voters")
    other = street(make_argv(run_name="second", head="svm_rbf"), root / "results",
                   finished_run.features)
    return [finished_run.folder, other.folder]


def ask(runs, out, *flags):
    from src_mindspore.ensemble.__main__ import main
    main(["--runs", *map(str, runs), "--folds", "3", "--out", str(out), *flags])
    return json.loads((out / "ensemble.json").read_text())


@pytest.mark.parametrize("vote", ["hard", "weighted", "stack"])
def test_runs_become_one_mindir_that_evaluate_reads(runs, vote, drawn_data, tmp_path, capsys):
    import evaluate
    contract = ask(runs, tmp_path / "together", "--vote", vote)
    printed = capsys.readouterr().out
    assert "ensemble.mindir: same predictions on all 15 validation photos" in printed
    assert [m["run"] for m in contract["members"]] == ["first", "second"]
    if vote == "weighted":
        assert sum(contract["weights"]) == pytest.approx(1)
    flags = ["--mindir", str(tmp_path / "together" / "ensemble.mindir"), "--data",
             str(drawn_data), "--json", str(tmp_path / "m.json"), "--out",
             str(tmp_path / "evaluation")]
    evaluate.main(flags)
    result = json.loads((tmp_path / "m.json").read_text())
    assert contract["table"][-1][3] == f"{result['correct']} of 15"
    if vote == "weighted":  # it knows the crops its members were trained with
        assert contract["augmentation"] == json.loads(
            (runs[0] / "best.json").read_text())["augmentation"] is not None
        evaluate.main([*flags, "--tta", "crops", "--tta_views", "2"])
        crops = json.loads((tmp_path / "m.json").read_text())
        assert crops["tta_spec"]["kind"] == "crops"
        assert crops["loss"] != result["loss"]


def test_members_are_asked_out_of_fold(runs, mindspore):
    """What is said about a photo of train does not come from the run, which has learnt from it."""
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.ensemble.members import load_members, out_of_fold
    members = load_members(runs)
    photos = prepare_photos(members[0].config, progress=False)
    said, temperatures, labels, fold_of = out_of_fold(members, photos, 3, seed=1)
    assert said.shape == (2, 30, 5)
    np.testing.assert_allclose(said.sum(axis=2), 1)
    assert sorted(np.bincount(fold_of)) == [10, 10, 10]
    assert labels.tolist() == [r.label for r in photos.splits["train"]]
    assert len(temperatures) == 2


@pytest.fixture
def copy(runs, tmp_path):
    """A copy of the first run that a test may change."""
    return shutil.copytree(runs[0], tmp_path / "copy")


@pytest.mark.parametrize(("file", "old", "new", "words"), [
    ("run.json", '"inputs": {', '"inputs": {"weights": "0", ', "by train_network.py"),
    ("config.yaml", "upsample: 0", "upsample: 4", "with --upsample 4")])
def test_a_training_that_folds_do_not_repeat_is_not_asked_out_of_fold(runs, copy, file, old, new,
                                                                      words, tmp_path):
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    with pytest.raises(LabError, match=f"copy was trained {words}.*--vote soft or hard"):
        ask([runs[1], copy], tmp_path / "none", "--vote", "weighted")
    assert not (tmp_path / "none").exists()


def test_members_that_are_not_asked_out_of_fold_vote_all_the_same(runs, copy, tmp_path, capsys):
    from src_mindspore.model import load_model
    text = (copy / "run.json").read_text()
    (copy / "run.json").write_text(text.replace('"inputs": {', '"inputs": {"weights": "0", '))
    contract = ask([runs[1], copy], tmp_path / "together", "--vote", "soft")
    assert "copy was trained by train_network.py" in (printed := capsys.readouterr().out)
    assert "ensemble.mindir: same predictions on all 15 validation photos" in printed
    assert [m["temperature"] for m in contract["members"]] \
        == [load_model(run / "best.ckpt").temperature for run in (runs[1], copy)]
    assert contract["weights"] == [0.5, 0.5]
    assert [row[2] for row in contract["table"]] == ["", "", ""]


def test_one_member_is_none(runs):
    from src_mindspore.ensemble.members import load_members
    with pytest.raises(LabError, match="1 member was named"):
        load_members(runs[:1])


def test_a_member_must_be_finished(runs, copy):
    from src_mindspore.ensemble.members import load_members
    (copy / "result.json").unlink()
    with pytest.raises(LabError, match="copy is not a finished run"):
        load_members([runs[0], copy])


@pytest.mark.parametrize("rename", [True, False])
def test_a_member_with_other_classes_has_no_vote(runs, copy, rename):
    from src_mindspore.backbones.checkpoint import read_checkpoint, save_checkpoint
    from src_mindspore.ensemble.members import load_members
    parameters, meta = read_checkpoint(copy / "best.ckpt")
    folders = meta["classes"]["folders"]
    meta["classes"]["folders"] = ["another", *folders[1:]] if rename else folders[::-1]
    save_checkpoint({n: p.asnumpy() for n, p in parameters.items()}, copy / "best.ckpt",
                    {k: v for k, v in meta.items() if k != "format"})
    words = "'00_00' is known to one of them only" if rename else "in another order"
    with pytest.raises(LabError, match=words):
        load_members([runs[0], copy])


def test_members_of_other_photos_are_refused(runs, copy, mindspore):
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.ensemble.members import load_members, require_same_photos
    table = copy / "predictions_val.csv"
    lines = table.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    table.write_text("".join(lines[:-1]), encoding="utf-8-sig")
    members = load_members([runs[0], copy])
    photos = prepare_photos(members[0].config, progress=False)
    with pytest.raises(LabError, match="1 are in one of the two only"):
        require_same_photos(members, photos)


def test_fewer_photos_than_folds(runs, tmp_path):
    from src_mindspore.ensemble.__main__ import main
    with pytest.raises(LabError, match="7 folds were asked for, but class .* has only 6"):
        main(["--runs", *map(str, runs), "--folds", "7", "--vote", "stack", "--out",
              str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()
