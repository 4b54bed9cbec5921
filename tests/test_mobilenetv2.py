import inspect

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src_mindspore.mobilenetv2 import (
    GlobalPooling,
    MobileNetV2Backbone,
    MobileNetV2Head,
    mobilenet_v2,
)

NORM = ("moving_mean", "moving_variance", "gamma", "beta")


def documented_names():
    """The names of mobilenetv2_parameters.json: a stem, 17 blocks, a last layer."""
    def convolution(prefix, norm):
        return [f"{prefix}.weight", *(f"{norm}.{name}" for name in NORM)]

    names = convolution("features.0.features.0", "features.0.features.1")
    for block in range(1, 18):
        inner = f"features.{block}.conv"
        # The first block does not expand, so it has one layer less.
        activated = (0,) if block == 1 else (0, 1)
        for layer in activated:
            names += convolution(f"{inner}.{layer}.features.0", f"{inner}.{layer}.features.1")
        last = len(activated)
        names += convolution(f"{inner}.{last}", f"{inner}.{last + 1}")
    return names + convolution("features.18.features.0", "features.18.features.1")


def random_norms(cell, seed=0):
    """Give every BatchNorm statistics that matter, so that mistakes in them show."""
    rng = np.random.default_rng(seed)
    for parameter in cell.get_parameters():
        low, high = {"gamma": (0.5, 1.5), "beta": (-0.3, 0.5), "moving_mean": (-0.2, 0.2),
                     "moving_variance": (0.3, 2)}.get(parameter.name.split(".")[-1], (0, 0))
        if high:
            parameter.set_data(ms.Tensor(rng.uniform(low, high, parameter.shape)
                                         .astype(np.float32)))
    return cell


@pytest.fixture(scope="module", autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")


@pytest.fixture(scope="module")
def backbone():
    return random_norms(MobileNetV2Backbone()).set_train(False)


@pytest.fixture(scope="module")
def images():
    return ms.Tensor(np.random.default_rng(1).uniform(-2, 2, (1, 3, 224, 224)).astype(np.float32))


@pytest.fixture(scope="module")
def feature_map(backbone, images):
    return backbone(images).asnumpy()


@pytest.mark.parametrize("padding", [None, "same", "symmetric"])
def test_parameters_have_the_names_of_the_public_checkpoint(padding):
    names = [p.name for p in MobileNetV2Backbone(padding).get_parameters()]
    assert len(names) == 260
    assert names == documented_names()


def test_shapes_are_those_of_the_paper(backbone):
    shapes = {p.name: p.shape for p in backbone.get_parameters()}
    assert shapes["features.0.features.0.weight"] == (32, 3, 3, 3)
    assert shapes["features.1.conv.0.features.0.weight"] == (32, 1, 3, 3)
    assert shapes["features.2.conv.0.features.0.weight"] == (96, 16, 1, 1)
    assert shapes["features.17.conv.2.weight"] == (320, 960, 1, 1)
    assert shapes["features.18.features.0.weight"] == (1280, 320, 1, 1)
    trainable = sum(np.prod(p.shape) for p in backbone.get_parameters()
                    if "moving" not in p.name)
    assert trainable == 2_223_872  # 3.50 million less the classifier of 1000 classes


def test_the_backbone_maps_a_photo_to_1280_by_7_by_7(backbone, feature_map):
    assert backbone.out_channels == 1280
    assert feature_map.shape == (1, 1280, 7, 7)
    assert feature_map.dtype == np.float32
    assert 0 <= feature_map.min() < feature_map.max() <= 6


def test_an_unknown_padding_is_refused():
    with pytest.raises(ValueError, match="padding must be None or one of.*'valid'"):
        MobileNetV2Backbone("valid")


def test_the_course_can_call_it_with_its_arguments():
    parameters = inspect.signature(MobileNetV2Head.__init__).parameters
    course = {"input_channel": 1280, "hw": 7, "num_classes": 1000, "reduction": "mean",
              "activation": "None"}
    assert {name: parameters[name].default for name in course} == course
    assert list(parameters)[1:6] == list(course)
    assert MobileNetV2Backbone().out_channels == 1280


def test_pooling_is_the_mean_or_maximum_over_positions():
    x = np.random.default_rng(0).normal(0, 1, (2, 5, 3, 4)).astype(np.float32)
    for reduction, expected in (("mean", x.mean((2, 3))), ("max", x.max((2, 3)))):
        result = GlobalPooling(reduction)(ms.Tensor(x)).asnumpy()
        np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_allclose(GlobalPooling()(ms.Tensor(x)).asnumpy(), x.mean((2, 3)), atol=1e-6)


def test_the_head_is_one_dense_layer_on_the_pooled_map():
    x = np.random.default_rng(0).normal(0, 1, (2, 6, 3, 3)).astype(np.float32)
    for reduction, seen in (("mean", x.mean((2, 3))), ("max", x.max((2, 3))),
                            (None, x.reshape(2, -1))):
        head = MobileNetV2Head(6, 3, 4, reduction).set_train(False)
        weight, bias = head.dense.weight.asnumpy(), head.dense.bias.asnumpy()
        np.testing.assert_allclose(head(ms.Tensor(x)).asnumpy(), seen @ weight.T + bias,
                                   atol=1e-5)


def test_weights_of_ones_make_all_logits_equal():
    head = MobileNetV2Head(6, 3, 4, weight_init="ones", has_bias=False)
    x = np.random.default_rng(0).normal(0, 1, (2, 6, 3, 3)).astype(np.float32)
    logits = head(ms.Tensor(x)).asnumpy()
    np.testing.assert_allclose(logits, x.mean((2, 3)).sum(1, keepdims=True).repeat(4, 1),
                               atol=1e-5)
    assert [p.name.split(".")[-1] for p in head.trainable_params()] == ["weight"]


def test_softmax_only_outside_training():
    head = MobileNetV2Head(6, 3, 4, activation="Softmax")
    x = ms.Tensor(np.random.default_rng(0).normal(0, 9, (2, 6, 3, 3)).astype(np.float32))
    head.set_train(False)
    probabilities = head(x).asnumpy()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    head.set_train(True)
    logits = head(x).asnumpy()
    assert np.abs(logits.sum(1) - 1).max() > 1e-3
    raised = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(raised / raised.sum(1, keepdims=True), probabilities, atol=1e-5)


@pytest.mark.parametrize("wrong", [{"reduction": "sum"}, {"activation": "ReLU"},
                                   {"weight_init": "zeros"}])
def test_a_head_refuses_unknown_options(wrong):
    with pytest.raises(ValueError, match="Received"):
        MobileNetV2Head(**wrong)


def test_a_composed_network_round_trips_through_mindspores_own_files(backbone, images,
                                                                     feature_map, tmp_path):
    network = mobilenet_v2(backbone, MobileNetV2Head(num_classes=5, seed=1)).set_train(False)
    names = [p.name for p in network.get_parameters()]
    assert names[:260] == documented_names()
    assert len(names) == 262
    logits = network(images).asnumpy()
    dense = network.head.dense
    np.testing.assert_allclose(
        logits, feature_map.mean((2, 3)) @ dense.weight.asnumpy().T + dense.bias.asnumpy(),
        atol=1e-3)
    path = str(tmp_path / "network.ckpt")
    ms.save_checkpoint(network, path)
    again = mobilenet_v2(MobileNetV2Backbone(), MobileNetV2Head(num_classes=5, seed=2))
    parameters = ms.load_checkpoint(path, net=again)
    assert len(parameters) == 262
    np.testing.assert_array_equal(again.set_train(False)(images).asnumpy(), logits)


def test_a_backbone_checkpoint_of_the_course_loads_into_a_composed_network(backbone, tmp_path):
    path = str(tmp_path / "backbone.ckpt")
    ms.save_checkpoint(backbone, path)
    network = mobilenet_v2(MobileNetV2Backbone(), nn.Identity())
    missing, left_over = ms.load_param_into_net(network, ms.load_checkpoint(path))
    assert (missing, left_over) == ([], [])
    for ours, theirs in zip(network.get_parameters(), backbone.get_parameters(), strict=True):
        np.testing.assert_array_equal(ours.asnumpy(), theirs.asnumpy())
