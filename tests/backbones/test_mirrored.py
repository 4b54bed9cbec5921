"""A backbone that looks at a photo and at its mirror image."""
import json

import mindspore as ms
import numpy as np
import pytest

import evaluate
import train_head
from src_mindspore.configuration import architecture
from src_mindspore.features.engines import MindSporeEngine
from src_mindspore.features.of_config import prepare_backbone


@pytest.fixture(scope="module")
def both(make_config, weights_path):
    """Function from a name to its Backbone at 64 pixels."""
    return lambda name: prepare_backbone(make_config(backbone=name, image_height=64,
                                                     image_width=64))


def test_its_map_is_the_mean_of_the_two_and_does_not_care_for_mirrors(both):
    plain, mirrored = both("mobilenet_v2"), both("mirrored:mobilenet_v2")
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 64, 64)).astype(np.float32)
    image = np.ascontiguousarray(x[..., ::-1])

    def maps(backbone, pixels):
        return backbone.cell(ms.Tensor(pixels)).asnumpy()
    expected = (maps(plain, x) + maps(plain, image)[..., ::-1]) / 2
    result = maps(mirrored, x)
    np.testing.assert_allclose(result, expected, atol=1e-4)
    np.testing.assert_allclose(maps(mirrored, image), result[..., ::-1], atol=1e-4)
    # Were the two maps equal, the test would say nothing.
    assert np.abs(result - maps(plain, x)).max() > 0.1


def test_it_has_the_weights_of_the_plain_one_but_not_its_caches_and_exports(both):
    plain, mirrored = both("mobilenet_v2"), both("mirrored:mobilenet_v2")
    assert mirrored.sha256 == plain.sha256
    assert mirrored.contract() != plain.contract()
    assert MindSporeEngine(mirrored, "mean+max", 4).identity \
        != MindSporeEngine(plain, "mean+max", 4).identity


@pytest.mark.parametrize("name", ["mirrored:", "mirrored:nothing", "multilevel:nothing",
                                  "multilevel:resnet34",
                                  "mirrored:mirrored:mobilenet_v2"])
def test_names_that_mean_nothing_are_refused(name):
    with pytest.raises(ValueError):  # noqa: PT011 - the rule says no more; its caller says the rest
        architecture("mobilenet_v2").parse(name)
    assert architecture("mobilenet_v2").parse("mirrored:resnet34") == "mirrored:mindcv:resnet34"


def test_a_run_with_it_is_exported_and_evaluated(make_argv, weights_path, drawn_data, tmp_path,
                                                 capsys):
    train_head.main([*make_argv(backbones="mirrored:mobilenet_v2@96,mobilenet_v2@64", repeat=1,
                                epochs=2), "--results_path", str(tmp_path / "results"),
                     "--features_path", str(tmp_path / "features")])
    assert "best.onnx: same predictions on all 15" in capsys.readouterr().out
    folder = (tmp_path / "results" / "latest").resolve()
    sidecar = json.loads((folder / "best.json").read_text(encoding="utf-8"))
    assert [m["architecture"] for m in sidecar["members"]] == ["mirrored:mobilenet_v2",
                                                               "mobilenet_v2"]
    metrics = tmp_path / "metrics.json"
    evaluate.main(["--ckpt", str(folder / "best.ckpt"), "--data", str(drawn_data),
                   "--json", str(metrics), "--out", str(tmp_path / "out")])
    reported = json.loads((folder / "metrics_val.json").read_text(encoding="utf-8"))
    assert json.loads(metrics.read_text(encoding="utf-8"))["correct"] == reported["correct"]
