"""A run's folder: found again, never overwritten, and equal in the end however often it is cut."""
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from config import KEYS
from src_mindspore.data.classes import name_classes
from src_mindspore.errors import LabError

ROOT = Path(__file__).parents[2]
CLASSES = name_classes(["00_00", "00_01", "00_02", "00_03", "00_04"])
BACKBONE = SimpleNamespace(channels=1280)


@pytest.fixture
def config_of(make_config, tmp_path):
    """Function from overrides to a configuration whose runs land in the test's folder."""
    def make(**flags):
        return make_config(results_path=str(tmp_path / "results"), **flags)
    return make


@pytest.fixture
def open_run(mindspore):
    """Function from a configuration to an open Run; closes what is still open at the end."""
    from src_mindspore.training.run import Run
    opened = []

    def make(config, inputs=None):
        opened.append(Run(config, inputs or {"train": "k1", "val": "k2"}))
        return opened[-1]
    yield make
    for run in opened:
        run.close()


@pytest.fixture
def train_on(finished_run):
    """Function (Run, configuration) -> HeadTrainer after training on the cached features."""
    from src_mindspore.training.head_of_config import train

    def make(run, config):
        return train(run, finished_run.caches, BACKBONE, CLASSES, config)[0]
    return make


def saved_epochs(run):
    return sorted(int(p.stem.removeprefix("head_epoch")) for p in run.checkpoints.glob("*.ckpt"))


def dense_of(path):
    """The Dense layer inside a whole checkpoint or a head's: dict name -> array."""
    import mindspore as ms
    parameters = ms.load_checkpoint(str(path))
    return {name: p.asnumpy() for name, p in parameters.items() if name.startswith("dense.")}


def read_history(folder):
    """History without its timings."""
    with open(folder / "history.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_new_run_writes_what_is_needed_to_repeat_it(config_of, open_run):
    from src_mindspore.configuration import read_yaml
    config = config_of(lr_max=0.123)
    run = open_run(config)
    assert not run.resumed
    assert run.folder.parent == Path(config.results_path) / "runs"
    assert run.folder.name.endswith("-recommended")
    values = read_yaml(KEYS, run.folder / "config.yaml")
    assert values == dict(config)
    assert values["lr_max"] == 0.123
    environment = json.loads((run.folder / "environment.json").read_text())
    assert {"python", "cores", "packages"} <= environment.keys()


def test_unfinished_run_of_the_same_configuration_goes_on(config_of, open_run):
    first = open_run(config_of())
    first.close()
    # Where it is written and how many threads help are not part of a run.
    again = open_run(config_of(workers=1, language="zh"))
    assert again.resumed
    assert again.folder == first.folder


@pytest.mark.parametrize("change", [{"seed": 2}, {"lr_max": 0.01}, {"epochs": 7}])
def test_unfinished_run_of_another_configuration_is_left_alone(config_of, open_run, change):
    first = open_run(config_of())
    first.close()
    other = open_run(config_of(**change))
    assert not other.resumed
    assert other.folder != first.folder


def test_unfinished_run_on_other_features_is_left_alone(config_of, open_run):
    first = open_run(config_of())
    first.close()
    other = open_run(config_of(), {"train": "k1", "val": "other photos"})
    assert not other.resumed
    assert other.folder != first.folder


def test_finished_run_is_not_overwritten(config_of, open_run):
    from src_mindspore.training.run import finished
    first = open_run(config_of(run_name="mine"))
    first.finish({"top1": 0.5})
    assert finished(first.folder)
    assert json.loads((first.folder / "result.json").read_text()) == {"top1": 0.5}
    with pytest.raises(LabError, match="mine is finished. Choose another --run_name"):
        open_run(config_of(run_name="mine"))
    other = open_run(config_of())
    assert not other.resumed
    assert other.folder != first.folder


def test_latest_points_to_the_run_that_finished_last(config_of, open_run):
    for name in ("one", "two"):
        run = open_run(config_of(run_name=name))
        run.finish({})
        latest = Path(run.config.results_path) / "latest"
        assert latest.resolve() == run.folder.resolve()
        assert not Path(os.readlink(latest)).is_absolute()


def test_run_that_is_being_written_is_refused_by_name_and_passed_over_without(config_of, open_run):
    first = open_run(config_of(run_name="mine"))
    with pytest.raises(LabError, match="Another process is writing the run .*mine"):
        open_run(config_of(run_name="mine"))
    other = open_run(config_of())
    assert other.folder != first.folder


def test_named_run_of_another_configuration_is_refused(config_of, open_run):
    open_run(config_of(run_name="mine")).close()
    with pytest.raises(LabError, match="unfinished run of another configuration or other photos"):
        open_run(config_of(run_name="mine", seed=5))
    assert open_run(config_of(run_name="mine")).resumed


def test_two_runs_in_the_same_second_have_two_folders(config_of, open_run, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda pattern: "20260101-000000-")
    names = [open_run(config_of(seed=seed)).folder.name for seed in (1, 2, 3)]
    assert names == ["20260101-000000-recommended", "20260101-000000-recommended-2",
                     "20260101-000000-recommended-3"]


def test_folder_killed_before_its_identity_was_written_is_taken_over(config_of, open_run):
    folder = Path(config_of().results_path) / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("half")
    run = open_run(config_of(run_name="mine"))
    assert not run.resumed
    assert (folder / "run.json").exists()


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_the_best_heads_are_kept(config_of, open_run, train_on, keep):
    from src_mindspore.training.selection import rank
    config = config_of(epochs=8, keep_checkpoints=keep)
    run = open_run(config)
    trainer = train_on(run, config)
    best = sorted(trainer.history, key=rank)[:keep]
    assert saved_epochs(run) == sorted(row["epoch"] for row in best)
    assert {row["epoch"] for row in run.candidates(trainer.history)} == set(saved_epochs(run))


@pytest.mark.parametrize(("epochs", "every", "saved"), [(7, 3, [3, 6, 7]), (3, 5, [3]),
                                                         (4, 4, [4])])
def test_only_saved_epochs_can_be_chosen(config_of, open_run, train_on, epochs, every, saved):
    config = config_of(epochs=epochs, save_ckpt_epochs=every, keep_checkpoints=10)
    run = open_run(config)
    trainer = train_on(run, config)
    assert saved_epochs(run) == saved
    assert [row["epoch"] for row in run.candidates(trainer.history)] == saved
    assert len(read_history(run.folder)) == epochs


def test_head_comes_back_as_it_was_in_its_epoch(config_of, open_run, train_on, finished_run):
    from src_mindspore.training.selection import choose
    config = config_of(epochs=6, keep_checkpoints=6)
    run = open_run(config)
    trainer = train_on(run, config)
    for row in trainer.history:
        run.load_weights(trainer, row["epoch"])
        right = trainer.logits(trainer.val).argmax(1) == trainer.val.labels
        assert right.mean() == row["val_top1"]
    assert choose(run.candidates(trainer.history)) == choose(trainer.history)


def test_shared_checkpoint_folder_keeps_runs_apart(config_of, open_run, train_on, tmp_path):
    shared = tmp_path / "heads"
    kept = {}
    for name in ("one", "two"):
        config = config_of(run_name=name, save_ckpt_path=str(shared), keep_checkpoints=1,
                           seed=len(kept) + 1, epochs=4)
        run = open_run(config)
        train_on(run, config)
        kept[name] = saved_epochs(run)
        assert run.checkpoints.parent == shared
    assert all(len(epochs) == 1 for epochs in kept.values())
    assert len(list(shared.rglob("*.ckpt"))) == 2


def stop_after(epoch):
    """A stand-in for print_epoch that is Ctrl-C after an epoch."""
    def stop(row, epochs):
        if row["epoch"] == epoch:
            raise KeyboardInterrupt
    return stop


def test_ctrl_c_keeps_the_best_so_far(config_of, open_run, train_on, monkeypatch, capsys):
    from src_mindspore.training import head_of_config
    from src_mindspore.training.selection import choose
    config = config_of(epochs=30)
    run = open_run(config)
    monkeypatch.setattr(head_of_config, "print_epoch", stop_after(4))
    trainer = train_on(run, config)
    assert "stopped by Ctrl-C after epoch 4: the best so far is chosen" in capsys.readouterr().out
    assert len(trainer.history) == 4
    row, _ = choose(run.candidates(trainer.history))
    assert row == choose(trainer.history)[0]
    run.load_weights(trainer, row["epoch"])
    assert (trainer.logits(trainer.val).argmax(1) == trainer.val.labels).mean() == row["val_top1"]


def test_ctrl_c_before_anything_was_saved_leaves_a_run_to_continue(config_of, open_run, train_on,
                                                                   monkeypatch):
    from src_mindspore.training import head_of_config
    config = config_of(epochs=6, save_ckpt_epochs=4)
    run = open_run(config)
    with monkeypatch.context() as patch:
        patch.setattr(head_of_config, "print_epoch", stop_after(2))
        with pytest.raises(KeyboardInterrupt):
            train_on(run, config)
    run.close()
    again = open_run(config)
    assert again.resumed
    assert len(train_on(again, config).history) == 6


def test_ctrl_c_between_history_and_checkpoint_does_not_count_the_epoch(
        config_of, open_run, train_on, monkeypatch):
    from src_mindspore.training.run import Run
    config = config_of(epochs=6, keep_checkpoints=6)
    run = open_run(config)
    write = Run.write_history

    def stopped(self, rows):
        write(self, rows)
        if len(rows) == 3:
            raise KeyboardInterrupt
    monkeypatch.setattr(Run, "write_history", stopped)
    trainer = train_on(run, config)
    assert [row["epoch"] for row in run.candidates(trainer.history)] == [1, 2]


@pytest.mark.parametrize("head", ["rbf", "linear"])
def test_resumed_run_equals_an_unbroken_one(config_of, open_run, train_on, monkeypatch, head,
                                            capsys):
    from src_mindspore.training import head_of_config
    options = {"epochs": 9, "head": head, "normalise": head == "linear", "dropout": 0.2,
               "save_ckpt_epochs": 2}
    unbroken = open_run(config_of(run_name="unbroken", **options))
    whole = train_on(unbroken, unbroken.config)
    run = open_run(config_of(run_name="broken", **options))

    class Killed(BaseException):
        """Unlike Ctrl-C nothing may catch it."""

    def kill(row, epochs):
        if row["epoch"] == 5:
            raise Killed
    with monkeypatch.context() as patch:
        patch.setattr(head_of_config, "print_epoch", kill)
        with pytest.raises(Killed):
            train_on(run, run.config)
    run.close()
    capsys.readouterr()
    again = open_run(run.config)
    assert again.resumed
    trainer = train_on(again, again.config)
    assert "going on after epoch 4 of 9" in capsys.readouterr().out
    for one, other in zip(whole.head.get_parameters(), trainer.head.get_parameters(), strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy(), err_msg=one.name)
    assert read_history(again.folder) == read_history(unbroken.folder)
    assert saved_epochs(again) == saved_epochs(unbroken)
    for epoch in saved_epochs(again):
        one, other = (dense_of(r.checkpoint_of(epoch)) for r in (again, unbroken))
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_killed_train_head_goes_on_and_ends_bit_equal(finished_run, make_argv, street, tmp_path):
    """The real script, a real SIGKILL, the same command again."""
    flags = {"epochs": 120, "keep_checkpoints": 2, "engine": "mindspore"}
    argv = [*make_argv(**flags), "--features_path", str(finished_run.features)]
    command = [sys.executable, "train_head.py", *argv, "--results_path", str(tmp_path / "cut")]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    try:
        while not (history := list(tmp_path.glob("cut/runs/*/history.csv"))) \
                or len(history[0].read_text().splitlines()) < 20:
            assert child.poll() is None, child.stdout.read()
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.communicate()
    folder = history[0].parent
    assert child.returncode == -signal.SIGKILL
    assert 19 <= len(read_history(folder)) < 120
    assert not (folder / "result.json").exists()

    again = street(make_argv(**flags), tmp_path / "cut", finished_run.features)
    assert f"run: {folder} (going on)" in again.output
    assert "training: going on after epoch" in again.output
    unbroken = street(make_argv(**flags), tmp_path / "whole", finished_run.features)

    one, other = dense_of(folder / "best.ckpt"), dense_of(unbroken.folder / "best.ckpt")
    assert one.keys() == other.keys() == {"dense.weight", "dense.bias"}
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    assert read_history(folder) == read_history(unbroken.folder)
    assert len(read_history(folder)) == 120
