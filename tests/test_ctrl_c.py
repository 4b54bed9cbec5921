"""A real SIGINT: MindSpore installs a handler of its own with every graph it runs."""
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def started(make_argv, tmp_path, weights_path, ctrl_c):
    """Function from overrides to a running train_head.py; whatever is left of it is ended."""
    processes = []

    def start(**flags):
        argv = make_argv(results_path=tmp_path / "results", features_path=tmp_path / "features",
                         **flags)
        processes.append(subprocess.Popen(
            [sys.executable, "-u", "train_head.py", *argv], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return processes[-1]
    yield start
    for process in processes:
        process.kill()
        process.communicate()


def interrupt(process, text):
    """Send SIGINT once a printed line holds `text`; returns (exit code, everything printed)."""
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    printed = []
    for line in process.stdout:
        printed.append(line)
        if text in line:
            break
    os.kill(process.pid, signal.SIGINT)
    printed.append(process.stdout.read())
    watchdog.cancel()
    return process.wait(), "".join(printed)


def test_ctrl_c_in_training_ends_with_the_best_so_far(started, tmp_path):
    code, printed = interrupt(started(epochs=100_000), "epoch   5/")
    assert code == 0, printed
    assert "stopped by Ctrl-C after epoch" in printed
    result = json.loads((tmp_path / "results" / "latest" / "result.json").read_text())
    assert 5 <= result["epochs_trained"] < 100_000
    assert (tmp_path / "results" / "latest" / "best.mindir").is_file()


def test_ctrl_c_in_extraction_ends_with_one_sentence_and_goes_on(started, tmp_path):
    flags = {"repeat": 1000, "engine": "mindspore"}
    process = started(**flags)
    # The bar is not a line: the first batch in the journal says that extraction is under way.
    journals = tmp_path / "features"
    waiting = threading.Event()
    for _ in range(1200):
        if list(journals.glob("*/batches.jsonl")) or process.poll() is not None:
            break
        waiting.wait(0.1)
    os.kill(process.pid, signal.SIGINT)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 130, printed
    assert "stopped by Ctrl-C; what was finished is kept" in printed
    assert "Traceback" not in printed
    assert any("going on after" in line for line in started(**flags).stdout)
