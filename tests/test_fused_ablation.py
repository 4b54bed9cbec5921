"""The ablation of the fused model: what it counts, and that it does not count twice."""
import json

import numpy as np
import pytest
from easydict import EasyDict

from bench.fused_ablation import JOINED, RECIPES, recipes_named, report, right_of
from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore.configuration import resolve
from src_mindspore.errors import LabError


def test_recipes_are_named_by_number():
    assert recipes_named(None) == list(RECIPES)
    assert recipes_named("4, 1") == [JOINED, "member 1"]
    for wrong in ("0", "1,x", str(len(RECIPES) + 1)):
        with pytest.raises(LabError, match=r"--recipes is .*from 1 to"):
            recipes_named(wrong)


def test_every_recipe_is_a_configuration_that_is_allowed():
    for _, changes in RECIPES.values():
        config = resolve(KEYS, PRESETS, DEFAULT_PRESET, preset="fused", flags=changes)
        assert {name: config[name] for name in changes} == changes


def test_a_seed_that_is_done_is_read_and_another_setting_is_not(tmp_path, monkeypatch):
    asked = []

    def right_in_folds(cache, groups, channels, classes, config, folds):
        asked.append((config.seed, config.lr_max))
        return np.array([True, False, True])
    monkeypatch.setattr("src_mindspore.evaluation.paired.right_in_folds", right_in_folds)
    cache = EasyDict(key="abc")

    def ask(**changes):
        config = {"seed": 1, "lr_max": 0.1, "workers": 2, **changes}
        return right_of(tmp_path, "joined", cache, None, 3, None, EasyDict(config))
    for changes in ({}, {}, {"workers": 1}, {"seed": 2}, {"lr_max": 0.2}):
        np.testing.assert_array_equal(ask(**changes), [True, False, True])
    assert asked == [(1, 0.1), (2, 0.1), (1, 0.2)]


def test_the_table_counts_photos_by_most_seeds(mindspore, tmp_path, capsys):
    first = np.arange(100) < 90
    rights = {JOINED: {1: first, 2: first, 3: ~first},
              "other": {1: np.arange(100) < 96, 2: np.arange(100) < 96, 3: np.arange(100) < 93}}
    report(rights, tmp_path)
    assert "6 : 0, p = 0.031" in capsys.readouterr().out
    stored = json.loads((tmp_path / "ablation.json").read_text())
    assert stored["other"]["top1"] == pytest.approx(0.95)
    assert stored["other"]["against_joined"] == [6, 0, pytest.approx(2 / 64)]
    assert stored[JOINED]["n"] == 100
    assert (tmp_path / "ablation.png").stat().st_size > 1000
