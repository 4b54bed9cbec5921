"""The street of a whole network, from photos to a checkpoint that every other part reads."""
import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import evaluate
import train_network
from config import KEYS, PRESETS
from src_mindspore.configuration import resolve
from src_mindspore.errors import LabError

ROOT = Path(__file__).parents[1]
VAL_PHOTOS = 15
CNN = {"preset": "cnn_scratch", "image_height": 32, "image_width": 32, "resize": 40, "crop": 40,
       "crop_pixels": 32, "epochs": 3, "batch_size": 10, "eval_batch_size": 15,
       "validate_every": 2, "dropout": 0.2, "run_name": "cnn"}


def argv_of(data, results, **flags):
    values = {"dataset_path": data, "results_path": results, **CNN, **flags}
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def rows_of(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def parameters_of(path):
    import mindspore as ms
    return {name: p.asnumpy() for name, p in ms.load_checkpoint(str(path)).items()
            if name != "lab"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, drawn_data, mindspore):
    """(folder, output) of a finished run of the CNN; not to be changed."""
    results = tmp_path_factory.mktemp("network")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        train_network.main(argv_of(drawn_data, results))
    return (results / "latest").resolve(), output.getvalue()


def test_everything_promised_is_there(finished):
    folder, output = finished
    names = {"config.yaml", "environment.json", "history.csv", "metrics_val.json", "result.json",
             "predictions_val.csv", "best.ckpt", "best_raw.ckpt", "best.mindir",
             "best_dynamic.mindir", "best.onnx", "best.json", "report.html", "report.md",
             "curves.png"}
    assert names <= {p.name for p in folder.iterdir()}
    assert (folder / "best.ckpt").stat().st_size < 45e6
    rows = rows_of(folder / "history.csv")
    assert [float(row["epoch"]) for row in rows] == [0.6667, 1.3333, 2, 2.6667, 3]
    assert [int(row["step"]) for row in rows] == [2, 4, 6, 8, 9]
    (point,) = rows_of(folder / "losses.csv")
    assert (point["step"], float(point["epoch"])) == ("5", 1.6667)
    assert output.count("images/s") == 5
    assert "min left" in output
    report = (folder / "report.md").read_text()
    assert "train_network.py --config" in report
    assert "whole network, BatchNorm statistics train" in report
    assert "standardise_each" in report


@pytest.mark.parametrize("argument", ["--ckpt best.ckpt", "--mindir best.mindir",
                                      "--ckpt best_raw.ckpt"])
def test_evaluation_confirms_what_was_measured(finished, drawn_data, tmp_path, argument):
    folder, _ = finished
    flag, name = argument.split()
    evaluate.main([flag, str(folder / name), "--data", str(drawn_data), "--json",
                   str(tmp_path / "m.json"), "--out", str(tmp_path / "out")])
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["n"] == VAL_PHOTOS
    metrics = json.loads((folder / "metrics_val.json").read_text())
    row = next(r for r in rows_of(folder / "history.csv")
               if float(r["epoch"]) == json.loads((folder / "result.json").read_text())["epoch"])
    if "raw" in name:
        assert found["top1"] == float(row["raw_val_top1"])
        assert found["loss"] == pytest.approx(float(row["raw_val_loss"]), rel=1e-3)
    else:
        assert found["top1"] == metrics["top1"] == float(row["val_top1"])
        assert found["loss"] == pytest.approx(metrics["loss"], rel=1e-3)


def test_as_a_member_of_an_ensemble_it_is_not_asked_out_of_fold(finished):
    from src_mindspore.ensemble.members import load_members, out_of_fold
    members = load_members([finished[0], finished[0]])
    with pytest.raises(LabError, match="was trained by train_network.py, its backbone too"):
        out_of_fold(members, None, 3, 1)


def test_the_model_gives_its_map_and_its_logits(finished):
    """What Grad-CAM stands on: backbone and head can be asked one after the other."""
    import mindspore as ms

    from src_mindspore.model import load_network
    network, meta = load_network(finished[0] / "best.ckpt")
    network.set_train(False)
    x = ms.Tensor(np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32))
    maps = network.backbone(x)
    assert maps.shape == (2, 192, 2, 2)
    np.testing.assert_allclose(network.head(maps).asnumpy(), network(x).asnumpy(), rtol=1e-4,
                               atol=1e-5)
    assert meta["architecture"] == "cnn"
    assert meta["augmentation"]["crop_pixels"] == 32


def test_a_submission_names_the_photos_as_the_run_did(finished, drawn_data, tmp_path):
    from src_mindspore.deploy.submission import write_submission
    folder = write_submission(finished[0] / "best.ckpt", "RGB", tmp_path / "hand_in")
    expected = {row["path"]: row["predicted"]
                for row in rows_of(finished[0] / "predictions_val.csv")}
    code = ("import json, sys, main\nfrom PIL import Image\nimport numpy as np\n"
            "print(json.dumps([main.predict(np.array(Image.open(p).convert('RGB'))) "
            "for p in sys.argv[1:]]))")
    paths = list(expected)[:5]
    answer = subprocess.run([sys.executable, "-c", code, *(drawn_data / p for p in paths)],
                            cwd=folder, capture_output=True, text=True, check=True)
    names = json.loads(answer.stdout.splitlines()[-1])
    contract = json.loads((finished[0] / "best.json").read_text())["classes"]
    english = dict(zip(contract["folders"], contract["english"], strict=True))
    assert names == [english.get(expected[p], expected[p]) for p in paths]


def test_a_checkpoint_of_another_architecture_is_refused(finished, ask_script, drawn_data,
                                                         tmp_path):
    argv = argv_of(drawn_data, tmp_path, preset="finetune", crop=0, crop_pixels=0, resize=0,
                   pretrained_ckpt=finished[0] / "best.ckpt", validate_every=0)
    code, _, err = ask_script(train_network.main, argv)
    assert code == 2
    assert "best.ckpt holds cnn weights; expected mobilenet_v2" in err


@pytest.mark.parametrize(("flags", "words"), [
    ({"unfreeze": "last:999"}, "asks for 999 blocks, but this backbone has 3"),
    ({"unfreeze": "last:0"}, "Allowed: none, all, or last:N"),
    ({"unfreeze": "some"}, "Allowed: none, all, or last:N"),
    ({"crop_pixels": 50}, "crop_pixels is 50, but resize is 40"),
    ({"crop": 50}, "crop is 50, but resize is 40"),
    ({"head": "rbf", "reduction": "mean"}, "--preset finetune or cnn_scratch"),
    ({"network": "backbone", "block_attention": "se"}, "block_attention is se: it stands behind"),
    ({"batch_size": 9, "accumulate": 2}, "Take a multiple of 2")])
def test_mistakes_are_explained(ask_script, drawn_data, tmp_path, flags, words):
    code, _, err = ask_script(train_network.main, argv_of(drawn_data, tmp_path, **flags))
    assert code == 2
    if "unfreeze" in flags or "head" in flags:
        assert not (tmp_path / "runs").exists()
    assert words in " ".join(err.split())


@pytest.mark.parametrize("flags", [
    {"preset": "finetune", "head": "cbam", "reduction": "none", "image_height": 64,
     "image_width": 64, "resize": 0, "crop": 0, "crop_pixels": 0, "unfreeze": "none"},
    {"head": "se", "block_attention": "cbam"}], ids=["on a backbone", "in the CNN"])
def test_attention_learns_in_the_network_and_is_exported_with_it(drawn_data, weights_path,
                                                                 tmp_path, flags):
    from src_mindspore.attention import BLOCKS
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.deploy.mindir import export
    from src_mindspore.model import load_model, save_model
    from src_mindspore.training.network_loop import NetworkTrainer
    from src_mindspore.training.network_of_config import prepare_network, read_splits
    flags = {**CNN, "dataset_path": str(drawn_data), "ema": 0.0, "epochs": 1, **flags}
    config = resolve(KEYS, PRESETS, "finetune", preset=flags.pop("preset"),
                     flags={k: str(v) for k, v in flags.items() if k != "run_name"})
    photos = prepare_photos(config, progress=False)
    network, backbone, spec = prepare_network(config, 5)
    blocks = [c for _, c in network.cells_and_names() if isinstance(c, tuple(BLOCKS.values()))]
    assert len(blocks) == (config.head != "linear") + 3 * (config.block_attention != "none")
    before = [p.asnumpy().copy() for block in blocks for p in block.get_parameters()]
    sources, _ = read_splits(photos, backbone, config)
    trainer = NetworkTrainer(network, sources["train"], sources["val"], config, progress=False)
    next(trainer.run())
    after = [p.asnumpy() for block in blocks for p in block.get_parameters()]
    assert all((new != old).any() for old, new in zip(before, after, strict=True))
    logits = trainer.logits(sources["val"])
    save_model(tmp_path / "best.ckpt", backbone, trainer.head, spec, photos.classes, 1.0, {})

    def images():
        return (images for images, _ in sources["val"].batches(np.arange(VAL_PHOTOS), 5))
    for sentence in export(tmp_path / "best.ckpt", images, logits, tmp_path).values():
        assert f"same predictions on all {VAL_PHOTOS} validation photos" in sentence
    meta = load_model(tmp_path / "best.ckpt").meta
    if config.block_attention != "none":
        assert meta["architecture"] == f"cnn_{config.block_attention}"
        assert "cbam behind each stage has 20,430 of its " in meta["source"]


def test_a_head_reads_the_map_of_an_architecture_that_shrinks_less(drawn_data, mindspore):
    from src_mindspore.training.network_of_config import prepare_network
    config = resolve(KEYS, PRESETS, "finetune", flags={
        "backbone": "mindcv:squeezenet1_1", "image_height": "64", "image_width": "64",
        "head": "se", "reduction": "none"})
    network, _, spec = prepare_network(config, 5)
    assert spec.hw == 3
    assert network(mindspore.Tensor(np.zeros((2, 3, 64, 64), np.float32))).shape == (2, 5)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_bit_equal(finished, drawn_data, tmp_path):
    """The real script, a real SIGKILL, the same command again; unbroken it is `finished`."""
    argv = argv_of(drawn_data, tmp_path)
    child = subprocess.Popen([sys.executable, "train_network.py", *argv], cwd=ROOT,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    folder = tmp_path / "runs" / "cnn"
    try:
        while not (folder / "state.ckpt").exists():
            assert child.poll() is None, child.stdout.read()
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.communicate()
    assert not (folder / "best.ckpt").exists()
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        train_network.main(argv)
    assert "(going on)" in output.getvalue()
    assert "training: going on after epoch" in output.getvalue()
    one = parameters_of(folder / "best.ckpt")
    other = parameters_of(finished[0] / "best.ckpt")
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
