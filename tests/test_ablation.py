"""The ablation: rows on the same folds, resumed where they ended, votes from kept answers."""
import json
from types import SimpleNamespace

import numpy as np
import pytest
from easydict import EasyDict

from bench import ablation
from bench.ablation_rows import BASE, TECHNIQUES, VIEW_KEYS
from config import KEYS
from src_mindspore.errors import LabError
from src_mindspore.features.of_config import augmentation_of


def test_every_technique_changes_known_keys_to_allowed_values():
    for row in TECHNIQUES:
        for name, value in row.changes.items():
            assert KEYS[name].rule.parse(value) == value
        assert row.changes or row.views or row.vote
    assert len({row.name for row in TECHNIQUES}) == len(TECHNIQUES)


def test_rows_of_one_cache_see_the_same_views(make_config):
    def seen(config):
        return augmentation_of(config), config.mixup, config.cutmix, config.reduction
    of_cache = {}
    for row in (BASE, *TECHNIQUES):
        config = EasyDict({**make_config(), **row.changes})
        cache = tuple(config[key] for key in VIEW_KEYS)
        assert seen(config) == of_cache.setdefault(cache, seen(config)), row.name
    assert len(of_cache) > 8


def test_rows_bring_the_base_and_the_members_of_a_vote():
    assert [row.name for row in ablation.rows_named("focal loss")] == [BASE.name, "focal loss"]
    names = {row.name for row in ablation.rows_named("soft vote of 3 heads")}
    assert names == {"recommended", "linear head", "svm, rbf", "soft vote of 3 heads"}
    # To leave a vote out is not to leave out who would vote.
    assert ablation.names_in("soft vote of 3 heads; focal loss") == ["soft vote of 3 heads",
                                                                     "focal loss"]
    assert ablation.names_in("") == []
    with pytest.raises(LabError, match="'focal los'.*focal loss"):
        ablation.rows_named("focal los")


@pytest.mark.parametrize("reduction", ["mean", "max"])
def test_views_of_a_linear_head_are_averaged(mindspore, reduction):
    from scipy.special import softmax

    from src_mindspore.heads.build import HeadSpec
    rows = np.random.default_rng(0).random((12, 10), np.float32)  # 4 photos, 3 views, mean and max
    index = np.stack((np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)), axis=1)
    spec = HeadSpec(5, 1, 3, reduction=reduction)
    head, columns = spec.build(), slice(0, 5) if reduction == "mean" else slice(5, 10)
    cache = SimpleNamespace(index=index, features=lambda columns: rows[:, columns])
    asked = np.array([True, False, True, True])
    said = ablation.Ablation._views(None, SimpleNamespace(head=head), spec, cache, asked)
    each = softmax(head.dense(mindspore.Tensor(rows[:, columns])).asnumpy(), axis=1)
    np.testing.assert_allclose(said, each.reshape(4, 3, 3).sum(axis=1)[asked], rtol=1e-5)


def test_rows_are_kept_and_not_measured_again(make_argv, weights_path, tmp_path, capsys,
                                              monkeypatch):
    argv = make_argv(features_path=tmp_path / "features", results_path=tmp_path / "results",
                     epochs=2, val_fraction=0.3)
    data = argv[argv.index("--dataset_path") + 1]
    del argv[argv.index("--dataset_path"):argv.index("--dataset_path") + 2]
    argv += ["--data", data, "--work", str(tmp_path / "work"), "--folds", "2",
             "--cv_seeds", "1,2", "--without", "focal loss",
             "--rows", "focal loss; test-time augmentation; soft vote of 3 heads"]
    ablation.main(argv)
    rows = {row["name"]: row for row in json.loads((tmp_path / "work/rows.json").read_text())}
    assert list(rows) == ["recommended", "linear head", "svm, rbf", "test-time augmentation",
                          "soft vote of 3 heads"]
    base = rows["recommended"]
    assert base["top1_mean"] == 0
    for row in rows.values():
        assert row["top1"] - base["top1"] == pytest.approx(row["top1_mean"])
        assert row["top1_low"] <= row["top1_mean"] <= row["top1_high"]
        # The drawn set is balanced, so there both figures are one.
        assert row["macro_recall"] == pytest.approx(row["top1"])
    assert (tmp_path / "work/ablation.png").stat().st_size > 10_000
    table = (tmp_path / "work/table.md").read_text()
    assert "**soft vote of 3 heads**" in table

    def refuse(*_):
        raise AssertionError("trained again")
    monkeypatch.setattr(ablation.Ablation, "_train", refuse)
    ablation.main(argv)
    assert (tmp_path / "work/table.md").read_text().split("\n", 1)[1] == table.split("\n", 1)[1]
    kept = np.load(next((tmp_path / "work/answers").glob("*.npz")), allow_pickle=False)
    assert kept["scores"].dtype == np.float32


def test_parts_of_a_combination_do_not_overwrite_one_another(monkeypatch):
    gains = {"linear head": 3.0, "adam": 1.0, "ranger": 0.5, "dropout 0.3": 0.2, "svm, rbf": 2.0,
             "focal loss": -1.0}

    def differences(_, base, answers):
        return (EasyDict(mean=answers["gain"]), EasyDict(mean=0.0))
    bench = object.__new__(ablation.Ablation)
    monkeypatch.setattr(ablation.Ablation, "differences", differences)
    monkeypatch.setattr(ablation.Ablation, "measure", lambda _, row, seeds: (row.name, seeds))
    measured = {BASE.name: {}, **{name: {"gain": gain} for name, gain in gains.items()}}
    row, answers, base = bench.combine(measured, [1, 2])
    # Adam's rate would be overwritten by the head's, and Adam then run at a rate for momentum.
    assert row.name == "best combination: dropout 0.3 + linear head"
    assert row.changes == {"dropout": 0.3, "head": "linear", "normalise": True, "lr_max": 0.05}
    assert (answers, base) == ((row.name, [1001, 1002]), (BASE.name, [1001, 1002]))
    measured["adam"] = {"gain": 4.0}
    row, *_ = bench.combine(measured, [1, 2])
    assert row.name == "best combination: adam + dropout 0.3"
    assert row.changes == {"dropout": 0.3, "optimizer": "adam", "lr_max": 0.01}
    # What belongs to training does not reach a machine that is fitted at once; other views do, but
    # not those with soft labels.
    measured["svm, rbf"] = {"gain": 9.0}
    measured["no crop"] = measured["mixup"] = {"gain": 0.1}
    row, *_ = bench.combine(measured, [1, 2])
    assert row.name == "best combination: svm, rbf + no crop"
