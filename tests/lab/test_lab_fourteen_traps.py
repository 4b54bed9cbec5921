"""The third notebook's hidden tests know repaired from broken, and from the usual wrong repairs.

They run here without the notebook around them; it runs whole in test_lab_editions.py. What a test
needs of the notebook is stood in for by the least that behaves alike.
"""
import ast
import tempfile
import types
from pathlib import Path

import nbformat
import numpy as np
import pytest

from config import DEFAULT_PRESET, KEYS, PRESETS
from lab import check as checking
from lab.build import path_of
from lab.examine import SOLVED, WRONG
from lab.source import in_language, read_source, solution_lines, without_markers
from lab.start import DRAWN_VARIABLE, STATIC_VARIABLE
from src_mindspore.configuration import resolve
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import PreprocessSpec, normalise, preprocess

NAME = "03_fourteen_traps"
SOURCE = read_source(NAME)
EXERCISES = {exercise.exercise: (exercise, tests) for exercise, tests in SOURCE.exercises()}
SPEC = PreprocessSpec()
CLASSES = tuple("abcdefgh")
# Pairs of an exercise and the function that is shown broken before it.
SHOWN_BROKEN = (("colour-order", "predict"), ("one-preprocessing", "to_input"),
                ("head", "make_head"), ("dropped-batch", "accuracy"),
                ("any-path", "export_model"), ("train-mode", "evaluate"))
WRONG_REPAIRS = (
    ("colour-order", """
def predict(image):
    logits = logits_of(preprocess(image[::-1], backbone.preprocess)[None])[0]
    return photos.classes.english[int(logits.argmax())]""", "upside down"),
    ("colour-order", """
def predict(image):
    logits = logits_of(preprocess(image[..., ::-1], backbone.preprocess)[None])[0]
    return int(logits.argmax())""", "expected an English class name"),
    ("stale-cache", """
def cache_folder(root, settings):
    return Path(root) / f"batch{settings['batch_size']}"
""", "repeat changed"),
    ("stale-cache", """
def cache_folder(root, settings):
    return Path(root) / str(hash(str(sorted(settings.items()))))
""", "hash()"),
    ("stale-cache", """
def cache_folder(root, settings):
    return Path(root) / "".join(c for c in str(settings) if c.isalnum())
""", "another order"),
    ("one-preprocessing", """
def to_input(image):
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top:top + side, left:left + side]
    return normalise(cv2.resize(square, (224, 224)), backbone.preprocess)""", "short side to 256"),
    ("squashed-floor", "floor = 0.0", "there are two"),
    ("squashed-floor", "floor = float(np.log(26))", "e¹ / (e¹ + 25·e⁰)"),
    ("head", """
def make_head(classes):
    return nn.Dense(1280, classes, weight_init="ones")""", "equal weights"),
    ("head", """
def make_head(classes):
    return nn.Dense(1280, classes, has_bias=False)""", "bias is still missing"),
    ("head", """
def make_head(classes):
    return nn.SequentialCell(nn.Dense(1280, classes), nn.Softmax(axis=1))""", "Rows sum to 1"),
    ("dropped-batch", """
def accuracy(right, batch_size):
    parts = [right[i:i + batch_size] for i in range(0, len(right), batch_size)]
    return float(np.mean([p.mean() for p in parts])), sum(map(len, parts))""",
     "add up first"),
    ("checkpoints", """
def save_epoch(head, top1, best, folder):
    ms.save_checkpoint(head, f"{folder}/best.ckpt")
    return True""", "epoch 4 was kept"),
    ("checkpoints", """
def save_epoch(head, top1, best, folder):
    if top1 < best.get("top1", -1):
        return False
    best["top1"] = top1
    ms.save_checkpoint(head, f"{folder}/best.ckpt")
    return True""", "the earliest stays"),
    ("checkpoints", """
def save_epoch(head, top1, best, folder):
    best["n"] = best.get("n", 0) + 1
    ms.save_checkpoint(head, f"{folder}/epoch_{best['n']}.ckpt")
    return True""", "expected best.ckpt alone"),
    ("leak", """
def without_leaks(train, val, count):
    asked = {Path(r.path).name for r in val}
    kept = [r for r in train if Path(r.path).name not in asked]
    return kept, [c for c in range(count) if c not in {r.label for r in kept}]""",
     "compare contents"),
    ("leak", """
def without_leaks(train, val, count):
    asked = {(r.sha256, r.label) for r in val}
    kept = [r for r in train if (r.sha256, r.label) not in asked]
    return kept, [c for c in range(count) if c not in {r.label for r in kept}]""",
     "under another class"),
    ("unpooled", "def to_cache(maps):\n    return maps.max((2, 3))", "the maximum"),
    ("unpooled", "def to_cache(maps):\n    return maps.mean((2, 3)).astype(np.float64)",
     "expected float32"),
    ("unpooled", "def to_cache(maps):\n    return maps.mean(0)", "1280 numbers"),
    ("lucky-epoch", """
def pick_and_report(correct, loss, choosing):
    best = int(correct[:, choosing].mean(1).argmax())
    return best, float(correct[best, ~choosing].mean())""", "mean loss"),
    ("lucky-epoch", """
def pick_and_report(correct, loss, choosing):
    best = int(loss[:, choosing].mean(1).argmin())
    return best, float(correct[best, ~choosing].mean())""", "accuracy comes first"),
    ("lucky-epoch", """
def pick_and_report(correct, loss, choosing):
    top1, losses = correct[:, choosing].mean(1), loss[:, choosing].mean(1)
    best = min(range(len(top1)), key=lambda e: (-top1[e], losses[e], e))
    return best, float(correct[best, choosing].mean())""", "still about the choosing photos"),
    ("any-path", """
def export_model(network, example, path):
    plain = path.with_name("model.mindir")
    ms.export(network, example, file_name=str(plain), file_format="MINDIR")""",
     "not where it was asked for"),
    ("train-mode", """
def evaluate(network, images):
    network.set_train(False)
    return network(ms.Tensor(images)).asnumpy()""", "stays in evaluation mode"),
    ("train-mode", """
def evaluate(network, images):
    network.set_train(False)
    answer = network(ms.Tensor(images)).asnumpy()
    network.set_train(True)
    return answer""", "left in training mode"),
    ("weight-decay", "repair = dict(epochs=40)", "the root is still there"),
    ("weight-decay", "repair = dict(weight_decay=4e-5, epochs=40)", "exactly one key"),
    ("val-is-train", "eval_dataset = create_dataset(config=config)", "val has"),
    ("val-is-train", """
eval_dataset = create_dataset(config=config, training=False, repeat=2)""", "more than once"),
    ("unfreeze", """
def parameters_to_train(network):
    return network.trainable_params()""", "the head alone"),
    ("unfreeze", """
def parameters_to_train(network):
    return [p for p in network.get_parameters() if "moving" not in p.name]""",
     "still False"),
    ("unfreeze", """
def parameters_to_train(network):
    for parameter in network.get_parameters():
        parameter.requires_grad = True
    return network.trainable_params()""", "do not belong to the optimizer"),
)


def given_functions():
    """Return a dict from name to the text of every function that a given cell defines."""
    found = {}
    for cell in SOURCE.cells:
        if cell.kind == "code" and not cell.exercise and not cell.is_tests:
            for node in ast.parse(cell.text).body:
                if isinstance(node, ast.FunctionDef):
                    found.setdefault(node.name, ast.unparse(node))
    return found


GIVEN = given_functions()


def solution_of(exercise):
    return without_markers(in_language(EXERCISES[exercise][0].text, "en"))


class Stub(types.SimpleNamespace):
    """Something with the attributes that a test reads."""


@pytest.fixture
def notebook(mindspore, drawn_data):
    """The names a hidden test finds in the notebook, as far as it needs them."""
    import cv2
    from mindspore import nn

    from src_mindspore.data.folder import read_folder
    from src_mindspore.dataset import create_dataset
    from src_mindspore.training.losses import SoftmaxCrossEntropy

    rng = np.random.default_rng(1)
    folder = read_folder(drawn_data)
    val = folder.splits["val"]
    config = resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={
        "dataset_path": str(drawn_data), "image_height": 224, "image_width": 224, "resize": 256,
        "interpolation": "bilinear", "pretrained_ckpt": "", "batch_size": 8})

    def trainer_for(changed):
        # What the notebook measures, without the training: only less decay lowers the loss.
        loss = 2.7 if changed.weight_decay > 0.5 else 0.1
        return Stub(run=lambda: iter(()), history=[{"train_loss": loss}])

    names = {
        "np": np, "ms": mindspore, "nn": nn, "cv2": cv2, "Path": Path, "tempfile": tempfile,
        "say": lambda zh, en: en, "normalise": normalise, "preprocess": preprocess,
        "create_dataset": create_dataset, "SoftmaxCrossEntropy": SoftmaxCrossEntropy,
        "backbone": Stub(preprocess=SPEC), "photos": Stub(classes=Stub(english=CLASSES)),
        "logits_of": lambda inputs: inputs[:, :, :8, :].mean((1, 3)),
        "val_photos": [load_rgb(drawn_data / file.path) for file in val],
        "val_labels": np.array([file.label for file in val], np.int32), "config": config,
        "rows": mindspore.Tensor(rng.normal(size=(60, 1280)).astype(np.float32)),
        "labels": mindspore.Tensor(np.arange(60, dtype=np.int32) % 26),
        "healthy": Stub(head=Stub(dense=nn.Dense(1280, 26))),
        "maps": rng.random((32, 1280, 7, 7), np.float32),
        "lab": Stub(config=lambda **changes: Stub(**{**PRESETS["course_default"], **changes})),
        "trainer_for": trainer_for, "start": {}, "stuck": trainer_for(Stub(weight_decay=3.0)),
    }
    for name in ("inputs_of", "values_of", "losses_of", "moved_by_a_step"):
        exec(GIVEN[name], names)
    names.update(small_network(mindspore, names))
    return names


def small_network(mindspore, names):
    """Return what stands in for the whole network of section 9: frozen but for its head."""
    from mindspore import nn

    def whole_network():
        head = nn.Dense(4, 26)
        network = nn.SequentialCell(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
                                    nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
        for parameter in network.get_parameters():
            parameter.requires_grad = "5." in parameter.name
        network.head = head
        return network

    network = whole_network()
    rng = np.random.default_rng(4)
    return {"whole_network": whole_network,
            "learnt": [n for n in names["values_of"](network) if "moving" not in n],
            "small": mindspore.Tensor(rng.normal(size=(8, 3, 8, 8)).astype(np.float32)),
            "small_labels": mindspore.Tensor(np.arange(8, dtype=np.int32))}


def hint_for(answer, exercise, names):
    """Return the hint that the hidden tests give for an answer, '' where they are satisfied."""
    exec(answer, names)
    try:
        exec(without_markers(in_language(EXERCISES[exercise][1].text, "en")), names)
    except AssertionError as error:
        return str(error) or "a check without a hint"
    return ""


def test_every_trap_has_its_section_and_its_exercise():
    headings = [cell.text.splitlines()[0] for cell in SOURCE.cells
                if cell.language == "en" and cell.text.startswith("## ")]
    assert [h.split()[1] for h in headings if h.split()[1].isdigit()] == [str(n) for n in range(15)]
    assert len(EXERCISES) >= 14
    assert {exercise for exercise, _ in SHOWN_BROKEN} | {e for e, *_ in WRONG_REPAIRS} \
        == set(EXERCISES)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_satisfies_the_hidden_tests(notebook, exercise):
    assert hint_for(solution_of(exercise), exercise, notebook) == ""


@pytest.mark.parametrize(("exercise", "function"), SHOWN_BROKEN)
def test_the_code_that_is_shown_broken_is_refused(notebook, exercise, function):
    assert len(hint_for(GIVEN[function], exercise, notebook)) > 10


@pytest.mark.parametrize(("exercise", "answer", "hint"), WRONG_REPAIRS)
def test_a_wrong_repair_is_refused_with_a_hint_that_names_it(notebook, exercise, answer, hint):
    assert hint in hint_for(answer, exercise, notebook)


def test_the_hidden_tests_leave_the_notebook_as_it_was(notebook):
    before = notebook["logits_of"], hash("x")
    for exercise in ("colour-order", "stale-cache"):
        hint_for(solution_of(exercise), exercise, notebook)
    assert (notebook["logits_of"], hash("x")) == before


def test_a_reader_who_repaired_some_traps_gets_their_points(mindspore, monkeypatch, tmp_path):
    monkeypatch.setenv(DRAWN_VARIABLE, "1")
    monkeypatch.setenv(STATIC_VARIABLE, "1")
    homework = nbformat.read(path_of(NAME, "zh", "student"), as_version=4)
    answers = {"stale-cache": solution_of("stale-cache"), "leak": solution_of("leak"),
               "lucky-epoch": solution_of("lucky-epoch"), "squashed-floor": "floor = 0.0",
               "dropped-batch": GIVEN["accuracy"]}
    # The reader has kept the start and these exercises, and imports what they need.
    start = [cell for cell in homework.cells if cell.cell_type == "code"][:2]
    imports = nbformat.v4.new_code_cell("import tempfile\nimport numpy as np")
    kept = [cell for cell in homework.cells if cell.metadata.get("id") in answers]
    for cell in kept:
        cell.source = answers[cell.metadata["id"]]
    homework.cells = [*start, imports, *kept]
    path = tmp_path / "homework.ipynb"
    nbformat.write(homework, path)
    verdicts, text = checking.check(path, progress=False)
    states = {verdict.exercise: verdict.state for verdict in verdicts
              if verdict.exercise in answers}
    assert states == {"stale-cache": SOLVED, "leak": SOLVED, "lucky-epoch": SOLVED,
                      "squashed-floor": WRONG, "dropped-batch": WRONG}
    assert "提示：0 是只做一次 softmax 时的下限；这里做了两次。" in text
    assert "得 6 分" in text
    assert not [line for name in EXERCISES for line in solution_lines(EXERCISES[name][0].text)
                if len(line) > 20 and line in text], "a solution was given away"
