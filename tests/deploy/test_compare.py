"""What counts as agreement between an exported file and the model that was measured."""
import json

import numpy as np
import pytest

from src_mindspore.backbones.export import NotExportable, export_network
from src_mindspore.deploy.mindir import compare
from src_mindspore.errors import LabError

REFERENCE = np.array([[20.0, 1.0, 0.0], [0.0, 3.0, 2.0]], np.float32)


def check(logits):
    return compare(lambda batch: logits, lambda: iter([None]), REFERENCE, 1e-4, "x.mindir")


def test_rounding_grows_with_the_logits():
    assert "within 1.0e-03" in check(REFERENCE + 0.001)  # 20 times 1e-4 are allowed
    with pytest.raises(LabError, match="allowed 0.002"):
        check(REFERENCE + 0.003)


def test_small_logits_are_held_to_the_plain_tolerance():
    with pytest.raises(LabError, match="allowed 0.0001"):
        compare(lambda batch: REFERENCE / 100 + 2e-4, lambda: iter([None]), REFERENCE / 100, 1e-4,
                "x.mindir")


def test_another_prediction_is_refused():
    logits = REFERENCE.copy()
    logits[1] = 3.0, 0.0, 2.0
    with pytest.raises(LabError, match="1 of 2 predictions differ"):
        check(logits)


def test_a_tie_may_fall_either_way():
    reference = np.array([[1.0, 1.00001]], np.float32)
    sentence = compare(lambda batch: reference[:, ::-1], lambda: iter([None]), reference, 1e-4, "x")
    assert "but 1 ties" in sentence


def test_not_a_number_is_refused():
    with pytest.raises(LabError, match="nan"):
        check(REFERENCE * np.nan)


def test_onnx_file_is_said_to_be_unchecked_where_nothing_can_run_it(monkeypatch, tmp_path):
    from types import SimpleNamespace

    from src_mindspore.deploy import mindir
    monkeypatch.setattr(mindir, "find_spec", lambda name: None)
    monkeypatch.setattr(mindir, "export_mindir", lambda *_: ({
        "mindir": tmp_path / "best.mindir", "onnx": tmp_path / "best.onnx"}, {}))
    monkeypatch.setattr(mindir, "load_mindir",
                        lambda path: SimpleNamespace(outputs=lambda batch: REFERENCE))
    checks = mindir.export("x.ckpt", lambda: iter([None]), REFERENCE, tmp_path)
    assert "same predictions on all 2" in checks["mindir"]
    assert checks["onnx"].startswith("best.onnx: not checked, because onnxruntime is not installed")


def test_an_operator_that_a_format_does_not_know_is_named(mindspore, tmp_path):
    """MindCV's EfficientNets add in place, which MindSpore cannot write as ONNX."""
    class InPlace(mindspore.nn.Cell):
        def construct(self, x):
            y = x * 2
            y += x
            return y

    example = mindspore.Tensor(np.zeros((1, 3), np.float32))
    with pytest.raises(NotExportable, match="cannot write the operator InplaceAddExt.* as ONNX"):
        export_network(InPlace(), example, tmp_path / "a.onnx", "ONNX")
    assert not list(tmp_path.iterdir())


def test_a_run_goes_without_the_file_that_cannot_be_written(finished_run, monkeypatch, tmp_path):
    from types import SimpleNamespace

    from src_mindspore.deploy import mindir

    def export_but_onnx(network, example, path, file_format):
        if file_format == "ONNX":
            raise NotExportable("There is no such operator.")
        path.write_bytes(b"a graph")

    monkeypatch.setattr(mindir, "export_network", export_but_onnx)
    monkeypatch.setattr(mindir, "load_mindir",
                        lambda path: SimpleNamespace(outputs=lambda batch: REFERENCE))
    checks = mindir.export(finished_run.folder / "best.ckpt", lambda: iter([None]), REFERENCE,
                           tmp_path)
    assert list(checks) == ["onnx", "mindir", "mindir_dynamic"]
    assert checks["onnx"] == "best.onnx: not written. There is no such operator."
    sidecar = json.loads((tmp_path / "best.json").read_text())
    assert "onnx_sha256" not in sidecar
    assert len(sidecar["mindir_sha256"]) == 64
