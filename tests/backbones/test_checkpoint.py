import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from src_mindspore.backbones.checkpoint import load_strictly, read_checkpoint, save_checkpoint
from src_mindspore.backbones.registry import load_backbone
from src_mindspore.errors import LabError
from src_mindspore.mobilenetv2 import MobileNetV2Backbone
from src_mindspore.weights.prepare import require_weights

META = {"kind": "backbone", "architecture": "mobilenet_v2", "source": "蛋壳"}


@pytest.fixture(scope="module")
def parameters():
    """The parameters of a whole backbone: dict from name to array."""
    return {p.name: p.asnumpy() for p in MobileNetV2Backbone().get_parameters()}


def written(path, values, meta=None):
    save_checkpoint(values, path, META if meta is None else meta)
    return path


def test_a_contract_travels_with_the_parameters(tmp_path):
    values = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    path = written(tmp_path / "a.ckpt", values)
    parameters, meta = read_checkpoint(path)
    assert meta == {**META, "format": 1}
    assert list(parameters) == ["a.weight"]
    np.testing.assert_array_equal(parameters["a.weight"].asnumpy(), values["a.weight"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ckpt"]
    # MindSpore's own reader takes the file too.
    assert "a.weight" in ms.load_checkpoint(str(path))


def test_a_checkpoint_without_a_contract_has_an_empty_one(tmp_path):
    ms.save_checkpoint(nn.Dense(2, 3), str(tmp_path / "plain.ckpt"))
    parameters, meta = read_checkpoint(tmp_path / "plain.ckpt")
    assert meta == {}
    assert set(parameters) == {"weight", "bias"}


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused(tmp_path, parameters, part):
    path = written(tmp_path / "b.ckpt", parameters)
    data = path.read_bytes()
    path.write_bytes(data[:int(len(data) * part)])
    with pytest.raises(LabError, match=r"b\.ckpt"):
        load_backbone(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip", b"no checkpoint\n" * 100,
                                     b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "other.ckpt"
    path.write_bytes(content)
    with pytest.raises(LabError, match=r"other\.ckpt is not a complete MindSpore checkpoint"):
        read_checkpoint(path)
    with pytest.raises(LabError, match="cannot be read: No such file"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_a_newer_format_is_refused(tmp_path):
    path = written(tmp_path / "new.ckpt", {"a": np.zeros(1, np.float32)}, {"format": 99})
    with pytest.raises(LabError, match="newer version.*format 99, this one reads 1"):
        read_checkpoint(path)


def changed(parameters, **options):
    values = {name: value.copy() for name, value in parameters.items()}
    if options.get("without"):
        del values[options["without"]]
    values.update(options.get("extra", {}))
    return values


@pytest.mark.parametrize(("options", "words"), [
    ({"without": "features.18.features.1.beta"}, r"features\.18\.features\.1\.beta is missing"),
    ({"extra": {"dense.weight": np.zeros((3, 1280), np.float32)}}, "dense.weight has no place"),
    ({"extra": {"features.0.features.0.weight": np.zeros((16, 3, 3, 3), np.float32)}},
     r"has shape \(16, 3, 3, 3\), expected \(32, 3, 3, 3\)"),
    ({"extra": {"features.0.features.1.gamma": np.full(32, np.nan, np.float32)}}, "not finite"),
    ({"extra": {"features.0.features.1.gamma": np.full(32, np.inf, np.float32)}}, "not finite"),
], ids=["missing", "extra", "shape", "nan", "inf"])
def test_weights_that_do_not_fit_are_refused(tmp_path, parameters, options, words):
    path = written(tmp_path / "c.ckpt", changed(parameters, **options))
    with pytest.raises(LabError, match=words) as caught:
        load_backbone(path)
    assert "c.ckpt" in str(caught.value)


def test_a_prefix_is_not_guessed_away(tmp_path, parameters):
    path = written(tmp_path / "p.ckpt", {f"net.{name}": value for name, value
                                         in parameters.items()})
    with pytest.raises(LabError, match="weights of another network.*260 missing, 260 left over"):
        load_backbone(path)


def test_strict_loading_sets_every_value(tmp_path):
    cell = nn.Dense(3, 2)
    values = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3),
              "bias": np.array([7, 8], np.float32)}
    load_strictly(cell, read_checkpoint(written(tmp_path / "d.ckpt", values))[0], "d.ckpt")
    np.testing.assert_array_equal(cell.weight.asnumpy(), values["weight"])
    np.testing.assert_array_equal(cell.bias.asnumpy(), values["bias"])


def test_weights_that_were_named_must_exist(tmp_path):
    with pytest.raises(LabError, match=r"There are no weights .*mine\.ckpt"):
        require_weights(tmp_path / "mine.ckpt")
