"""A backbone that is read at several levels."""

import mindspore as ms
import numpy as np
import pytest

from src_mindspore.backbones.efficientnet_lite import VARIANTS, EfficientNetLite
from src_mindspore.backbones.multilevel import MultilevelBackbone, level_blocks
from src_mindspore.mobilenetv2 import MobileNetV2Backbone


def test_its_map_holds_two_expansions_and_the_last_map(backbone_at):
    plain, multi = backbone_at("mobilenet_v2", 80), backbone_at("multilevel:mobilenet_v2", 80)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 80, 80)).astype(np.float32)
    # 5 x 5 positions of the finer level: an odd number of them.
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


def test_it_has_the_weights_of_the_plain_one_but_not_its_caches_and_exports(check_it_is_told_apart):
    check_it_is_told_apart("multilevel:mobilenet_v2", 80)


def test_a_run_with_it_is_exported_and_evaluated(check_a_run):
    check_a_run(backbone="mirrored:multilevel:mobilenet_v2", image_height=64, image_width=64)
