"""Architectures of MindCV compute what torchvision and timm compute with the same weights.

The expected numbers are PyTorch's: weights from `values_of` were put into torchvision's resnet18,
squeezenet1_0 and inception_v3 and timm's resnest50d and tf_efficientnet_b0 (PyTorch 2.13,
torchvision 0.29, timm 1.0.31), which were asked about the same noise.
"""
import zlib

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src_mindspore.backbones.mindcv_bridge import MindCVBackbone
from src_mindspore.backbones.mindcv_layers import CeilPool, SymmetricPool

# name, padding, side of the input, side of the map, means of the first four channels, maxima of
# the last three
REFERENCES = [
    ("resnet18", "pytorch", 64, 2, [0.462102, 1.45025, 0.847542, 0.251834],
     [1.96471, 0.113539, 2.6817]),
    ("squeezenet1_0", "pytorch", 65, 3, [0, 0, 0, 0.05097], [0.140691, 0.0889516, 0.0828354]),
    ("inception_v3", "pytorch", 107, 2, [0.0185611, 0, 0, 0.00341882],
     [0, 0.0428794, 0.129107]),
    ("resnest50", "pytorch", 64, 2, [0.15018, 0, 0.217872, 0.00104759],
     [0.0149237, 0.622034, 0.606412]),
    ("efficientnet_b0", "tensorflow", 64, 2, [0.00963849, -0.00193271, -0.0313604, -0.0772706],
     [0.0257587, 0.0475251, 0.0511135])]


def values_of(cell):
    """Weights that depend on the names of the parameters alone: dict name -> float32 array."""
    values = {}
    for parameter in cell.get_parameters():
        name, shape = parameter.name, parameter.shape
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if len(shape) > 1:
            value = rng.normal(size=shape) * np.sqrt(1 / np.prod(shape[1:]))
        elif name.endswith(("gamma", "variance")):
            value = rng.uniform(0.8, 1.2, shape)
        else:
            value = rng.uniform(-0.1, 0.1, shape)
        values[name] = value.astype(np.float32)
    return values


def asked(name, padding, side):
    """Return the map (C, h, w) of a backbone with these weights for noise."""
    cell = MindCVBackbone(name, padding).set_train(False)
    values = values_of(cell)
    for parameter in cell.get_parameters():
        parameter.set_data(ms.Tensor(values[parameter.name]))
    noise = np.random.default_rng(3).normal(size=(1, 3, side, side)).astype(np.float32)
    return cell(ms.Tensor(noise)).asnumpy()[0]


@pytest.mark.parametrize(("name", "padding", "side", "map_side", "means", "maxima"), REFERENCES)
def test_features_are_those_of_pytorch(mindspore, name, padding, side, map_side, means, maxima):
    answer = asked(name, padding, side)
    assert answer.shape[1:] == (map_side, map_side)
    limit = 1e-5 * np.abs(answer).max()
    np.testing.assert_allclose(answer.mean((1, 2))[:4], means, atol=limit)
    np.testing.assert_allclose(answer.max((1, 2))[-3:], maxima, atol=limit)


def test_mindcvs_own_padding_gives_other_features(mindspore):
    """So the numbers above would notice it."""
    name, _, side, _, means, _ = REFERENCES[0]
    answer = asked(name, "own", side)
    assert np.abs(answer.mean((1, 2))[:4] - means).max() > 0.01


def windows(x, kernel, stride):
    """Return (N, C, h, w, kernel, kernel): the windows of a pool without padding."""
    return np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))[
        :, :, ::stride, ::stride]


@pytest.mark.parametrize("side", [7, 8])
def test_symmetric_pools_are_pytorchs(mindspore, side):
    x = np.random.default_rng(0).normal(size=(2, 3, side, side)).astype(np.float32) - 2
    border = ((0, 0), (0, 0), (1, 1), (1, 1))
    average = SymmetricPool(nn.AvgPool2d(3, 2, pad_mode="same"))(ms.Tensor(x)).asnumpy()
    np.testing.assert_allclose(average, windows(np.pad(x, border), 3, 2).mean((-2, -1)), atol=1e-6)
    largest = SymmetricPool(nn.MaxPool2d(3, 2, pad_mode="same"))(ms.Tensor(x)).asnumpy()
    expected = windows(np.pad(x, border, constant_values=-np.inf), 3, 2).max((-2, -1))
    np.testing.assert_allclose(largest, expected, atol=1e-6)  # all below 0, so no zero is taken


@pytest.mark.parametrize(("side", "out"), [(7, 3), (8, 4), (9, 4)])
def test_windows_may_reach_beyond_the_border_in_ceil_mode(mindspore, side, out):
    x = np.abs(np.random.default_rng(0).normal(size=(2, 3, side, side))).astype(np.float32)
    answer = CeilPool(nn.MaxPool2d(3, 2))(ms.Tensor(x)).asnumpy()
    more = 2 * (out - 1) + 3 - side
    padded = np.pad(x, ((0, 0), (0, 0), (0, more), (0, more)), constant_values=-np.inf)
    np.testing.assert_array_equal(answer, windows(padded, 3, 2).max((-2, -1)))


@pytest.mark.parametrize("build", [
    lambda: MindCVBackbone("squeezenet1_0", "pytorch"),
    lambda: nn.SequentialCell(SymmetricPool(nn.AvgPool2d(3, 2, pad_mode="same")),
                              SymmetricPool(nn.MaxPool2d(3, 2, pad_mode="same")))])
def test_what_is_exported_computes_the_same(mindspore, build, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    from src_mindspore.backbones.export import export_network
    cell = build().set_train(False)
    noise = np.random.default_rng(3).normal(size=(1, 3, 64, 64)).astype(np.float32)
    export_network(cell, ms.Tensor(noise), tmp_path / "it.onnx", "ONNX")
    session = onnxruntime.InferenceSession(str(tmp_path / "it.onnx"))
    answer, = session.run(None, {session.get_inputs()[0].name: noise})
    expected = cell(ms.Tensor(noise)).asnumpy()
    np.testing.assert_allclose(answer, expected, atol=1e-4 * np.abs(expected).max())
