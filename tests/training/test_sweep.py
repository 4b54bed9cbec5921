"""Sweeps: the same results as cross-validation, nothing trained twice, val and test untouched."""
import csv
import json

import numpy as np
import pytest
from easydict import EasyDict

from src_mindspore.errors import LabError
from src_mindspore.training import sweep
from src_mindspore.training.sweep_report import (
    label_of,
    plot_sweep,
    summarise,
    winner_command,
)
from src_mindspore.training.sweep_space import (
    STAGE_KEYS,
    SWEPT_KEYS,
    draw,
    grid,
    parse_space,
    stage_id,
    trial_id,
)


@pytest.fixture
def argv(finished_run, make_argv, tmp_path):
    """The command line of a small sweep on the cached features of the drawn set."""
    return [*make_argv(features_path=finished_run.features, results_path=tmp_path,
                       engine=finished_run.caches["train"].what["engine"]),
            "--folds", "3", "--cv_seeds", "1,2"]


def folder_of(tmp_path):
    folder, = (tmp_path / "sweeps").iterdir()
    return folder


def table_of(tmp_path):
    with open(folder_of(tmp_path) / "table.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_sweep_equals_cross_validation_and_trains_nothing_twice(
        argv, finished_run, make_config, tmp_path, capsys):
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.evaluation.crossval import cross_validate, crossval_data
    from src_mindspore.features.of_config import prepare_backbone
    tried = ["--try", "lr_max=0.01,0.3", "reduction=mean,max"]
    sweep.main([*argv, *tried])
    first = capsys.readouterr().out
    assert "4 trials x 2 seeds x 3 folds = 24 heads\n" in first
    table = table_of(tmp_path)
    assert [row["rank"] for row in table] == ["1", "2", "3", "4"]
    tops = [float(row["top-1"].removesuffix(" %")) for row in table]
    assert tops == sorted(tops, reverse=True)
    assert tops[0] > 100 / 5  # better than guessing among five classes
    # One trial by the other tool: the shared stage and the processes must not change a head.
    row = next(r for r in table if (r["lr_max"], r["reduction"]) == ("0.3", "max"))
    config = make_config(features_path=str(finished_run.features), results_path=str(tmp_path),
                         engine=finished_run.caches["train"].what["engine"], lr_max=0.3,
                         reduction="max")
    photos, backbone = prepare_photos(config, progress=False), prepare_backbone(config)
    result = cross_validate(crossval_data(photos, backbone, config), backbone, photos.classes,
                            config, 3, [1, 2])
    assert row["top-1"] == f"{100 * result['top1']:.2f} %"
    results = [json.loads(line) for line in
               (folder_of(tmp_path) / "results.jsonl").read_text().splitlines()]
    by_seed = [sum(r["correct"] for r in results
                   if r["trial"] == trial_id(config) and r["seed"] == seed) for seed in (1, 2)]
    assert by_seed == result["correct"]

    # A larger grid over the same features: only what is new is trained.
    capsys.readouterr()
    sweep.main([*argv, "--try", "lr_max=0.01,0.1,0.3", "reduction=mean,max"])
    assert "36 heads, 24 trained before" in capsys.readouterr().out
    sweep.main([*argv, *tried])
    again = capsys.readouterr().out
    assert "24 heads, 24 trained before" in again
    assert again.split("\n\n")[1:] == first.split("\n\n")[1:]


def test_stopped_sweep_goes_on(argv, tmp_path, monkeypatch, capsys):
    train = sweep.train_in_processes

    def stopped(task, units, processes, cores, note):
        def count(result):
            note(result)
            if len((folder_of(tmp_path) / "results.jsonl").read_text().splitlines()) == 4:
                raise KeyboardInterrupt
        train(task, units, processes, cores, count)
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "train_in_processes", stopped)
        with pytest.raises(KeyboardInterrupt):
            sweep.main([*argv, "--try", "lr_max=0.1,0.3"])
    journal = folder_of(tmp_path) / "results.jsonl"
    assert len(journal.read_text().splitlines()) == 4
    with open(journal, "a") as file:
        file.write('{"trial": "cut sh')  # as a kill leaves it
    capsys.readouterr()
    sweep.main([*argv, "--try", "lr_max=0.1,0.3"])
    assert "12 heads, 4 trained before" in capsys.readouterr().out
    assert len([json.loads(line) for line in journal.read_text().splitlines()]) == 12


def test_diverged_trial_comes_last_and_is_named(argv, tmp_path, capsys):
    sweep.main([*argv, "--head", "linear", "--normalise", "true", "--weight_decay", "90",
                "--epochs", "40", "--try", "lr_max=0.0001,100"])
    first, last = table_of(tmp_path)
    assert (first["lr_max"], last["lr_max"], last["top-1"]) == ("0.0001", "100", "diverged")
    assert "--lr_max 0.0001" in capsys.readouterr().out.splitlines()[-1]


def test_command_of_the_winner_means_the_winner(make_config):
    from config import DEFAULT_PRESET, KEYS, PRESETS
    from src_mindspore.configuration import parse_arguments
    config = make_config(lr_max=0.017, reduction="mean+max", decay_type="square", has_bias="false",
                         dataset_path="with space/data")
    import shlex
    words = shlex.split(winner_command(config, "python"))
    assert words[:2] == ["python", "train_head.py"]
    assert parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, words[2:], "") == config


def test_grid_has_every_combination_once():
    space = parse_space(["lr_max=0.1,0.3,0.1", "reduction=mean,mean+max", "normalise=false"])
    assert grid(space) == [
        {"lr_max": rate, "reduction": pooling, "normalise": False}
        for rate in (0.1, 0.3) for pooling in ("mean", "mean+max")]


def test_random_trials_stay_in_range_and_are_spread_in_the_logarithm():
    space = parse_space(["lr_max=0.001..10", "epochs=5..50", "optimizer=sgd,adam"])
    trials = draw(space, 300, seed=4)
    rates = np.array([t["lr_max"] for t in trials])
    assert rates.min() >= 0.001
    assert rates.max() <= 10
    assert np.median(rates) == pytest.approx(0.1, rel=0.6)
    assert {type(t["epochs"]) for t in trials} == {int}
    assert {5, 50} >= {min(t["epochs"] for t in trials)}
    assert max(t["epochs"] for t in trials) <= 50
    assert {t["optimizer"] for t in trials} == {"sgd", "adam"}
    assert draw(space, 10, seed=4) == trials[:10]
    assert draw(space, 10, seed=5) != trials[:10]


@pytest.mark.parametrize(("texts", "message"), [
    (["lr_max"], "expected key=value,value or key=low..high"),
    (["lr_maxx=1"], "nearest valid name is 'lr_max'"),
    (["repeat=1,2"], "repeat, which changes more than the head"),
    (["lr_max=1,2000"], "Wrong value for 'lr_max'"),
    (["lr_max=0.1", "lr_max=0.2"], "names lr_max twice"),
    (["lr_max=1..0.1"], "above 0 to a larger one"),
    (["optimizer=sgd..adam"], "above 0 to a larger one")])
def test_mistakes_in_the_space_are_explained(texts, message):
    with pytest.raises(LabError, match=message):
        parse_space(texts)


def test_range_needs_random():
    with pytest.raises(LabError, match="add --random N"):
        grid(parse_space(["lr_max=0.1..1"]))


def test_whole_maps_and_pooled_features_are_not_swept_together(argv, ask_script):
    code, _, err = ask_script(sweep.main, [*argv, "--head", "linear", "--normalise", "false",
                                           "--try", "reduction=none,mean"])
    assert code == 2
    assert "a sweep reads one" in err


def test_impossible_folds_are_refused_before_training(argv, ask_script, tmp_path):
    code, _, err = ask_script(sweep.main, [*argv, "--folds", "7"])
    assert code == 2
    assert "only" in err
    assert not (tmp_path / "sweeps").exists()


def test_ids_follow_what_they_stand_for(make_config):
    base = make_config()
    assert trial_id(base) == trial_id(make_config(seed=9, workers=3))
    assert trial_id(base) != trial_id(make_config(dropout=0.1))
    assert stage_id(base) == stage_id(make_config(lr_max=0.7, dropout=0.1))
    assert stage_id(base) != stage_id(make_config(rbf_gamma=2))


@pytest.mark.parametrize("head", ["linear", "rbf", "svd"])
def test_heads_that_share_a_stage_are_made_alike(make_config, head):
    """Of the first head of a stage the others take everything but what training is told."""
    from src_mindspore.heads.build import head_spec
    base = make_config(head=head)
    others = {"head": "svm_linear", "reduction": "max", "normalise": not base.normalise,
              "rbf_centres": 64, "rbf_width": 64, "rbf_gamma": 2.0, "svm_c": 2.0,
              "svd_components": 64, "attention": "sigmoid", "has_bias": not base.has_bias,
              "epochs": 9, "batch_size": 9, "optimizer": "adam", "lr_init": 0.5, "lr_max": 0.5,
              "lr_end": 0.5, "warmup_epochs": 1, "decay_type": "plateau", "decay_rate": 0.5,
              "decay_patience": 9, "decay_steps": 9, "momentum": 0.5, "weight_decay": 0.5,
              "label_smoothing": 0.5, "dropout": 0.5, "weight_init": "ones", "lookahead": 9,
              "sampler": "weighted", "sampler_power": 0.1, "loss": "focal", "joint_share": 0.1,
              "focal_gamma": 9.0, "class_weights": "inverse", "effective_beta": 0.1}
    assert set(others) == set(SWEPT_KEYS)
    changing = {key for key, value in others.items()
                if head_spec(make_config(**{"head": head, key: value}), 8, 5, 100)
                != head_spec(base, 8, 5, 100)}
    assert {"reduction", "attention", "has_bias"} <= changing <= set(STAGE_KEYS)
    assert head != "svd" or "svd_components" in changing


def heads(trial, correct, loss=1.0):
    return [{"trial": trial, "seed": 1, "fold": i, "n": 10, "correct": c, "loss": loss}
            for i, c in enumerate(correct)]


def test_ranking_is_by_top1_then_loss_and_leaves_foreign_results_out():
    trials = {name: {"lr_max": rate} for name, rate in (("a", 1.), ("b", 2.), ("c", 3.))}
    results = [*heads("a", [7, 8], 0.9), *heads("b", [8, 7], 0.5), *heads("c", [9, 9]),
               *heads("other", [10, 10]), {"trial": "c", "seed": 2, "fold": 0, "error": "not ours"}]
    rows = summarise(trials, results, [1], 2)
    assert [row["trial"] for row in rows] == ["c", "b", "a"]
    assert (rows[0]["n"], rows[0]["top1"]) == (20, 0.9)
    assert rows[0]["interval"][0] < 0.9 < rows[0]["interval"][1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_picture_is_drawn_with_many_trials(tmp_path, language):
    import cv2
    rows = [{"trial": str(i), "values": {"lr_max": 0.01 * (i + 1), "optimizer": "adam"}, "n": 200,
             "top1": 0.9 - i / 100, "interval": [0.85 - i / 100, 0.94 - i / 100], "loss": 1.0,
             "spread": None} for i in range(40)]
    plot_sweep([*rows, EasyDict(trial="x", values=rows[0]["values"], top1=None, error="nan")],
               tmp_path / "sweep.png", 5, [1], language)
    assert min(cv2.imread(str(tmp_path / "sweep.png")).shape[:2]) > 500
    assert label_of(rows[0]["values"]) == "lr_max 0.01, adam"
