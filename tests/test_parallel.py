"""Two processes that train one network: the same weights as one, and what a dead one leaves."""
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from parallel_worker import train_and_keep

from src_mindspore.errors import LabError
from src_mindspore.launch import launch
from src_mindspore.parallel import Workers

ROOT = Path(__file__).parents[1]


def test_a_batch_is_shared_evenly_and_in_order():
    numbers = np.arange(12)
    parts = [Workers(rank, 3).share(numbers) for rank in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts), numbers)
    assert {len(part) for part in parts} == {4}
    assert [Workers(rank, 3).is_first for rank in range(3)] == [True, False, False]
    assert Workers().told("a folder") == "a folder"


def test_a_script_that_is_not_there_is_named(ask_script, tmp_path):
    from src_mindspore import launch as module
    code, _, err = ask_script(module.main, ["2", "--logs", tmp_path, "train_nothing.py"])
    assert code == 2
    assert "There is no script train_nothing.py" in err


JOB = """
import os, sys, time
print("run: results/runs/abc (going on)")
print("training 10%\\repoch   2.50/6  lr 0.001  train loss 1.0", flush=True)
if os.environ["MS_ROLE"] == "MS_WORKER" and os.environ["RANK_ID"] == "{rank}":
    {end}
time.sleep({seconds})
"""


@pytest.mark.parametrize(("rank", "end", "seconds", "words"), [
    (1, "os.kill(os.getpid(), 9)", 3, "One of the 2 processes ended before the training did (exit "
     "code -9; that is a kill, often for want of memory), so the job was ended. Everything up to "
     "epoch 2.5 is kept in results/runs/abc; the same command goes on from there."),
    (0, "print('\\nerror: There are no photos.'); sys.exit(2)", 3, "There are no photos."),
    (1, "pass", 0, "")])
def test_the_end_of_a_job_is_told_in_words(capsys, tmp_path, rank, end, seconds, words):
    script = tmp_path / "job.py"
    script.write_text(JOB.format(rank=rank, end=end, seconds=seconds))
    # The folder of an earlier job: what that one said is not shown again, nor taken for this one's.
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker_0.log").write_text("error: of an earlier job\n" * 1000)
    if words:
        with pytest.raises(LabError) as told:
            launch(2, script, [], tmp_path / "logs")
        assert str(told.value).startswith(words)
    else:
        launch(2, script, [], tmp_path / "logs")
    # What the first process printed stands on the screen, the bar without its earlier states; a
    # mistake is told once, by the launcher.
    assert capsys.readouterr().out.splitlines() == [
        "run: results/runs/abc (going on)", "epoch   2.50/6  lr 0.001  train loss 1.0"]


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one(mindspore, tmp_path, monkeypatch):
    """Dropout, clipping and the moving average included; BatchNorm frozen."""
    monkeypatch.chdir(ROOT)
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    train_and_keep(one, Workers())
    launch(2, "tests/parallel_worker.py", [str(two)], tmp_path / "logs")
    with np.load(one) as alone, np.load(two) as together:
        assert set(alone.files) == set(together.files)
        for name in alone.files:
            if name != "train_loss":  # of the first process's photos alone
                np.testing.assert_allclose(together[name], alone[name], rtol=2e-4, atol=2e-6,
                                           err_msg=name)


@pytest.mark.slow
def test_a_killed_process_ends_the_job_with_a_message_and_the_same_command_goes_on(
        mindspore, drawn_data, tmp_path):
    flags = {"preset": "cnn_scratch", "dataset_path": drawn_data, "image_height": 32,
             "image_width": 32, "resize": 40, "crop": 40, "crop_pixels": 32, "epochs": 2,
             "batch_size": 10, "eval_batch_size": 15, "validate_every": 1,
             # The head alone: it is the processes that this is about.
             "unfreeze": "none", "bn": "frozen",
             "results_path": tmp_path / "results", "run_name": "cut"}
    line = [sys.executable, "-m", "src_mindspore.launch", "2", "--logs", str(tmp_path / "logs"),
            "train_network.py",
            *(part for name, value in flags.items() for part in (f"--{name}", str(value)))]
    state = tmp_path / "results" / "runs" / "cut" / "state.ckpt"
    job = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
    deadline = time.monotonic() + 500
    while not state.exists():
        assert job.poll() is None, job.stdout.read()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(worker(1), signal.SIGKILL)
    printed, _ = job.communicate(timeout=300)
    assert job.returncode == 2
    text = " ".join(printed.split())
    assert "One of the 2 processes ended before the training did (exit code -9;" in text
    assert f"is kept in {state.parent}; the same command goes on from there" in text
    again = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
    assert "training: going on after epoch" in again.stdout
    assert (state.parent / "best.mindir").exists()


def worker(rank):
    """Process id of a worker of this test's job."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environ = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes()
            if b"MS_ROLE=MS_WORKER" in environ and f"RANK_ID={rank}".encode() in environ \
                    and b"train_network.py" in command and b"cut" in command.split(b"\0"):
                return int(folder.name)
    raise AssertionError(f"no worker {rank}")
