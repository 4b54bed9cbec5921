"""Grad-CAM against a case computed by hand, and what a network may be cut behind."""
import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src_mindspore.errors import LabError
from src_mindspore.evaluation.class_activation import Cut, GradCAM, cut, heat_of, layer_names
from src_mindspore.heads.linear import MobileNetV2Head
from src_mindspore.mobilenetv2 import MobileNetV2Backbone, mobilenet_v2

# Two channels of 2 x 2, made so that every number below can be checked on paper.
MAP = np.array([[[1, 2], [3, 6]], [[4, 0], [0, 4]]], np.float32)
WEIGHTS = np.array([[2, -1], [-4, 8]], np.float32)


def tiny(reduction, activation="None", identity=nn.Identity):
    head = MobileNetV2Head(2, 2, 2, reduction, activation, has_bias=False)
    weights = WEIGHTS if reduction else np.repeat(WEIGHTS, 4, axis=1)
    head.dense.weight.set_data(ms.Tensor(weights))
    return mobilenet_v2(identity(), head).set_train(False)


def test_the_heat_is_what_paper_and_pencil_give(mindspore):
    # Mean pooling: d logit_c / d A_k = w_ck / 4 at every position, so alpha = w / 4.
    heat, logits = GradCAM(cut(tiny("mean")), 3)(np.stack([MAP, MAP]), np.array([0, 1]))
    np.testing.assert_allclose(logits, [[2 * 3 - 2, -4 * 3 + 8 * 2]] * 2, atol=1e-6)
    np.testing.assert_allclose(heat[0], [[0, 1], [1.5, 2]], atol=1e-6)   # (2 A0 - A1) / 4
    np.testing.assert_allclose(heat[1], [[7, 0], [0, 2]], atol=1e-6)     # (8 A1 - 4 A0) / 4


def test_max_pooling_sends_the_gradient_to_the_maximum(mindspore):
    unequal = MAP.copy()
    unequal[1, 0, 0] = 3  # one maximum a channel; ties would share it
    heat, _ = GradCAM(cut(tiny("max")), 1)(unequal[None], np.array([1]))
    np.testing.assert_allclose(heat[0], [[5, 0], [0, 2]], atol=1e-6)     # (8 A1 - 4 A0) / 4


@pytest.mark.parametrize("activation", ["Softmax", "Sigmoid"])
def test_an_activation_is_left_off(mindspore, activation):
    heat, logits = GradCAM(cut(tiny("mean", activation)), 1)(MAP[None], np.array([0]))
    np.testing.assert_allclose(logits, [[4, 4]], atol=1e-6)
    np.testing.assert_allclose(heat[0], [[0, 1], [1.5, 2]], atol=1e-6)


def test_without_a_class_the_prediction_is_explained(mindspore):
    cam = GradCAM(cut(tiny(None)), 2)
    images = np.stack([MAP, MAP[::-1], 2 * MAP])
    heat, logits = cam(images)
    same, _ = cam(images, logits.argmax(1))
    np.testing.assert_array_equal(heat, same)
    assert len(heat) == 3, "the last batch is filled up, and what fills it is left out"


def test_a_dead_channel_under_a_root_adds_nothing():
    maps = np.stack([MAP[0], np.zeros((2, 2), np.float32)])[None]
    gradients = np.stack([np.ones((2, 2)), np.full((2, 2), np.nan)])[None].astype(np.float32)
    np.testing.assert_allclose(heat_of([maps], [gradients])[0], MAP[0])


def test_maps_of_several_backbones_are_added_by_area(mindspore):
    small, large = np.full((1, 1, 2, 2), 3, np.float32), np.zeros((1, 1, 4, 4), np.float32)
    large[0, 0, 3, 3] = 8
    heat = heat_of([small, large], [np.ones_like(small), np.ones_like(large)])[0]
    assert heat.shape == (4, 4)
    # A position of the small map stands for four of the large one, so it adds a quarter there.
    np.testing.assert_allclose(heat[:3, :3], 0.75)
    assert heat[3, 3] == pytest.approx(8.75)


def test_a_network_of_several_backbones_is_explained_as_the_sum_of_its_members(mindspore):
    class Pair(nn.Cell):
        def construct(self, x):
            return x, 2 * x[:, :1]

    head = MobileNetV2Head(3, 1, 2, "mean", has_bias=False)
    head.dense.weight.set_data(ms.Tensor(np.array([[2, -1, 1], [-4, 8, 0]], np.float32)))
    cam = GradCAM(cut(mobilenet_v2(Pair(), head).set_train(False)), 2)
    heat, logits = cam(MAP[None], np.array([0]))
    np.testing.assert_allclose(logits, [[2 * 3 - 2 + 6, -4 * 3 + 8 * 2]], atol=1e-6)
    np.testing.assert_allclose(heat[0], [[0, 2], [3, 5]], atol=1e-6)     # (2 A0 - A1 + 2 A0) / 4


class Small(nn.Cell):
    """A backbone of three convolutions, the middle one with BatchNorm: (N, 3, H, W) to H/4."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(4)

        def conv(inside, out, stride):
            weight = rng.normal(0, np.sqrt(2 / (9 * inside)), (out, inside, 3, 3))
            return nn.Conv2d(inside, out, 3, stride, weight_init=ms.Tensor(weight, ms.float32))
        self.features = nn.SequentialCell(conv(3, 8, 2), nn.ReLU(), conv(8, 8, 2),
                                          nn.BatchNorm2d(8), nn.ReLU(), conv(8, 6, 1), nn.ReLU())

    def construct(self, x):
        return self.features(x)


@pytest.fixture(scope="module")
def small(mindspore):
    """A small network of three classes, in evaluation mode."""
    return mobilenet_v2(Small(), MobileNetV2Head(6, 1, 3)).set_train(False)


def test_every_cut_of_a_backbone_gives_the_same_logits(small):
    x = np.random.default_rng(0).uniform(-1, 1, (3, 3, 16, 16)).astype(np.float32)
    expected = small(ms.Tensor(x)).asnumpy()
    names = [parameter.name for parameter in small.get_parameters()]
    for layer, side in ((None, 4), ("features.4", 4), ("features.0", 8)):
        heat, logits = GradCAM(cut(small, layer), 2)(x)
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        assert heat.shape == (3, side, side)
        assert heat.max() > 0
    assert names == [parameter.name for parameter in small.get_parameters()]


def test_an_inner_gradient_is_that_of_small_steps(small):
    cam = GradCAM(cut(small, "features.1"), 1)
    x = np.random.default_rng(1).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    (maps,) = cam.feature_maps(x)
    (gradient,), _ = cam.gradients([maps], np.array([1]))
    # Along the gradient itself the change is largest, well above the rounding of float32.
    slope = np.sqrt((gradient**2).sum())
    step = 1e-3 * np.sqrt((maps**2).sum())
    up, down = (cam.parts.rest(ms.Tensor(maps + sign * step * gradient / slope)).asnumpy()[0, 1]
                for sign in (1, -1))
    assert (up - down) / (2 * step) == pytest.approx(slope, rel=0.02)


def test_an_unknown_layer_is_an_error_that_lists_the_layers(mindspore):
    network = mobilenet_v2(MobileNetV2Backbone(), MobileNetV2Head(1280, 1, 3))
    assert layer_names(network) == [f"features.{number}" for number in range(19)]
    with pytest.raises(LabError, match=r"'features\.99'.*features\.0 to features\.18"):
        cut(network, "features.99")
    with pytest.raises(LabError, match=r"Identity can be read behind backbone;"):
        cut(tiny("mean"), "features.0")


def test_any_two_cells_will_do(mindspore):
    class Rest(nn.Cell):
        def construct(self, x):
            return (x * x).sum((2, 3))

    heat, logits = GradCAM(Cut("any", nn.Identity(), Rest()), 1)(MAP[None], np.array([0]))
    assert logits[0].tolist() == [50, 32]
    np.testing.assert_allclose(heat[0], 6 * MAP[0])  # the mean of 2 A0 is 6
