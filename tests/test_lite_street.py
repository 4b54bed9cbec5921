"""The whole street with another backbone: its own weights, input size and preprocessing."""
import csv
import json

import numpy as np
import pytest

import evaluate
from src_mindspore.deploy.submission import write_submission
from src_mindspore.errors import LabError
from src_mindspore.model import load_mindir, load_model
from src_mindspore.weights.prepare import require_weights


@pytest.fixture(scope="module")
def lite_run(tmp_path_factory, make_argv, street, mindspore):
    """A finished run with EfficientNet-Lite1 on an odd input size, made small."""
    try:
        require_weights("results/weights/efficientnet_lite1.ckpt")
    except LabError as error:
        pytest.skip(f"the pretrained weights are neither here nor to be fetched: {error}")
    root = tmp_path_factory.mktemp("lite")
    argv = make_argv(backbone="efficientnet_lite1", image_height=97, image_width=97, epochs=2)
    return street(argv, root / "results", root / "features")


def test_the_export_answers_as_reported_and_carries_the_contract(lite_run):
    sidecar = json.loads((lite_run.folder / "best.json").read_text(encoding="utf-8"))
    assert sidecar["architecture"] == "efficientnet_lite1"
    assert sidecar["padding"] == "same"
    assert sidecar["preprocess"]["mean"] == [127.0] * 3
    assert sidecar["preprocess"]["std"] == [128.0] * 3
    assert sidecar["preprocess"]["image_height"] == 97
    # The run compared MindIR and ONNX with the two-phase logits of all of val before it ended.
    assert "best.onnx: same predictions on all 15" in lite_run.output
    x = np.random.default_rng(0).uniform(-1, 1, (1, 3, 97, 97)).astype(np.float32)
    one = load_mindir(lite_run.folder / "best.mindir").logits(x)
    other = load_model(lite_run.folder / "best.ckpt", 1).logits(x)
    np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max())


def test_evaluation_and_submission_take_it(lite_run, drawn_data, tmp_path):
    metrics = tmp_path / "metrics.json"
    evaluate.main(["--ckpt", str(lite_run.folder / "best.ckpt"), "--data", str(drawn_data),
                   "--json", str(metrics), "--out", str(tmp_path / "out")])
    reported = json.loads((lite_run.folder / "metrics_val.json").read_text(encoding="utf-8"))
    assert json.loads(metrics.read_text(encoding="utf-8"))["correct"] == reported["correct"]
    folder = write_submission(lite_run.folder / "best.ckpt", "RGB", tmp_path / "hand-in")
    contract = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert contract["architecture"] == "efficientnet_lite1"
    assert contract["predict_receives"] == "RGB"


def test_it_votes_with_another_backbone_in_one_mindir(lite_run, finished_run, drawn_data, tmp_path,
                                                      monkeypatch):
    """97 pixels and 96, other weights and arithmetic: what the members say one by one, against one
    network."""
    from src_mindspore.ensemble import export
    from src_mindspore.ensemble.__main__ import main
    compare, shares = export.compare, []

    def watched(answer, images, reference, *rest):
        shares.append(np.exp(reference))
        return compare(answer, images, reference, *rest)
    monkeypatch.setattr(export, "compare", watched)
    out = tmp_path / "together"
    main(["--runs", str(finished_run.folder), str(lite_run.folder), "--folds", "2", "--out",
          str(out)])
    sidecar = json.loads((out / "ensemble.json").read_text(encoding="utf-8"))
    assert [m["image_height"] for m in sidecar["preprocess"]["members"]] == [96, 97]
    assert "3x96x96, 3x97x97" in sidecar["input"]
    evaluate.main(["--mindir", str(out / "ensemble.mindir"), "--data", str(drawn_data), "--out",
                   str(tmp_path / "out")])
    with open(tmp_path / "out" / "predictions.csv", newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    names = [c["english"] for c in metrics["per_class"]]
    assert [row["predicted"] for row in rows] == [names[i] for i in shares[0].argmax(axis=1)]
    np.testing.assert_allclose([float(row["probability"]) for row in rows],
                               shares[0].max(axis=1), atol=1e-4)
    truth = [names.index(row["truth"]) for row in rows]
    assert metrics["loss"] == pytest.approx(-np.log(shares[0][range(15), truth]).mean(), abs=1e-4)
    assert sidecar["table"][-1][3] == f"{metrics['correct']} of 15"


def test_an_svd_head_with_attention_is_trained_exported_and_evaluated(make_argv, street,
                                                                      weights_path, tmp_path):
    run = street(make_argv(head="svd", svd_components=12, attention="softmax", epochs=2,
                           decay_type="plateau"), tmp_path / "results",
                 tmp_path / "features")
    assert "best.mindir: same predictions on all 15" in run.output
    sidecar = json.loads((run.folder / "best.json").read_text(encoding="utf-8"))
    assert (sidecar["head"]["kind"], sidecar["head"]["components"]) == ("svd", 12)
    assert sidecar["head"]["attention"] == "softmax"
    with pytest.raises(LabError, match=r"svd_components is 512.*Lower --svd_components"):
        street(make_argv(head="svd", svd_components=512), tmp_path / "results",
               tmp_path / "features")
