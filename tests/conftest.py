"""What the tests share: a tiny drawn set, the weights, one finished run, and a way to ask scripts.

Everything expensive is made once a session and must not be changed by a test; a test that changes
something copies it first.
"""
import contextlib
import dataclasses
import gc
import io
import os
import signal
import sys
from pathlib import Path

import pytest

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore.configuration import resolve
from src_mindspore.data.drawn import draw_dataset
from src_mindspore.errors import LabError, run_as_script

WEIGHTS = "results/weights/mobilenetv2_keras.ckpt"
# Small enough that a whole run takes seconds; 15 rows of val are no multiple of the batch size.
SMALL = {"image_height": 96, "image_width": 96, "resize": 0, "repeat": 2, "include_clean": True,
         "epochs": 6, "warmup_epochs": 0, "batch_size": 16, "extract_batch_size": 16}


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory):
    """Root of 5 drawn classes with 6 train and 3 val pictures each; not to be changed."""
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "drawn_set", train_per_class=6,
                        val_per_class=3, classes=5, seed=1, workers=1, progress=False)


@pytest.fixture(scope="session")
def mindspore():
    """The mindspore module, set up as the scripts do."""
    from src_mindspore import runtime
    return runtime.start()


@pytest.fixture(scope="module", autouse=True)
def collects_only_what_is_new():
    """Keep the many collections that MindSpore asks for as quick in the last file as in the first:
    what outlives a file is walked through no more."""
    yield
    if "mindspore" in sys.modules:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def weights_path(mindspore):
    """Path of the converted pretrained weights."""
    from src_mindspore.weights.prepare import require_weights
    try:
        return require_weights(WEIGHTS)
    except LabError as error:
        pytest.skip(f"the pretrained weights are neither here nor to be fetched: {error}")


@pytest.fixture(scope="session")
def lab_data():
    """Folder of the real data sets."""
    if not os.environ.get("LAB_DATA"):
        pytest.skip("LAB_DATA is not set: it names the folder that holds the real photos")
    return Path(os.environ["LAB_DATA"])


@pytest.fixture(scope="session")
def make_config(drawn_data):
    """Function from overrides to a small configuration on the drawn set."""
    def make(preset=DEFAULT_PRESET, **flags):
        return resolve(KEYS, PRESETS, DEFAULT_PRESET, preset=preset, flags={
            "dataset_path": str(drawn_data), **SMALL, **flags})
    return make


@pytest.fixture(scope="session")
def make_argv(drawn_data):
    """Function from overrides to the command line of a small run on the drawn set."""
    def make(**flags):
        values = {"dataset_path": drawn_data, **SMALL, **flags}
        return [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return make


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A run that went through train_head.main.

    Attributes:
        folder: Path of the run.
        results: Path given as results_path.
        features: Path given as features_path.
        output: str, what was printed.
        caches: dict with FeatureCache 'train' and 'val'.
    """

    folder: Path
    results: Path
    features: Path
    output: str
    caches: dict


def run_street(argv, results, features):
    """Call train_head.main in this process; returns FinishedRun."""
    import json

    import train_head
    from src_mindspore.features.cache import FeatureCache
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        train_head.main([*argv, "--results_path", str(results), "--features_path", str(features)])
    folder = (results / "latest").resolve()
    inputs = json.loads((folder / "run.json").read_text())["inputs"]
    return FinishedRun(folder, results, features, output.getvalue(),
                       {split: FeatureCache(features / key) for split, key in inputs.items()})


@pytest.fixture(scope="session")
def street():
    """The function `run_street`, for tests that need a run of their own."""
    return run_street


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, make_argv, weights_path):
    """One finished run with the recommended preset, made small; not to be changed."""
    root = tmp_path_factory.mktemp("street")
    return run_street(make_argv(run_name="first"), root / "results", root / "features")


@pytest.fixture
def ctrl_c():
    """SIGINT is a KeyboardInterrupt in this test and in the processes that it starts.

    A job in the background ignores SIGINT, and its children inherit that; a graph that ran in this
    process has put MindSpore's handler in the place of Python's.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def ask_script(capsys):
    """Function (main, argv) -> (exit code, stdout, stderr), as the command line would see it."""
    def ask(main, argv):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_as_script(main, [str(argument) for argument in argv])
        out, err = capsys.readouterr()
        return ended.value.code, out, err
    return ask
