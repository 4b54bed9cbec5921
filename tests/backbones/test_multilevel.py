"""A backbone that is read at several levels."""
import json

import mindspore as ms
import numpy as np
import pytest

import evaluate
import train_head
from src_mindspore.backbones.efficientnet_lite import VARIANTS, EfficientNetLite
from src_mindspore.backbones.multilevel import MultilevelBackbone, level_blocks
from src_mindspore.features.engines import MindSporeEngine
from src_mindspore.features.of_config import prepare_backbone
from src_mindspore.mobilenetv2 import MobileNetV2Backbone


@pytest.fixture(scope="module")
def both(make_config, weights_path):
    """Function from a name to its Backbone at 80 pixels: 5 x 5 positions of the finer level."""
    return lambda name: prepare_backbone(make_config(backbone=name, image_height=80,
                                                     image_width=80))


def test_its_map_holds_two_expansions_and_the_last_map(both):
    plain, multi = both("mobilenet_v2"), both("multilevel:mobilenet_v2")
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 80, 80)).astype(np.float32)
    result = multi.cell(ms.Tensor(x)).asnumpy()
    assert result.shape == (2, multi.channels, 3, 3)
    assert multi.channels == 6 * 64 + 6 * 160 + 1280
    np.testing.assert_allclose(result[:, -1280:], plain.cell(ms.Tensor(x)).asnumpy(), atol=1e-5)
    # The names are those of Keras: block_10_expand_relu and block_14_expand_relu.
    features, y, levels = plain.cell.features, ms.Tensor(x), {}
    for number in range(1, 16):
        y = features[number - 1](y)
        levels[number] = features[number].conv[0](y).asnumpy() if number > 1 else None
    fine = np.pad(levels[11], ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    windows = fine.reshape(2, 384, 3, 2, 3, 2)
    np.testing.assert_allclose(result[:, :384], np.nanmean(windows, axis=(3, 5)), atol=1e-4)
    np.testing.assert_allclose(result[:, 384:-1280], levels[15], atol=1e-4)
    assert levels[11].shape[1:] == (384, 5, 5)
    assert levels[15].shape[1:] == (960, 3, 3)


@pytest.mark.parametrize("name", ["mobilenet_v2", *VARIANTS])
def test_channels_are_counted_as_they_are(mindspore, name):
    inner = MobileNetV2Backbone("same") if name == "mobilenet_v2" else EfficientNetLite(name)
    network = MultilevelBackbone(inner, name).set_train(False)
    maps = network(ms.Tensor(np.zeros((1, 3, 32, 32), np.float32)))
    assert maps.shape == (1, 1280 + sum(level_blocks(name)[1]), 1, 1)


def test_it_has_the_weights_of_the_plain_one_but_not_its_caches_and_exports(both):
    plain, multi = both("mobilenet_v2"), both("multilevel:mobilenet_v2")
    assert multi.sha256 == plain.sha256
    assert multi.contract() != plain.contract()
    assert MindSporeEngine(multi, "mean+max", 4).identity \
        != MindSporeEngine(plain, "mean+max", 4).identity


def test_a_run_with_it_is_exported_and_evaluated(make_argv, weights_path, drawn_data, tmp_path,
                                                 capsys):
    train_head.main([*make_argv(backbone="mirrored:multilevel:mobilenet_v2", image_height=64,
                                image_width=64, repeat=1, epochs=2),
                     "--results_path", str(tmp_path / "results"),
                     "--features_path", str(tmp_path / "features")])
    assert "best.onnx: same predictions on all 15" in capsys.readouterr().out
    folder = (tmp_path / "results" / "latest").resolve()
    metrics = tmp_path / "metrics.json"
    evaluate.main(["--ckpt", str(folder / "best.ckpt"), "--data", str(drawn_data),
                   "--json", str(metrics), "--out", str(tmp_path / "out")])
    reported = json.loads((folder / "metrics_val.json").read_text(encoding="utf-8"))
    assert json.loads(metrics.read_text(encoding="utf-8"))["correct"] == reported["correct"]
