import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src_mindspore.backbones.folding import fold_batchnorm
from src_mindspore.mobilenetv2 import MobileNetV2Backbone


def random_norms(cell):
    rng = np.random.default_rng(0)
    for parameter in cell.get_parameters():
        low, high = {"gamma": (0.5, 1.5), "beta": (-0.3, 0.5), "moving_mean": (-0.2, 0.2),
                     "moving_variance": (1e-6, 2)}.get(parameter.name.split(".")[-1], (0, 0))
        if high:
            parameter.set_data(ms.Tensor(rng.uniform(low, high, parameter.shape)
                                         .astype(np.float32)))
    return cell.set_train(False)


@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_the_folded_network_computes_the_same(padding):
    ms.set_context(mode=ms.GRAPH_MODE)
    x = ms.Tensor(np.random.default_rng(1).uniform(-2, 2, (1, 3, 96, 96)).astype(np.float32))
    backbone = random_norms(MobileNetV2Backbone(padding))
    expected = backbone(x).asnumpy()
    copy = MobileNetV2Backbone(padding).set_train(False)
    ms.load_param_into_net(copy, backbone.parameters_dict())
    assert fold_batchnorm(copy) == 52
    assert not [cell for _, cell in copy.cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    result = copy(x).asnumpy()
    assert np.abs(result - expected).max() <= 1e-3 * np.abs(expected).max()
    assert expected.std() > 0.01
    assert fold_batchnorm(copy) == 0


def test_only_a_norm_right_behind_a_convolution_is_folded():
    cell = nn.SequentialCell(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    assert fold_batchnorm(cell) == 0
    assert isinstance(cell[0], nn.BatchNorm2d)


def test_bias_and_dilation_of_a_convolution_survive():
    ms.set_context(mode=ms.GRAPH_MODE)
    cell = random_norms(nn.SequentialCell(
        nn.Conv2d(3, 4, 3, dilation=2, has_bias=True, bias_init="ones"), nn.BatchNorm2d(4)))
    x = ms.Tensor(np.random.default_rng(1).uniform(-2, 2, (1, 3, 9, 9)).astype(np.float32))
    expected = cell(x).asnumpy()
    assert fold_batchnorm(cell) == 1
    np.testing.assert_allclose(nn.SequentialCell(*cell)(x).asnumpy(), expected, atol=1e-5)
