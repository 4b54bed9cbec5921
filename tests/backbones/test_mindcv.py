"""Architectures of MindCV as backbones: weights of others find their places, or are refused."""
import subprocess
import sys

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import save_file

from config import KEYS, PRESETS
from src_mindspore.backbones.mindcv_bridge import MindCVBackbone, load_mindcv, random_weights
from src_mindspore.backbones.registry import load_backbone
from src_mindspore.configuration import resolve
from src_mindspore.errors import LabError
from src_mindspore.weights.fit_names import fit_names

TORCH = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
         "moving_variance": "running_var"}


@pytest.fixture(scope="module")
def resnet(mindspore):
    """A resnet18 with weights of its own: (cell, dict name -> array)."""
    cell = MindCVBackbone("resnet18").set_train(False)
    rng = np.random.default_rng(7)
    values = {name: rng.uniform(0.5, 1.5, value.shape).astype(np.float32) if value.ndim == 1
              else value for name, value in random_weights(cell).items()}
    for parameter in cell.get_parameters():
        parameter.set_data(ms.Tensor(values[parameter.name]))
    return cell, values


def as_torchvision(values):
    """Names and extras of torchvision's state dict of the same network."""
    named = {}
    for name, value in values.items():
        layer, _, part = name.replace("down_sample", "downsample").rpartition(".")
        named[f"{layer}.{TORCH.get(part, part)}"] = value
        if part == "gamma":
            named[f"{layer}.num_batches_tracked"] = np.array(5)
    return {**named, "fc.weight": np.ones((1000, 512), np.float32), "fc.bias": np.ones(1000)}


def test_a_state_dict_of_torchvision_gives_the_same_features(resnet, tmp_path, capsys):
    _, values = resnet
    cell = MindCVBackbone("resnet18", "pytorch").set_train(False)
    for parameter in cell.get_parameters():
        parameter.set_data(ms.Tensor(values[parameter.name]))
    save_file(as_torchvision(values), tmp_path / "resnet18.safetensors")
    loaded = load_backbone(str(tmp_path / "resnet18.safetensors"), "mindcv:resnet18")
    assert "fitted by name" in capsys.readouterr().out
    assert loaded.channels == 512
    assert not any(p.requires_grad for p in loaded.cell.get_parameters())
    x = ms.Tensor(np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32))
    expected = cell(x).asnumpy()
    assert expected.shape == (1, 512, 2, 2)
    np.testing.assert_allclose(loaded.cell(x).asnumpy(), expected, rtol=1e-5)


def test_mindcvs_own_checkpoint_fits_and_its_classifier_is_left_out(resnet, tmp_path):
    _, values = resnet
    ms.save_checkpoint([{"name": name, "data": ms.Tensor(value)} for name, value in {
        **values, "classifier.weight": np.ones((9, 512), np.float32)}.items()],
        str(tmp_path / "own.ckpt"))
    loaded = load_mindcv(tmp_path / "own.ckpt", "mindcv:resnet18")
    assert loaded.padding == "own"
    for parameter in loaded.cell.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), values[parameter.name])


def test_other_names_fit_by_the_order_of_layers():
    expected = {"features.0.weight": (8, 3, 3, 3), "features.1.moving_mean": (8,),
                "features.1.moving_variance": (8,), "features.1.gamma": (8,),
                "features.1.beta": (8,), "features.3.conv_reduce.weight": (2, 8, 1, 1),
                "features.3.conv_reduce.bias": (2,)}
    rng = np.random.default_rng(0)
    theirs = {"conv_stem.weight": rng.normal(size=(8, 3, 3, 3)), "bn1.weight": rng.normal(size=8),
              "bn1.bias": rng.normal(size=8), "bn1.running_mean": rng.normal(size=8),
              "bn1.running_var": rng.uniform(1, 2, 8), "blocks.0.se.fc1.weight": np.ones((2, 8)),
              "blocks.0.se.fc1.bias": np.ones(2), "classifier.weight": np.ones((10, 8))}
    fitted, how = fit_names(theirs, expected, "some.pth")
    assert how == "order"
    assert {name: value.shape for name, value in fitted.items()} == expected
    np.testing.assert_array_equal(fitted["features.1.moving_variance"],
                                  theirs["bn1.running_var"].astype(np.float32))
    np.testing.assert_array_equal(fitted["features.0.weight"],
                                  theirs["conv_stem.weight"].astype(np.float32))


def test_every_parameter_that_does_not_fit_is_named(resnet):
    cell, values = resnet
    expected = {name: value.shape for name, value in values.items()}
    theirs = {name: value for name, value in values.items() if name != "layer3.0.bn1.gamma"}
    theirs["layer1.0.conv1.weight"] = np.ones((64, 64, 1, 1), np.float32)
    theirs["layer9.bias"] = np.ones(3, np.float32)
    with pytest.raises(LabError) as raised:
        fit_names(theirs, expected, "wrong.ckpt")
    for named in ("1 missing: layer3.0.bn1.gamma", "1 without a place: layer9.bias",
                  "layer1.0.conv1.weight (64, 64, 1, 1) instead of (64, 64, 3, 3)"):
        assert named in str(raised.value)


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(LabError, match="conv.weight hold values that are not finite"):
        fit_names({"conv.weight": np.full((2, 2), np.nan)}, {"conv.weight": (2, 2)}, "x.pth")


def test_torch_weights_pad_strided_convolutions_symmetrically(mindspore):
    """MindCV pads an even side on the right and below, PyTorch on all sides."""
    own = MindCVBackbone("efficientnet_b0").network.features[0]
    torch = MindCVBackbone("efficientnet_b0", "pytorch").network.features[0]
    torch.weight.set_data(own.weight)
    image = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    padded = ms.Tensor(np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1))))
    expected = ms.ops.conv2d(padded, own.weight, stride=2, pad_mode="valid").asnumpy()
    np.testing.assert_allclose(torch(ms.Tensor(image)).asnumpy(), expected, atol=1e-5)
    assert np.abs(own(ms.Tensor(image)).asnumpy() - expected).max() > 0.01


def test_an_unknown_name_is_answered_with_near_ones(mindspore):
    with pytest.raises(LabError, match="resnest50"):
        load_mindcv("", "mindcv:resnest5")


def test_a_backbone_brings_its_input_and_no_weights_of_another():
    alone = resolve(KEYS, PRESETS, "recommended", flags={"backbone": "efficientnet_b2"})
    assert alone.backbone == "mindcv:efficientnet_b2"
    assert (alone.image_height, alone.resize, alone.pretrained_ckpt) == (260, 0, "")
    joined = resolve(KEYS, PRESETS, "recommended", flags={"backbones": "mobilenet_v2,resnet34@256"})
    assert joined.backbones == "mobilenet_v2,mindcv:resnet34@256"
    given = resolve(KEYS, PRESETS, "recommended", flags={"mean": "127.5,127.5,127.5"})
    assert given["mean"] == [127.5] * 3
    with pytest.raises(LabError, match="3 numbers"):
        resolve(KEYS, PRESETS, "recommended", flags={"std": "1,2"})
    with pytest.raises(LabError, match="mindcv:NAME"):
        resolve(KEYS, PRESETS, "recommended", flags={"backbone": "mobilnet"})


def test_mindcv_is_imported_only_when_asked_for():
    subprocess.run([sys.executable, "-c", "import sys, config\n"
                    "import src_mindspore.features.of_config\n"
                    "assert 'mindcv' not in sys.modules"], check=True, timeout=300)


def test_the_street_with_random_features_says_so_and_counts_positions(
        street, make_argv, tmp_path):
    """SqueezeNet has a map of 3x3 for 64 pixels, where one for 32 pixels would be 2x2."""
    run = street(make_argv(backbone="squeezenet1_1", image_height=64, image_width=64, resize=0,
                           reduction="none", head="linear", normalise="false", epochs=2),
                 tmp_path / "results", tmp_path / "features")
    assert "features are RANDOM" in run.output
    assert run.caches["train"].map_side == 3
    from src_mindspore.model import load_model
    model = load_model(run.folder / "best.ckpt")
    assert model.meta["architecture"] == "mindcv:squeezenet1_1"
    assert model.meta["head"]["hw"] == 3
    assert (run.folder / "best.mindir").exists()
