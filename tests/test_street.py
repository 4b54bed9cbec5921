"""The street from end to end on the drawn set: what one part reports, every other part confirms."""
import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import evaluate
from src_mindspore.errors import LabError

VAL_PHOTOS = 15
# Two computations of one float32 network: graphs are cut differently, sums are ordered differently.
LOSS_TOLERANCE = {"rel": 1e-3, "abs": 1e-5}


def read_rows(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def history_of(run):
    return [{k: v for k, v in row.items() if k != "seconds"}
            for row in read_rows(run.folder / "history.csv")]


def bytes_of(folder):
    """{name: bytes} of a cache."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".npy", ".json")}


@pytest.fixture(scope="session")
def metrics(finished_run):
    return json.loads((finished_run.folder / "metrics_val.json").read_text())


@pytest.fixture(scope="session")
def model(finished_run):
    """The chosen checkpoint, loaded for inference."""
    from src_mindspore.model import load_model
    return load_model(finished_run.folder / "best.ckpt", batch_size=16)


@pytest.fixture(scope="session")
def val_images(drawn_data, model):
    """(15, 3, 96, 96) float32 and (15,) labels of val, read one by one."""
    from src_mindspore.data.decode import load_rgb
    from src_mindspore.data.preprocess import preprocess
    paths = sorted((drawn_data / "val").rglob("*.jpg"))
    labels = [model.classes.folders.index(path.parent.name) for path in paths]
    return np.stack([preprocess(load_rgb(p), model.preprocess) for p in paths]), np.array(labels)


@pytest.fixture
def evaluate_json(tmp_path, drawn_data):
    """Function from evaluate.py's arguments to the metrics it writes."""
    def ask(*argv, data=drawn_data):
        out = tmp_path / "metrics.json"
        evaluate.main([*map(str, argv), "--data", str(data), "--json", str(out), "--out",
                       str(tmp_path / "evaluation")])
        return json.loads(out.read_text())
    return ask


def test_everything_promised_is_there(finished_run):
    names = {"config.yaml", "environment.json", "history.csv", "metrics_val.json", "result.json",
             "predictions_val.csv", "best.ckpt", "best.mindir", "best_dynamic.mindir", "best.onnx",
             "best.json", "report.html", "report.md", "curves.png", "confusion.png",
             "mistakes.png", "class_balance.png"}
    sizes = {p.name: p.stat().st_size for p in finished_run.folder.iterdir() if p.is_file()}
    assert names <= sizes.keys()
    assert all(sizes[name] for name in names)
    assert not list(finished_run.results.rglob(".tmp-*"))
    assert (finished_run.results / "latest").resolve() == finished_run.folder.resolve()
    for line in ("photos: ", "run: ", "chosen epoch ", "export: best.mindir: same predictions",
                 "val top-1 ", "report: "):
        assert f"\n{line}" in f"\n{finished_run.output}"


def test_history_result_and_predictions_agree(finished_run, metrics):
    from src_mindspore.training.selection import choose
    history = [{k: float(v) for k, v in row.items()}
               for row in read_rows(finished_run.folder / "history.csv")]
    result = json.loads((finished_run.folder / "result.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert result["epochs_trained"] == 6
    best, _ = choose(history)
    assert result["epoch"] == best["epoch"]
    assert result["why"].startswith(f"epoch {result['epoch']}: ")
    assert result["n"] == metrics["n"] == VAL_PHOTOS
    assert result["correct"] == metrics["correct"]
    assert metrics["correct"] / VAL_PHOTOS == best["val_top1"]
    # One temperature fitted on these very photos can only lower the loss.
    assert metrics["loss"] <= best["val_loss"] + 1e-9
    assert json.loads((finished_run.folder / "best.json").read_text())["temperature"] > 0
    predictions = read_rows(finished_run.folder / "predictions_val.csv")
    assert len(predictions) == VAL_PHOTOS
    assert sum(int(row["correct"]) for row in predictions) == metrics["correct"]
    assert np.trace(metrics["confusion"]) == metrics["correct"]
    # A run that has learnt nothing would make most tests here meaningless.
    assert metrics["correct"] >= 6


@pytest.mark.parametrize("argument", ["--ckpt best.ckpt", "--mindir best.mindir",
                                      "--mindir best_dynamic.mindir"])
def test_evaluation_of_every_file_confirms_the_run(finished_run, metrics, evaluate_json, tmp_path,
                                                   argument):
    flag, name = argument.split()
    result = evaluate_json(flag, finished_run.folder / name)
    for key in ("n", "correct", "top1", "top5", "interval", "macro_f1", "confusion", "per_class"):
        assert result[key] == metrics[key], key
    assert result["loss"] == pytest.approx(metrics["loss"], **LOSS_TOLERANCE)
    assert result["split"] == "val"
    assert result["skipped"] == []
    ours = {row["path"]: row["predicted"]
            for row in read_rows(tmp_path / "evaluation/predictions.csv")}
    theirs = {row["path"]: row["predicted"]
              for row in read_rows(finished_run.folder / "predictions_val.csv")}
    assert ours == theirs


def test_batch_size_of_the_evaluation_does_not_matter(finished_run, metrics, evaluate_json):
    result = evaluate_json("--ckpt", finished_run.folder / "best.ckpt", "--batch_size", "4")
    assert result["correct"] == metrics["correct"]
    assert result["loss"] == pytest.approx(metrics["loss"], **LOSS_TOLERANCE)


def test_evaluating_train_reads_another_split(finished_run, evaluate_json):
    result = evaluate_json("--ckpt", finished_run.folder / "best.ckpt", "--split", "train")
    assert result["n"] == 30
    assert result["correct"] / 30 > 0.6


def test_same_seed_gives_the_same_numbers(finished_run, metrics, street, make_argv, tmp_path):
    """Everything anew: scan, features, training, choice, export. Only which engine is the fastest
    is not measured again: the clock has no seed."""
    shutil.copytree(finished_run.features / "engines", tmp_path / "features" / "engines")
    again = street(make_argv(), tmp_path / "results", tmp_path / "features")
    for split, cache in finished_run.caches.items():
        assert again.caches[split].folder.name == cache.folder.name
        assert bytes_of(again.caches[split].folder) == bytes_of(cache.folder)
    assert history_of(again) == history_of(finished_run)
    assert json.loads((again.folder / "metrics_val.json").read_text()) == metrics


def test_configuration_of_a_run_repeats_it(finished_run, metrics, street, tmp_path):
    again = street(["--config", str(finished_run.folder / "config.yaml")], tmp_path / "results",
                   finished_run.features)
    assert again.output.count(", cached in ") == 2
    assert history_of(again) == history_of(finished_run)
    assert json.loads((again.folder / "metrics_val.json").read_text()) == metrics


def test_another_seed_gives_another_augmentation(make_config):
    """The other side of reproducibility: the seed reaches the features of train."""
    from src_mindspore.data.preprocess import PreprocessSpec
    from src_mindspore.features.of_config import train_views
    one, two = (train_views(make_config(seed=seed), PreprocessSpec()).to_dict() for seed in (1, 2))
    assert one != two


def test_report_says_that_the_data_is_drawn(finished_run):
    html = (finished_run.folder / "report.html").read_text(encoding="utf-8")
    assert re.search(r"<title>[^<]*drawn data, not photos[^<]*</title>", html)
    first_line = (finished_run.folder / "report.md").read_text(encoding="utf-8").splitlines()[0]
    assert "drawn data, not photos" in first_line


def test_checkpoint_loads_with_mindspore_alone(finished_run, model, val_images):
    """As a course notebook does it, without our loader."""
    import mindspore as ms

    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.mobilenetv2 import MobileNetV2Backbone, mobilenet_v2
    parameters = ms.load_checkpoint(str(finished_run.folder / "best.ckpt"))
    contract = json.loads(parameters["lab"])
    network = mobilenet_v2(MobileNetV2Backbone("same"), HeadSpec(**contract["head"]).build())
    not_loaded, left_over = ms.load_param_into_net(
        network, {k: v for k, v in parameters.items() if k != "lab"}, strict_load=True)
    assert not_loaded == left_over == []
    network.set_train(False)
    images, _ = val_images
    np.testing.assert_allclose(network(ms.Tensor(images)).asnumpy(), model.logits(images),
                               rtol=1e-3, atol=1e-3)
    assert contract["classes"]["english"][:2] == ["Plastic Bottle", "Hats"]
    assert contract["metrics"]["n"] == VAL_PHOTOS


def test_flipped_copies_are_averaged_as_by_hand(finished_run, model, val_images, evaluate_json,
                                                drawn_data):
    from scipy.special import softmax

    from src_mindspore.data.tta import TTASpec
    from src_mindspore.evaluation.predict import predict
    images, labels = val_images
    both = [softmax(model.logits(x).astype(np.float64) / model.temperature, axis=1)
            for x in (images, images[..., ::-1])]
    expected = (both[0] + both[1]) / 2
    paths = [path.relative_to(drawn_data).as_posix()
             for path in sorted((drawn_data / "val").rglob("*.jpg"))]
    predictions = predict(model, drawn_data, paths, labels, TTASpec("flip"), batch_size=4,
                          progress=False)
    np.testing.assert_allclose(predictions.probabilities, expected, atol=1e-5)
    assert np.abs(expected - both[0]).max() > 1e-3
    result = evaluate_json("--ckpt", finished_run.folder / "best.ckpt", "--tta", "flip")
    assert result["correct"] == (expected.argmax(1) == labels).sum()
    assert result["tta"] == "flip"


def test_crops_are_those_of_training(finished_run, model, evaluate_json, drawn_data):
    """Predictions of the views, made by hand with the augmentation that training used."""
    from scipy.special import softmax

    from src_mindspore.data.augment import AugmentSpec, augment, rng_for
    from src_mindspore.data.decode import load_rgb
    from src_mindspore.data.preprocess import normalise, resize_and_crop
    from src_mindspore.data.tta import TTASpec
    from src_mindspore.evaluation.predict import predict
    trained = finished_run.caches["train"].what["augmentation"]
    geometry = AugmentSpec(trained["crop_scale"], trained["crop_ratio"], trained["flip"], 0, 0, 0)
    path = next((drawn_data / "val").rglob("*.jpg"))
    photo, spec = load_rgb(path), model.preprocess
    views = [resize_and_crop(photo, spec),
             *(augment(photo, spec, geometry, rng_for(0, "view", n)) for n in (1, 2))]
    logits = model.logits(normalise(np.stack(views), spec)) / model.temperature
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    for average, expected in (("logits", softmax(logits.mean(axis=0))),
                              ("probabilities", softmax(logits, axis=1).mean(axis=0))):
        predictions = predict(model, drawn_data, [path.relative_to(drawn_data).as_posix()], [0],
                              TTASpec("crops", 3, average), progress=False)
        np.testing.assert_allclose(predictions.probabilities[0], expected, atol=1e-5)
    result = evaluate_json("--ckpt", finished_run.folder / "best.ckpt", "--tta", "crops",
                           "--tta_views", "3")
    assert result["tta_spec"] == {"kind": "crops", "views": 3, "average": "probabilities"}


def test_crops_need_a_model_that_knows_its_training(model, drawn_data):
    import dataclasses

    from src_mindspore.data.tta import TTASpec
    from src_mindspore.evaluation.predict import predict
    forgetful = dataclasses.replace(model, meta={**model.meta, "augmentation": None})
    with pytest.raises(LabError, match="Take --tta flip"):
        predict(forgetful, drawn_data, [], [], TTASpec("crops"))


def test_classes_are_matched_by_name(finished_run, metrics, evaluate_json, drawn_data, tmp_path):
    """A folder whose own labels would be 0 and 1 holds the model's classes 1 and 4."""
    for name in ("00_01", "00_04"):
        shutil.copytree(drawn_data / "val" / name, tmp_path / "some" / name)
    result = evaluate_json("--ckpt", finished_run.folder / "best.ckpt", data=tmp_path / "some")
    whole = {row["folder"]: row for row in metrics["per_class"]}
    assert result["n"] == 6
    for row in result["per_class"]:
        expected = whole[row["folder"]] if row["folder"] in ("00_01", "00_04") else {"n": 0,
                                                                                    "correct": 0}
        assert (row["n"], row["correct"]) == (expected["n"], expected["correct"])
    assert np.array(result["confusion"])[1].tolist() == metrics["confusion"][1]


def test_photos_without_class_folders_are_named_but_not_scored(finished_run, drawn_data, tmp_path,
                                                               capsys):
    loose = tmp_path / "loose"
    loose.mkdir()
    for path in sorted((drawn_data / "val").rglob("*.jpg")):
        shutil.copyfile(path, loose / f"{path.parent.name}-{path.name}")
    evaluate.main(["--ckpt", str(finished_run.folder / "best.ckpt"), "--data", str(loose), "--out",
                   str(tmp_path / "out")])
    assert "15 photos without class folders: predicted, not scored" in capsys.readouterr().out
    rows = read_rows(tmp_path / "out/predictions.csv")
    expected = {row["path"].removeprefix("val/").replace("/", "-"): row["predicted"]
                for row in read_rows(finished_run.folder / "predictions_val.csv")}
    assert {row["path"]: row["predicted"] for row in rows} == expected
    assert {(row["truth"], row["correct"]) for row in rows} == {("", "")}
    assert not (tmp_path / "out/metrics.json").exists()


class RedOrBlue:
    """Stands in for a Model: class 0 where the picture is blue, 1 where it is red."""

    temperature = 1.0
    augmentation = None

    def __init__(self):
        from src_mindspore.data.classes import name_classes
        from src_mindspore.data.preprocess import PreprocessSpec
        self.preprocess = PreprocessSpec(32, 32, 0)
        self.classes = name_classes(["blue things", "red things"])

    def logits(self, images):
        means = images.mean((2, 3))
        return np.stack([means[:, 2], means[:, 0]], axis=1)


@pytest.mark.parametrize(("stored_as", "suspicious"), [("RGB", False), ("BGR", True)])
def test_exchanged_colours_are_suspected(tmp_path, stored_as, suspicious):
    import cv2

    from src_mindspore.evaluation.predict import check_colour_order, predict
    model, paths, labels = RedOrBlue(), [], []
    for number in range(16):
        label = number % 2
        rgb = np.full((40, 40, 3), 60, np.uint8)
        rgb[..., 0 if label else 2] = 180 + number
        paths.append(f"{number}.png")
        labels.append(label)
        cv2.imwrite(str(tmp_path / paths[-1]), rgb if stored_as == "BGR" else rgb[..., ::-1])
    predictions = predict(model, tmp_path, paths, labels, progress=False)
    result = check_colour_order(model, predictions)
    assert result == {"n": 16, "correct": 0 if suspicious else 16,
                      "correct_swapped": 16 if suspicious else 0, "suspicious": suspicious}


class Lukewarm(RedOrBlue):
    """Names everything red, but less surely where it is blue: exchanging changes no prediction."""

    def logits(self, images):
        return np.stack([images[:, 2].mean((1, 2)) * 0.1, np.full(len(images), 9)], axis=1)


def test_surer_but_no_more_often_right_is_no_suspicion(tmp_path):
    import cv2

    from src_mindspore.evaluation.predict import check_colour_order, predict
    for number in range(16):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 40, 3), (200, 0, 0), np.uint8))
    predictions = predict(Lukewarm(), tmp_path, [f"{n}.png" for n in range(16)], np.ones(16, int),
                          progress=False)
    assert check_colour_order(Lukewarm(), predictions) == {
        "n": 16, "correct": 16, "correct_swapped": 16, "suspicious": False}


def test_few_photos_are_not_enough_to_suspect(tmp_path):
    import cv2

    from src_mindspore.evaluation.predict import check_colour_order, predict
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 40, 3), (0, 0, 200), np.uint8))
    model = RedOrBlue()
    predictions = predict(model, tmp_path, [f"{n}.png" for n in range(5)], np.zeros(5, int),
                          progress=False)
    result = check_colour_order(model, predictions)
    assert result["correct_swapped"] == 5
    assert result["suspicious"] is False  # 1 in 32 by chance


PREDICT = """
import json, sys
from pathlib import Path
folder, data = sys.argv[1:]
sys.path.insert(0, folder)
import cv2
import main
answers = {"names": {}, "module": main.__file__, "lab": "src_mindspore" in sys.modules}
for path in sorted(Path(data).rglob("*.jpg")):
    bgr = cv2.imread(str(path))
    answers["names"][f"val/{path.parent.name}/{path.name}"] = {
        "BGR": main.predict(bgr), "RGB": main.predict(bgr[:, :, ::-1])}
print(json.dumps(answers))
"""


@pytest.mark.parametrize(("channels", "tta"), [("RGB", "none"), ("BGR", "crops")])
def test_submission_answers_as_the_evaluation_from_anywhere(finished_run, drawn_data, tmp_path,
                                                            channels, tta, model):
    from src_mindspore.data.tta import TTASpec
    from src_mindspore.deploy.submission import write_submission
    from src_mindspore.evaluation.predict import predict
    views = TTASpec(tta, 3)
    folder = write_submission(finished_run.folder / "best.ckpt", channels,
                              tmp_path / "my 提交 folder" / "submission", views)
    assert {p.name for p in folder.iterdir()} == {
        "main.py", "model.mindir", "model.json", "lab_preprocess.py", "lab_augment.py",
        "lab_tta.py"}
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    answer = subprocess.run(
        [sys.executable, "-c", PREDICT, str(folder), str(drawn_data / "val")], cwd=elsewhere,
        capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    answers = json.loads(answer.stdout.splitlines()[-1])
    assert Path(answers["module"]).parent == folder
    assert answers["lab"] is False
    expected = {row["path"]: row["predicted"]
                for row in read_rows(finished_run.folder / "predictions_val.csv")}
    if tta != "none":
        paths = sorted(expected)
        asked = predict(model, drawn_data, paths, [-1] * len(paths), views, progress=False)
        expected = {path: model.classes.english[i]
                    for path, i in zip(paths, asked.predicted, strict=True)}
    right = {path: names[channels] for path, names in answers["names"].items()}
    assert right == expected
    wrong = {path: names[channels[::-1]] for path, names in answers["names"].items()}
    assert wrong != expected


def test_submission_averages_what_it_is_asked_to(finished_run, tmp_path, monkeypatch):
    from src_mindspore.deploy import mindir, submission
    sidecar = json.loads((finished_run.folder / "best.json").read_text())

    def export_mindir(checkpoint, folder, name):
        (folder / f"{name}.mindir").write_bytes(b"")
        (folder / f"{name}.json").write_text(json.dumps(sidecar))
    monkeypatch.setattr(mindir, "export_mindir", export_mindir)
    flags = ["--ckpt", "any.ckpt", "--channels", "RGB", "--out", str(tmp_path / "out"), "--tta",
             "flip", "--tta_average", "logits"]
    submission.main(flags)
    assert json.loads((tmp_path / "out/model.json").read_text())["tta"] == {
        "kind": "flip", "views": 8, "average": "logits"}
    sidecar["output"] = "softmax"
    with pytest.raises(LabError, match="this model answers with softmax"):
        submission.main(flags)


def test_submission_may_be_written_again_but_not_over_other_files(finished_run, tmp_path,
                                                                  monkeypatch):
    from src_mindspore.deploy import mindir, submission

    def export_mindir(checkpoint, folder, name):
        for suffix in (".mindir", ".json"):
            shutil.copyfile(checkpoint.with_suffix(suffix), folder / f"{name}{suffix}")
    monkeypatch.setattr(mindir, "export_mindir", export_mindir)
    checkpoint = finished_run.folder / "best.ckpt"
    folder = submission.write_submission(checkpoint, "RGB", tmp_path / "out")
    submission.write_submission(checkpoint, "BGR", folder)
    assert json.loads((folder / "model.json").read_text())["predict_receives"] == "BGR"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(LabError, match=r"holds other files \(notes\.txt"):
        submission.write_submission(checkpoint, "RGB", folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert json.loads((folder / "model.json").read_text())["predict_receives"] == "BGR"
    with pytest.raises(LabError, match="is not a folder"):
        submission.write_submission(checkpoint, "RGB", folder / "notes.txt")


def test_onnx_and_mindir_answer_as_the_checkpoint(finished_run, model, val_images):
    import onnxruntime

    from src_mindspore.model import load_mindir
    images, _ = val_images
    expected = model.logits(images)
    session = onnxruntime.InferenceSession(str(finished_run.folder / "best.onnx"),
                                           providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    answers = {"onnx": np.concatenate([session.run(None, {name: images[i:i + 1]})[0]
                                       for i in range(len(images))])}
    for file in ("best.mindir", "best_dynamic.mindir"):
        answers[file] = load_mindir(finished_run.folder / file).logits(images)
    for kind, logits in answers.items():
        np.testing.assert_allclose(logits, expected, atol=1e-3, err_msg=kind)
        np.testing.assert_array_equal(logits.argmax(1), expected.argmax(1), err_msg=kind)


def test_dynamic_mindir_takes_any_batch(finished_run, val_images):
    from src_mindspore.model import load_mindir
    images, _ = val_images
    model = load_mindir(finished_run.folder / "best_dynamic.mindir")
    assert model.batch_size == 0
    whole = model.logits(images)
    for size in (1, 7):
        np.testing.assert_allclose(model.logits(images[:size]), whole[:size], atol=1e-4)


def test_export_that_disagrees_fails_loudly(finished_run, model, val_images, tmp_path):
    from src_mindspore.deploy.mindir import export
    images, _ = val_images
    reference = model.logits(images)
    reference[3, 1] += 0.01
    with pytest.raises(LabError, match=r"best\.mindir disagrees with the model.*0 of 15 "
                                       r"predictions differ, logits by up to 0\.01") as error:
        export(finished_run.folder / "best.ckpt", lambda: iter([images[:8], images[8:]]),
               reference, tmp_path)
    assert "the checkpoint is sound" in str(error.value)


@pytest.mark.parametrize("broken", ["nan", "other prediction"])
def test_comparison_refuses(val_images, model, broken):
    from src_mindspore.deploy.mindir import compare
    images, _ = val_images
    reference = model.logits(images)
    answer = reference.copy()
    answer[2] = np.nan if broken == "nan" else answer[2][::-1]
    with pytest.raises(LabError, match="Do not use it"):
        compare(lambda batch: answer, lambda: iter([images]), reference, 1e-4, "some.mindir")


@pytest.fixture
def exported(finished_run, tmp_path):
    """A copy of the exported MindIR and its sidecar."""
    for name in ("best.mindir", "best.json"):
        shutil.copyfile(finished_run.folder / name, tmp_path / name)
    return tmp_path / "best.mindir"


def test_sidecar_of_another_file_is_refused(exported, ask_script, drawn_data):
    sidecar = exported.with_suffix(".json")
    sidecar.write_text(sidecar.read_text().replace('"mindir_sha256": "', '"mindir_sha256": "00'))
    code, _, err = ask_script(evaluate.main, ["--mindir", exported, "--data", drawn_data])
    assert code == 2
    assert "best.json belongs to another file" in err


def test_missing_sidecar_is_named(exported, ask_script, drawn_data):
    exported.with_suffix(".json").unlink()
    code, _, err = ask_script(evaluate.main, ["--mindir", exported, "--data", drawn_data])
    assert code == 2
    assert "has no sidecar best.json beside it" in err


@pytest.mark.parametrize("size", [0, 100, 100_000])
@pytest.mark.parametrize("sidecar_knows", [False, True])
def test_truncated_mindir_is_refused(exported, size, sidecar_knows):
    from src_mindspore.files import sha256_of
    from src_mindspore.model import load_mindir
    exported.write_bytes(exported.read_bytes()[:size])
    sidecar = exported.with_suffix(".json")
    if sidecar_knows:
        values = json.loads(sidecar.read_text())
        sidecar.write_text(json.dumps({**values, "mindir_sha256": sha256_of(exported)}))
    with pytest.raises(LabError, match="cannot be loaded as MindIR" if sidecar_knows
                       else "belongs to another file"):
        load_mindir(exported)


@pytest.mark.parametrize("activation", ["Sigmoid", "Softmax"])
def test_activation_is_undone_where_logits_are_needed(mindspore, activation):
    from src_mindspore.heads.linear import activation_cell
    from src_mindspore.model import undo_activation
    logits = np.random.default_rng(0).normal(0, 3, (20, 6)).astype(np.float32)
    outputs = activation_cell(activation)(mindspore.Tensor(logits)).asnumpy()
    assert 0 < outputs.min() < outputs.max() < 1
    again = undo_activation(outputs, activation)
    if activation == "Softmax":  # known up to a constant a row
        again, logits = (x - x.mean(axis=1, keepdims=True) for x in (again, logits))
    np.testing.assert_allclose(again, logits, atol=1e-3)
    assert np.isfinite(undo_activation(np.array([[0, 1]], np.float32), activation)).all()


def test_probabilities_linear_head_and_further_copies(finished_run, street, make_argv, tmp_path,
                                                      evaluate_json):
    """The course's other choices: a linear head, an activation, a folder for each output."""
    run = street(make_argv(head="linear", normalise="true", reduction="mean+max", batch_size=30,
                           activation="Softmax", optimizer="adam", lr_max=0.01, label_smoothing=0,
                           export_path=tmp_path / "out" / "my.model.mindir",
                           save_ckpt_path=tmp_path / "heads"),
                 tmp_path / "results", finished_run.features)
    assert "cached in" in run.output
    metrics = json.loads((run.folder / "metrics_val.json").read_text())
    chosen = json.loads((run.folder / "result.json").read_text())["epoch"]
    assert metrics["loss"] == pytest.approx(float(history_of(run)[chosen - 1]["val_loss"]))
    for argument, path in (("--ckpt", run.folder / "best.ckpt"),
                           ("--mindir", tmp_path / "out" / "my.model.mindir")):
        result = evaluate_json(argument, path)
        assert result["correct"] == metrics["correct"]
        assert result["loss"] == pytest.approx(metrics["loss"], rel=1e-3, abs=1e-4)
        assert result["expected_calibration_error"] == pytest.approx(
            metrics["expected_calibration_error"], abs=1e-3)
    assert json.loads((run.folder / "best.json").read_text())["output"] == "softmax"
    assert list((tmp_path / "heads").rglob("head_epoch*.ckpt"))
    assert not (run.folder / "checkpoints").exists()


def test_a_plain_folder_is_evaluated_on_the_split_that_training_drew(drawn_data, make_argv, street,
                                                                     tmp_path, monkeypatch):
    plain = tmp_path / "my photos"
    shutil.copytree(drawn_data / "train", plain)
    run = street(make_argv(dataset_path=plain, val_fraction=0.34, epochs=2), tmp_path / "results",
                 tmp_path / "features")
    expected = json.loads((run.folder / "metrics_val.json").read_text())
    monkeypatch.setattr(evaluate.config, "results_path", str(run.results))
    out = tmp_path / "metrics.json"
    evaluate.main(["--ckpt", str(run.folder / "best.ckpt"), "--data", str(plain), "--json",
                   str(out)])
    found = json.loads(out.read_text())
    assert (found["split"], found["n"], found["correct"]) == (
        "val", expected["n"], expected["correct"])
    monkeypatch.setattr(evaluate.config, "results_path", str(tmp_path / "elsewhere"))
    evaluate.main(["--ckpt", str(run.folder / "best.ckpt"), "--data", str(plain), "--json",
                   str(out)])
    assert json.loads(out.read_text())["split"] == "all"
