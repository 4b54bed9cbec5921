"""Whoever computes, the predictions are MindSpore's."""
import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from src_mindspore.errors import LabError


@pytest.fixture(scope="module")
def model(finished_run):
    from src_mindspore.model import load_model
    return load_model(finished_run.folder / "best.ckpt", batch_size=4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(-1, 1, (6, 3, 96, 96)).astype(np.float32)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_logits_agree_with_mindspore(name, model, images, tmp_path_factory):
    from src_mindspore.evaluation.accelerate import accelerate
    folder = tmp_path_factory.getbasetemp() / "engines-of-models"
    fast = accelerate(model, name, folder)
    assert fast.engine.name == name
    expected = model.logits(images)
    np.testing.assert_allclose(fast.logits(images), expected, rtol=0,
                               atol=1e-3 * np.abs(expected).max())
    assert len(list(folder.glob("*.onnx"))) == 1  # both read the same export


def test_close_answers_are_asked_of_mindspore_again():
    from src_mindspore.evaluation.accelerate import CarefulEngine
    exact = np.array([[5.0, 1, 0], [1.0, 1.004, 0], [2.0, 0, 1.9], [-4, -4.001, -9]], np.float32)
    off = exact + np.array([[0.004, 0, 0]], np.float32)  # names another class in row 1
    assert (off.argmax(1) != exact.argmax(1)).any()
    asked = []

    def reference(images):
        asked.append(images)
        return exact
    engine = CarefulEngine(SimpleNamespace(name="fast", infer=lambda images: off),
                           SimpleNamespace(batch_size=4, infer=reference))
    answers = engine(np.zeros((4, 2), np.float32))
    np.testing.assert_array_equal(answers.argmax(1), exact.argmax(1))
    np.testing.assert_array_equal(answers[[1, 3]], exact[[1, 3]])
    np.testing.assert_array_equal(answers[[0, 2]], off[[0, 2]])
    assert len(asked) == 1
    assert engine.name == "fast"


def test_mindspore_stays_itself_and_mindir_is_refused(model, tmp_path, finished_run):
    from src_mindspore.evaluation.accelerate import accelerate
    from src_mindspore.model import load_mindir
    assert accelerate(model, "mindspore", tmp_path) is model
    exported = load_mindir(finished_run.folder / "best.mindir")
    assert accelerate(exported, "auto", tmp_path) is exported
    # The MindIR of an ensemble was made from no single checkpoint.
    together = dataclasses.replace(exported, meta={
        key: value for key, value in exported.meta.items() if key != "checkpoint_sha256"})
    assert accelerate(together, "auto", tmp_path) is together
    with pytest.raises(LabError, match="--engine openvino needs a checkpoint.*MindSpore alone"):
        accelerate(exported, "openvino", tmp_path)


def test_engine_with_other_answers_is_refused(finished_run, tmp_path, monkeypatch):
    from src_mindspore.evaluation.accelerate import accelerate
    from src_mindspore.features.engines import OnnxRuntimeEngine
    from src_mindspore.model import load_model
    right = OnnxRuntimeEngine.infer
    monkeypatch.setattr(OnnxRuntimeEngine, "infer",
                        lambda self, images: right(self, images)[:, ::-1].copy())
    with pytest.raises(LabError, match="onnxruntime cannot be used: its features differ"):
        # A model of its own: MindSpore exports the same network to ONNX once in a process.
        accelerate(load_model(finished_run.folder / "best.ckpt", batch_size=4), "onnxruntime",
                   tmp_path)


def test_evaluate_reports_the_same_counts(finished_run, drawn_data, tmp_path):
    import evaluate
    results = {}
    for name in ("mindspore", "onnxruntime"):
        path = tmp_path / f"{name}.json"
        evaluate.main(["--ckpt", str(finished_run.folder / "best.ckpt"), "--data", str(drawn_data),
                       "--engine", name, "--out", str(tmp_path / name), "--json", str(path)])
        results[name] = json.loads(path.read_text())
    one, other = results["mindspore"], results["onnxruntime"]
    assert (one["engine"], other["engine"]) == ("mindspore", "onnxruntime")
    assert one["top1"] == other["top1"]
