"""Mixing at extraction: soft labels are cached, partners are known, folds do not leak."""
import json

import numpy as np
import pytest

from src_mindspore.errors import LabError

MIXED = {"mixup": 1.0, "cutmix": 1.0, "mix_probability": 1.0, "repeat": 3}


@pytest.fixture(scope="module")
def mixed_run(street, make_argv, weights_path, tmp_path_factory):
    root = tmp_path_factory.mktemp("mixed")
    return street(make_argv(run_name="mixed", head="linear", normalise=True, lr_max=0.05, **MIXED),
                  root / "results", root / "features")


def test_soft_labels_are_cached_beside_the_features(mixed_run):
    cache = mixed_run.caches["train"]
    assert cache.labels.dtype == np.float32
    assert cache.labels.shape == (90, 5)
    np.testing.assert_allclose(cache.labels.sum(axis=1), 1, atol=1e-6)
    assert cache.index.shape == (90, 3)
    image, number, partner = cache.index.T
    own = np.repeat(np.arange(5), 6)
    clean = number == 0
    assert (partner[clean] == image[clean]).all()
    np.testing.assert_array_equal(cache.labels[clean], np.eye(5)[own[image[clean]]])
    # Nothing but the two photos' classes has a share.
    of_two = cache.labels[np.arange(90), own[image]] + np.where(
        own[image] == own[partner], 0, cache.labels[np.arange(90), own[partner]])
    np.testing.assert_allclose(of_two, 1, atol=1e-6)
    assert (cache.labels.max(axis=1) < 1).sum() > 30
    assert mixed_run.caches["val"].labels.dtype == np.int32


def test_the_street_reaches_its_end_with_soft_labels(mixed_run):
    result = json.loads((mixed_run.folder / "result.json").read_text())
    assert "same predictions on all 15" in mixed_run.output
    assert result["top1"] > 0.4


def test_mixing_has_a_key_of_its_own_and_none_when_off():
    from src_mindspore.data.augment import AugmentSpec
    from src_mindspore.data.mix import MixSpec
    from src_mindspore.data.preprocess import PreprocessSpec
    from src_mindspore.features.extract import Views

    def what(**changes):
        return Views(PreprocessSpec(), 3, True, AugmentSpec(), 1, **changes).to_dict()
    assert "mix" not in what()
    assert what(mix=MixSpec(5, 1.0)) != what(mix=MixSpec(5, 0.5))


def test_the_rows_of_mixed_photos_are_what_mixing_by_hand_gives(mixed_run, make_config,
                                                                drawn_data):
    from src_mindspore.data.augment import rng_for
    from src_mindspore.data.decode import load_rgb
    from src_mindspore.data.mix import mix
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.data.preprocess import normalise
    from src_mindspore.features.engines import MindSporeEngine
    from src_mindspore.features.of_config import prepare_backbone, train_views
    config = make_config(**MIXED, results_path=str(mixed_run.results))
    photos = prepare_photos(config, progress=False)
    backbone = prepare_backbone(config)
    views = train_views(config, backbone.preprocess, 5)
    cache = mixed_run.caches["train"]
    records = photos.splits["train"]
    image, number, partner = cache.index[4]
    pictures = [views.of(load_rgb(drawn_data / records[i].path), records[i].path, number)
                for i in (image, partner)]
    rng = rng_for(config.seed, f"mix {records[image].path}", number)
    kind, drawn, share = views.mix.draw(len(records), rng)
    picture, share = mix(kind, *pictures, share, rng)
    assert drawn == partner
    engine = MindSporeEngine(backbone, "mean+max", 16)
    expected = engine(normalise(picture[None], backbone.preprocess))[0]
    np.testing.assert_allclose(cache.features()[4], expected, atol=2e-3 * expected.max())
    label = records[image].label
    assert cache.labels[4, label] == pytest.approx(
        1 if records[partner].label == label else share, abs=1e-6)


def test_no_row_shows_a_photo_that_its_head_is_asked_about(mixed_run, mindspore):
    from src_mindspore.evaluation.crossval import CrossvalData
    cache = mixed_run.caches["train"]
    asked = np.zeros(30, int)
    asked[[0, 9, 29]] = 1

    class Spy(CrossvalData):
        def _rows(self, first, last):
            rows = np.arange(90, dtype=np.float32)[:, None]
            return rows, rows[:30]
    from unittest import mock
    with mock.patch("src_mindspore.training.head_of_config.make_trainer",
                    lambda spec, train, *_: train.rows[:, 0].astype(int)):
        from easydict import EasyDict

        from config import config
        rows, _ = Spy(cache, mixed_run.caches["train"], np.arange(30), 64).trainer(
            asked, 1, 1280, 5, EasyDict(config))
    assert set(rows) == {r for r in range(90) if not {0, 9, 29} & set(cache.index[r, [0, 2]])}
    assert len(rows) < 81


@pytest.mark.parametrize(("flags", "words"), [
    ({"mixup": 1.0, "head": "svm_rbf"}, "a support vector machine puts it on one side"),
    ({"cutmix": 1.0, "repeat": 1, "include_clean": True}, "Raise --repeat")])
def test_mixing_that_cannot_be(make_config, flags, words):
    with pytest.raises(LabError, match=words):
        make_config(**flags)
