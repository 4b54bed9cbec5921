"""What is divided on Ray, and put together again; without Ray, whose part tests/test_ray.py has."""
import functools
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from fake_engine import VIEWS, FakeEngine, fake_backbone, files_of
from filelock import FileLock

from src_mindspore.data.prepare import prepare_photos
from src_mindspore.features import on_ray
from src_mindspore.features.extract import extract
from src_mindspore.features.fused import JoinedCache


def split_by_fakes(photos, backbone, config, splits, how):
    """Stand in for `extract_splits`."""
    return {split: how(photos.splits[split], photos.root, split, backbone, FakeEngine(), VIEWS,
                       config.features_path, dtype="float32", pooling="mean+max", workers=1)
            for split in splits}


def caches_of(root):
    return {folder.name: files_of(folder) for folder in Path(root).iterdir()}


@pytest.fixture
def divide(make_config, tmp_path, monkeypatch):
    """Function (run_units, keys of the configuration) -> (caches, plain caches of each backbone).
    """
    monkeypatch.setattr(on_ray, "BATCHES_OF_A_SHARD", 2)
    monkeypatch.setattr(on_ray, "prepare_backbone", lambda alone: fake_backbone(alone.backbone))
    monkeypatch.setattr(on_ray, "extract_splits", split_by_fakes)

    def divide(run_units, **keys):
        monkeypatch.setattr(on_ray, "run_units", run_units)
        config = make_config(features_path=str(tmp_path / "divided"), **keys)
        photos = prepare_photos(config)
        divided = on_ray.extract_on_ray(photos, config, "local")
        config.features_path = str(tmp_path / "plain")
        plain = [split_by_fakes(photos, fake_backbone(name.partition("@")[0]), config,
                                ("train", "val"), functools.partial(extract, progress=False))
                 for name in (config.backbones or config.backbone).split(",")]
        assert caches_of(tmp_path / "divided") == caches_of(tmp_path / "plain")
        return divided, plain
    return divide


def here(what, units, make_worker, arguments, address, actors, note):
    """Stand in for `run_units`."""
    assert len(units) > 5
    worker = make_worker(*json.loads(json.dumps(arguments[:1])), *arguments[1:])
    for unit in units:
        note(worker(unit))


def test_one_backbone_is_divided_and_merged(divide):
    divided, (plain,) = divide(here)
    for split in ("train", "val"):
        np.testing.assert_array_equal(divided[split].features(), plain[split].features())


def test_several_backbones_are_divided_merged_and_joined(divide):
    divided, plain = divide(here, backbones="mobilenet_v2@96,efficientnet_lite0@65")
    for split in ("train", "val"):
        joined = JoinedCache({str(i): part[split] for i, part in enumerate(plain)})
        assert divided[split].key == joined.key
        np.testing.assert_array_equal(divided[split].features(), joined.features())


def test_an_orphan_that_still_holds_its_shard_is_waited_for(divide, tmp_path):
    def with_an_orphan(what, units, make_worker, arguments, *rest):
        member, split, number, of, _ = arguments[2][0]
        assert (member, split, number) == ("mobilenet_v2", "train", 1)
        key = on_ray.extract_splits(arguments[1], fake_backbone(member), on_ray.EasyDict(
            arguments[0][member]), ("train",), on_ray._plan)["train"].key
        folder = on_ray.Shard(number, of).folder(tmp_path / "divided", key)
        folder.mkdir(parents=True)
        lock = FileLock(folder / ".lock", thread_local=False)
        lock.acquire()
        threading.Timer(0.5, lock.release).start()
        here(what, units, make_worker, arguments, *rest)
    divide(with_an_orphan)


def test_paths_hold_on_every_machine_and_no_weights_stay_none(make_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = make_config(backbones="mobilenet_v2,mindcv:resnet18,mindcv:resnet34")
    weights = tmp_path / "results" / "weights"
    weights.mkdir(parents=True)
    (weights / "resnet34.safetensors").touch()
    configs = on_ray.configs_everywhere(config)
    assert {name: alone.pretrained_ckpt for name, alone in configs.items()} == {
        "mobilenet_v2": str(weights / "mobilenetv2_keras.ckpt"), "mindcv:resnet18": "",
        "mindcv:resnet34": str(weights / "resnet34.safetensors")}
    assert {alone.features_path for alone in configs.values()} == {
        str(tmp_path / "results" / "features")}
