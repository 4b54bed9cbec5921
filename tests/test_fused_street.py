"""The whole street with several backbones side by side: one network from pixels to logits."""
import json
import subprocess
import sys

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import evaluate
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import FusedSpec, PreprocessSpec, preprocess
from src_mindspore.data.tta import TTASpec
from src_mindspore.deploy import bulk
from src_mindspore.deploy.model_card import model_card
from src_mindspore.deploy.submission import write_submission
from src_mindspore.errors import LabError
from src_mindspore.evaluation.class_activation import GradCAM, cut
from src_mindspore.evaluation.predict import predict
from src_mindspore.features.cache import FeatureCache
from src_mindspore.model import load_mindir, load_model
from src_mindspore.weights.prepare import require_weights

MEMBERS = "mobilenet_v2@96,efficientnet_lite0@65"


@pytest.fixture(scope="module")
def fused_run(tmp_path_factory, make_argv, weights_path):
    """A finished run with two backbones of other sizes, arithmetic and padding, made small."""
    import train_head
    try:
        require_weights("results/weights/efficientnet_lite0.ckpt")
    except LabError as error:
        pytest.skip(f"the pretrained weights are neither here nor to be fetched: {error}")
    root = tmp_path_factory.mktemp("fused")
    train_head.main([*make_argv(backbones=MEMBERS, epochs=2), "--results_path",
                     str(root / "results"), "--features_path", str(root / "features")])
    return (root / "results" / "latest").resolve()


@pytest.fixture(scope="module")
def sidecar(fused_run):
    return json.loads((fused_run / "best.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def val_photos(drawn_data):
    return [load_rgb(path) for path in sorted(drawn_data.glob("val/*/*"))]


def test_the_sidecar_names_every_member_with_its_input(sidecar):
    assert sidecar["architecture"] == "fused"
    assert [m["architecture"] for m in sidecar["members"]] == ["mobilenet_v2", "efficientnet_lite0"]
    sizes = [(m["image_height"], m["mean"][0]) for m in sidecar["preprocess"]["members"]]
    assert sizes == [(96, 127.5), (65, 127.0)]
    assert "3x96x96, 3x65x65" in sidecar["input"]
    assert sidecar["head"]["input_channel"] == 2560


def test_every_file_answers_as_the_two_phases_do(fused_run, val_photos):
    """Features from the members' own caches through the head, against pixels through one network.
    """
    keys = json.loads((fused_run / "run.json").read_text())["inputs"]["val"].split("+")
    features = fused_run.parents[2] / "features"
    pooled = np.concatenate([FeatureCache(features / key).features(slice(0, 1280))
                             for key in keys], axis=1)
    model = load_model(fused_run / "best.ckpt")
    import mindspore as ms
    head = model.network.head
    expected = head.dense(head.prepare(ms.Tensor(pooled))).asnumpy()
    inputs = np.stack([preprocess(photo, model.preprocess) for photo in val_photos])
    assert inputs.shape == (15, 3 * 96 * 96 + 3 * 65 * 65)
    for answers in (model.logits(inputs), load_mindir(fused_run / "best.mindir").logits(inputs),
                    load_mindir(fused_run / "best_dynamic.mindir").logits(inputs)):
        np.testing.assert_allclose(answers, expected, atol=1e-3)
        np.testing.assert_array_equal(answers.argmax(1), expected.argmax(1))


def test_evaluation_predicts_what_was_reported(fused_run, drawn_data, tmp_path):
    reported = json.loads((fused_run / "metrics_val.json").read_text(encoding="utf-8"))
    for model in ("--ckpt", fused_run / "best.ckpt"), ("--mindir", fused_run / "best.mindir"):
        evaluate.main([*map(str, model), "--data", str(drawn_data), "--json",
                       str(tmp_path / "metrics.json"), "--out", str(tmp_path / "out")])
        metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["correct"] == reported["correct"]
        assert metrics["loss"] == pytest.approx(reported["loss"], abs=1e-3)
    evaluate.main(["--ckpt", str(fused_run / "best.ckpt"), "--data", str(drawn_data), "--tta",
                   "crops", "--tta_views", "3", "--out", str(tmp_path / "crops")])


@pytest.mark.parametrize("engine", ["mindspore", "onnxruntime"])
def test_bulk_prediction_says_what_evaluation_says(fused_run, drawn_data, tmp_path, capsys, engine):
    bulk.main([str(drawn_data / "val"), "--ckpt", str(fused_run / "best.ckpt"), "--engine", engine,
               "--out", str(tmp_path / "out"), "--part_rows", "8", "--batch_size", "4"])
    assert ("engine: onnxruntime, within" in capsys.readouterr().out) == (engine == "onnxruntime")
    rows = pq.read_table(tmp_path / "out" / "predictions").to_pylist()
    expected = predict(load_model(fused_run / "best.ckpt"), drawn_data / "val",
                       [row["path"] for row in rows], np.full(15, -1), progress=False)
    assert [row["label"] for row in rows] == expected.predicted.tolist()
    np.testing.assert_allclose([row["probability"] for row in rows],
                               expected.probabilities.max(axis=1), atol=1e-4)


def test_the_hand_in_names_what_the_model_names(fused_run, drawn_data, val_photos, tmp_path):
    folder = write_submission(fused_run / "best.ckpt", "RGB", tmp_path / "hand-in",
                              TTASpec("flip"))
    photo = sorted(drawn_data.glob("val/*/*"))[4]
    said = subprocess.run(
        [sys.executable, "-c", "import cv2, main; "
         f"print(main.predict(cv2.imread({str(photo)!r})[:, :, ::-1]))"],
        cwd=folder, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
    model = load_model(fused_run / "best.ckpt", 2)
    views = TTASpec("flip").inputs_of(cv2.imread(str(photo))[:, :, ::-1], model.preprocess)
    best = TTASpec("flip").combine(model.logits(views)[:, None] / model.temperature).argmax()
    assert said == model.classes.english[best]


def test_the_model_card_names_sizes_and_licences(fused_run):
    card = model_card(fused_run)
    assert "96 x 96, 65 x 65 pixels" in card
    assert "Apache-2.0" in card
    assert "MIT" in card


def test_packed_inputs_are_the_members_own():
    spec = FusedSpec((PreprocessSpec(40, 48, 0), PreprocessSpec(32, 32, 0, channel_order="BGR")))
    photo = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    parts = [preprocess(photo, member).ravel() for member in spec.members]
    np.testing.assert_array_equal(preprocess(photo, spec), np.concatenate(parts))
    assert PreprocessSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    views = TTASpec("flip").inputs_of(photo, spec)
    assert views.shape == (2, *spec.input_shape)
    mirrored = TTASpec("flip").views_of(photo, spec.members[1])[1]
    np.testing.assert_array_equal(views[1, 3 * 40 * 48:].reshape(3, 32, 32),
                                  spec.members[1].inputs(lambda _: mirrored))


def test_grad_cam_explains_what_the_network_answers(fused_run, drawn_data, val_photos):
    model = load_model(fused_run / "best.ckpt", 1)
    expected = np.concatenate([model.logits(preprocess(p, model.preprocess)[None])
                               for p in val_photos[:3]])
    cam = GradCAM(cut(model.network), 2)
    heat, logits = cam(np.stack([preprocess(p, model.preprocess) for p in val_photos[:3]]))
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())
    assert heat.shape == (3, 3, 3), "96 pixels and 65 pixels are three positions each"
    assert (heat.max((1, 2)) > 0).all()
