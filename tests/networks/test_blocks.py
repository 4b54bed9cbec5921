"""Blocks: shapes, parameter counts by hand, initial weights, and the size of the CNN."""
import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src_mindspore.heads.hidden import HiddenHead
from src_mindspore.networks.blocks import (
    InceptionV1,
    InceptionV2,
    VGGStack,
    he_init,
    parameter_count,
)
from src_mindspore.networks.cnn import HIDDEN, ScratchCNN


def answer(cell, *shape):
    return cell.set_train(False)(ms.Tensor(np.random.default_rng(0).random(shape, np.float32)))


def conv(inputs, outputs, kernel):
    """Weights of a convolution without bias and of the BatchNorm behind it."""
    return inputs * outputs * kernel**2 + 2 * outputs


@pytest.mark.parametrize(("side", "stride", "expected"), [(8, 1, 8), (8, 2, 4), (9, 2, 5)])
def test_a_vgg_stack_has_one_stride_at_its_end(mindspore, side, stride, expected):
    stack = VGGStack(3, (4, 6), stride)
    assert answer(stack, 2, 3, side, side).shape == (2, 6, expected, expected)
    assert parameter_count(stack) == conv(3, 4, 3) + conv(4, 6, 3)
    assert stack.out_channels == 6


@pytest.mark.parametrize(("kind", "five"), [
    (InceptionV1, conv(3, 6, 5)), (InceptionV2, conv(3, 6, 3) + conv(6, 6, 3))])
def test_an_inception_module_concatenates_four_towers(mindspore, kind, five):
    module = kind(8, (2, 4, 6, 5), (7, 3))
    assert answer(module, 2, 8, 5, 7).shape == (2, 17, 5, 7)
    assert module.out_channels == 17
    assert parameter_count(module) == (conv(8, 2, 1) + conv(8, 7, 1) + conv(7, 4, 3)
                                       + conv(8, 3, 1) + five + conv(8, 5, 1))


def test_the_towers_stand_in_order(mindspore):
    module = InceptionV2(4, (2, 3, 4, 5), (2, 2))
    x = ms.Tensor(np.random.default_rng(1).random((1, 4, 6, 6), np.float32))
    module.set_train(False)
    whole, first = module(x).asnumpy(), 0
    for tower in (module.tower1, module.tower3, module.tower5, module.tower_pool):
        part = tower(x).asnumpy()
        np.testing.assert_allclose(whole[:, first:first + part.shape[1]], part, rtol=1e-5)
        first += part.shape[1]


def test_the_reference_network_has_its_shapes_and_fits_in_45_mb(mindspore):
    network = ScratchCNN()
    assert (network.stack.out_channels, network.inception1.out_channels,
            network.inception2.out_channels) == (128, 320, 192)
    assert network.dropout_channels == (320, 192)
    assert answer(network, 1, 3, 100, 100).shape == (1, 192, 7, 7)
    head = HiddenHead(192, 7, 65, HIDDEN)
    # Two convolutions, two modules three deep, two Dense layers: ten layers one after the other.
    values = sum(int(np.prod(p.shape)) for c in (network, head) for p in c.get_parameters())
    assert 4 * values < 45e6
    assert parameter_count(head) == 192 * 49 * 256 + 2 * 256 + 256 * 65 + 65


@pytest.mark.parametrize(("kind", "more"), [("se", 0), ("cbam", 3 * 2 * 7 * 7)])
def test_attention_costs_two_narrow_layers_a_stage_and_a_kernel(mindspore, kind, more):
    layers = sum(2 * c * (c // 16) + c // 16 + c for c in (128, 320, 192))
    assert parameter_count(ScratchCNN(attention=kind)) - parameter_count(ScratchCNN()) \
        == layers + more


def test_spatial_dropout_takes_whole_channels(mindspore):
    network = ScratchCNN().set_train(False)
    x = ms.Tensor(np.random.default_rng(2).random((2, 3, 32, 32), np.float32))
    ones = [ms.Tensor(np.ones((2, c, 1, 1), np.float32)) for c in network.dropout_channels]
    np.testing.assert_allclose(network(x, tuple(ones)).asnumpy(), network(x).asnumpy(), rtol=1e-6)
    mask = np.ones((2, 192, 1, 1), np.float32)
    mask[0, :10] = 0
    thinned = network(x, (ones[0], ms.Tensor(mask))).asnumpy()
    assert not thinned[0, :10].any()
    np.testing.assert_allclose(thinned[1], network(x).asnumpy()[1], rtol=1e-6)


def test_he_weights_have_their_deviation_and_depend_on_the_seed_alone(mindspore):
    def weights(seed):
        cells = nn.SequentialCell(nn.Conv2d(64, 128, 3), nn.Dense(500, 300))
        he_init(cells, seed)
        return [cells[0].weight.asnumpy(), cells[1].weight.asnumpy()]

    one = weights(1)
    for values, fan_in in zip(one, (64 * 9, 500), strict=True):
        assert values.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.02)
        assert abs(values.mean()) < 0.05 * values.std()
    for a, b, c in zip(one, weights(1), weights(2), strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
