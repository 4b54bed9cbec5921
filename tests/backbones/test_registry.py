import dataclasses
import hashlib

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src_mindspore.backbones.checkpoint import read_checkpoint, save_checkpoint
from src_mindspore.backbones.registry import load_backbone, save_backbone
from src_mindspore.data.preprocess import PreprocessSpec
from src_mindspore.errors import LabError
from src_mindspore.mobilenetv2 import MobileNetV2Backbone
from src_mindspore.weights.sources import SOURCES, source_of_stem

SOURCE = SOURCES["mobilenetv2_keras"]


@pytest.fixture(scope="module")
def parameters():
    return {p.name: p.asnumpy() for p in MobileNetV2Backbone().get_parameters()}


def test_a_backbone_comes_with_the_contract_of_its_source(tmp_path, parameters):
    path = tmp_path / "own.ckpt"
    save_backbone(parameters, path, SOURCE)
    backbone = load_backbone(path)
    assert backbone.padding == backbone.cell.padding == "same"
    assert backbone.preprocess == SOURCE.preprocess
    assert backbone.channels == 1280
    assert SOURCE.name in backbone.source
    assert len(backbone.sha256) == 64
    assert backbone.contract()["padding"] == "same"
    assert backbone.cell.trainable_params() == []
    assert not any(cell.training for _, cell in backbone.cell.cells_and_names())
    _, meta = read_checkpoint(path)
    assert meta["licence"] == "MIT"


def test_a_checkpoint_of_the_course_is_taken_as_the_course_means_it(tmp_path, parameters):
    path = tmp_path / "course.ckpt"
    network = MobileNetV2Backbone()
    ms.save_checkpoint(network, str(path))
    backbone = load_backbone(path)
    assert backbone.padding == "symmetric"
    assert backbone.preprocess == PreprocessSpec()
    assert "taken for the course's" in backbone.source


def test_unknown_kinds_and_architectures_are_refused(tmp_path, parameters):
    path = tmp_path / "x.ckpt"
    save_checkpoint(parameters, path, {"kind": "network", "architecture": "mobilenet_v2"})
    with pytest.raises(LabError, match="holds a network, not a backbone"):
        load_backbone(path)
    save_checkpoint(parameters, path, {"kind": "backbone", "architecture": "resnet50"})
    with pytest.raises(LabError, match="holds resnet50 weights; expected mobilenet_v2"):
        load_backbone(path)


def test_a_kernel_is_known_by_every_bit(parameters):
    kernel = np.zeros((32, 3, 3, 3), np.float32)
    assert source_of_stem(kernel) is None
    assert source_of_stem(parameters["features.0.features.0.weight"]) is None
    assert len({source.stem_sha256 for source in SOURCES.values()}) == len(SOURCES)
    assert all(len(source.stem_sha256) == 64 for source in SOURCES.values())


def test_the_backbone_follows_known_weights_and_unknown_ones(monkeypatch, tmp_path, parameters):
    """Padding follows the weights, in graph mode, however often they are exchanged."""
    ms.set_context(mode=ms.GRAPH_MODE)
    known = {name: value.copy() for name, value in parameters.items()}
    stem = "features.0.features.0.weight"
    known[stem] = known[stem] + np.float32(0.01)
    digest = hashlib.sha256(known[stem].tobytes()).hexdigest()
    monkeypatch.setitem(SOURCES, "test", dataclasses.replace(SOURCE, stem_sha256=digest))
    ms.save_checkpoint([{"name": n, "data": ms.Tensor(v)} for n, v in known.items()],
                       str(tmp_path / "known.ckpt"))
    ms.save_checkpoint([{"name": n, "data": ms.Tensor(v)} for n, v in parameters.items()],
                       str(tmp_path / "unknown.ckpt"))
    x = ms.Tensor(np.random.default_rng(0).uniform(-1, 1, (1, 3, 32, 32)).astype(np.float32))

    def reference(values, padding):
        cell = MobileNetV2Backbone(padding).set_train(False)
        ms.load_param_into_net(cell, {n: ms.Parameter(v, name=n) for n, v in values.items()})
        assert cell.padding == padding  # a padding that was asked for is never changed
        return cell(x).asnumpy()

    expected = reference(known, "same")
    backbone = MobileNetV2Backbone().set_train(False)
    backbone(x)  # compiled with symmetric padding before any weights came
    ms.load_checkpoint(str(tmp_path / "unknown.ckpt"), net=backbone)
    assert backbone.padding == "symmetric"
    ms.load_checkpoint(str(tmp_path / "known.ckpt"), net=backbone)
    assert backbone.padding == "same"
    np.testing.assert_array_equal(backbone(x).asnumpy(), expected)
    difference = np.abs(expected - reference(known, "symmetric")).max()
    assert difference > 0.1 * expected.max()
    ms.load_checkpoint(str(tmp_path / "unknown.ckpt"), net=backbone)
    assert {(c.pad_mode, c.padding) for _, c in backbone.cells_and_names()
            if isinstance(c, nn.Conv2d) and c.stride == (2, 2)} == {("pad", 1)}
    # Without a contract the padding and the arithmetic are still those of the source.
    loaded = load_backbone(tmp_path / "known.ckpt")
    assert loaded.padding == "same"
    assert loaded.preprocess == dataclasses.replace(SOURCE.preprocess, interpolation="bilinear")
