"""Weak classes get further passes, in proportion, and of other crops than they had."""
import json

import numpy as np
import pytest

from src_mindspore.data.prepare import prepare_photos
from src_mindspore.data.split import dealt_folds
from src_mindspore.errors import LabError
from src_mindspore.evaluation import crossval
from src_mindspore.features.of_config import extract_splits, prepare_backbone
from src_mindspore.features.stacked import StackedCache
from src_mindspore.training.upsample import further_passes, recall_of, weak_passes


def test_passes_follow_what_a_class_lacks():
    assert weak_passes(np.array([1.0, 0.9, 0.5, 0.0]), 6).tolist() == [0, 0, 1, 6]
    assert weak_passes(np.array([0.8, 0.8]), 6).tolist() == [0, 0]
    assert weak_passes(np.array([np.nan, 1.0, 0.5]), 4).tolist() == [0, 0, 4]


def test_recall_is_that_of_the_confusion_matrix():
    from sklearn.metrics import recall_score
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 5, 200), rng.normal(size=(200, 6))
    found = recall_of(logits, labels, 6)
    assert np.isnan(found[5])
    assert found[:5] == pytest.approx(recall_score(labels, logits.argmax(1), average=None,
                                                   labels=range(5)))


def test_groups_stay_together_and_small_classes_are_spread():
    labels = np.repeat([0, 1, 2, 3], [12, 4, 4, 30])
    groups = np.concatenate((np.repeat(range(4), 3), [10, 10, 11, 11], [20, 20, 21, 21],
                             np.arange(30, 60)))
    fold_of = dealt_folds(labels, groups, 3, seed=1)
    for group in np.unique(groups):
        assert len(set(fold_of[groups == group])) == 1
    for label in (1, 2):
        assert len(set(fold_of[labels == label])) == 2
    assert set(fold_of[labels == 1]) != set(fold_of[labels == 2])
    assert np.bincount(fold_of[labels == 3]).tolist() == [10, 10, 10]
    assert (dealt_folds(labels, groups, 3, seed=1) == fold_of).all()


@pytest.fixture(scope="module")
def parts(make_config, finished_run, weights_path, tmp_path_factory):
    """(train cache, further cache, numbers, photos) with further passes of classes 1 and 3."""
    config = make_config(results_path=str(tmp_path_factory.mktemp("up")),
                         features_path=str(finished_run.features))
    photos = prepare_photos(config, progress=False)
    backbone = prepare_backbone(config)
    main = extract_splits(photos, backbone, config, ("train",))["train"]
    further, numbers = further_passes(np.array([0, 3, 0, 1, 0]), photos, backbone, config)
    return main, further, numbers, photos


def test_further_passes_are_of_the_weak_classes_and_new(parts):
    main, further, numbers, photos = parts
    assert len(further) == 2 * 6 * 3
    assert sorted(set(further.labels)) == [1, 3]
    assert [photos.splits["train"][n].label for n in numbers] == [1] * 6 + [3] * 6
    rows = main.features()
    for row, label in zip(further.features(), further.labels, strict=True):
        assert np.abs(rows[main.labels == label] - row).max(axis=1).min() > 1e-3


def test_stacked_rows_are_those_of_both_caches(parts):
    main, further, numbers, photos = parts
    keep = further.index[:, 1] < np.array([0, 3, 0, 1, 0])[further.labels]
    stacked = StackedCache(main, further, numbers, keep)
    assert len(stacked) == len(main) + 6 * 3 + 6
    labels = np.array([record.label for record in photos.splits["train"]])
    assert (labels[stacked.index[:, 0]] == stacked.labels).all()
    assert len({tuple(row) for row in stacked.index}) == len(stacked)
    assert stacked.index[:len(main), 1].max() < stacked.index[len(main):, 1].min()
    columns = slice(100, 1380)
    assert np.array_equal(stacked.features(columns), np.concatenate(
        (main.features(columns), further.features(columns)[keep])))
    with pytest.raises(LabError, match="lower --repeat or --upsample"):
        stacked.features(columns, 500_000)


def test_a_run_with_further_passes(street, make_argv, finished_run, tmp_path):
    import contextlib
    import io

    import train_head
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        train_head.main([*make_argv(run_name="up", upsample=3, epochs=1, head="linear"),
                         "--results_path", str(tmp_path), "--features_path",
                         str(finished_run.features)])
    assert "classes are weak out of fold and get further passes: " in output.getvalue()
    inputs = json.loads((tmp_path / "runs/up/run.json").read_text())["inputs"]
    assert inputs["train"].startswith(finished_run.caches["train"].key + "+")
    assert json.loads((tmp_path / "runs/up/result.json").read_text())["n"] == 15


def test_what_does_not_go_together(ask_script, make_argv, make_config):
    # Where crossval, cleaning, pseudo-labels, sweeps and ensembles all get their features.
    with pytest.raises(LabError, match="found anew within every fold"):
        crossval.crossval_data(None, None, make_config(upsample=3))
    code, _, err = ask_script(crossval.main, make_argv(upsample=3, mixup=0.2))
    assert code == 2
    assert "not supported" in err
