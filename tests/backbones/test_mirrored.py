"""A backbone that looks at a photo and at its mirror image."""
import json

import mindspore as ms
import numpy as np
import pytest

from src_mindspore.configuration import architecture


def test_its_map_is_the_mean_of_the_two_and_does_not_care_for_mirrors(backbone_at):
    plain, mirrored = backbone_at("mobilenet_v2", 64), backbone_at("mirrored:mobilenet_v2", 64)
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


def test_it_has_the_weights_of_the_plain_one_but_not_its_caches_and_exports(check_it_is_told_apart):
    check_it_is_told_apart("mirrored:mobilenet_v2", 64)


@pytest.mark.parametrize("name", ["mirrored:", "mirrored:nothing", "multilevel:nothing",
                                  "multilevel:resnet34",
                                  "mirrored:mirrored:mobilenet_v2"])
def test_names_that_mean_nothing_are_refused(name):
    with pytest.raises(ValueError):  # noqa: PT011 - the rule says no more; its caller says the rest
        architecture("mobilenet_v2").parse(name)
    assert architecture("mobilenet_v2").parse("mirrored:resnet34") == "mirrored:mindcv:resnet34"


def test_a_run_with_it_is_exported_and_evaluated(check_a_run):
    folder = check_a_run(backbones="mirrored:mobilenet_v2@96,mobilenet_v2@64")
    sidecar = json.loads((folder / "best.json").read_text(encoding="utf-8"))
    assert [m["architecture"] for m in sidecar["members"]] == ["mirrored:mobilenet_v2",
                                                               "mobilenet_v2"]
