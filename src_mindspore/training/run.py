"""A run is a folder: configuration, environment, history, checkpoints, and at last the results.

A run that was interrupted is found again by its configuration and goes on.
"""
import csv
import io
import json
import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

from src_mindspore import runtime
from src_mindspore.backbones.checkpoint import read_checkpoint, save_checkpoint
from src_mindspore.configuration import to_yaml
from src_mindspore.errors import LabError
from src_mindspore.files import (
    explain_os_error,
    read_json,
    sha256_of_json,
    write_json,
    write_text,
)
from src_mindspore.training.selection import rank

# Where a run is written and who may write it do not change what it computes.
NOT_PART_OF_A_RUN = ("run_name", "results_path", "workers", "language", "export_path",
                     "tensorboard")


class Run:
    """The folder of one run; holds its lock until `close` (use it in a `with`).

    Args:
        config: the resolved configuration.
        inputs: dict of what the run depends on besides the configuration (cache keys, photos).
        kind: 'head' or 'network', what its checkpoints hold.

    Attributes:
        folder: Path.
        resumed: bool, an interrupted run of the same configuration goes on here.

    Raises:
        LabError: the named run is another one, finished, or being written by another process.
    """

    def __init__(self, config, inputs, kind="head"):
        self.config = config
        self.kind = kind
        self.digest = sha256_of_json({
            "config": {k: v for k, v in config.items() if k not in NOT_PART_OF_A_RUN},
            "inputs": inputs, **({} if kind == "head" else {"kind": kind})})
        self.runs = Path(config.results_path) / "runs"
        self.folder, self.resumed = self._choose_folder()
        # A folder of the run's own: clearing out weaker epochs must not touch another run's.
        self.checkpoints = Path(config.save_ckpt_path) / self.folder.name \
            if config.save_ckpt_path else self.folder / "checkpoints"
        if not self.resumed:
            # Without the name: the file is there to repeat the run, and a name is taken once.
            write_text(self.folder / "config.yaml", to_yaml({**config, "run_name": ""}))
            write_json(self.folder / "environment.json", runtime.describe())
            write_json(self.folder / "run.json", {"digest": self.digest, "inputs": inputs})

    def _choose_folder(self):
        name = self.config.run_name
        if name != Path(name).name or name == "..":
            raise LabError(f"run_name is {name!r}; expected a plain name without slashes, which "
                           f"becomes a folder in {self.runs}.")
        if not name:
            for folder in sorted(self.runs.glob("*/run.json"), reverse=True):
                if self._is_mine(folder.parent) and not finished(folder.parent) \
                        and self._lock(folder.parent):
                    return folder.parent, True
            name = time.strftime("%Y%m%d-%H%M%S-") + self.config.preset
        folder = self.runs / name
        number = 2
        while not self.config.run_name and folder.exists():
            folder = self.runs / f"{name}-{number}"
            number += 1
        if finished(folder):
            raise LabError(f"The run {folder} is finished. Choose another --run_name, or leave it "
                           "out for a name with date and time.")
        known = (folder / "run.json").exists()
        if known and not self._is_mine(folder):
            raise LabError(f"{folder} holds an unfinished run of another configuration or other "
                           "photos. Choose another --run_name.")
        if not self._lock(folder):
            raise LabError(f"Another process is writing the run {folder}. Wait for it, or choose "
                           "another --run_name.")
        return folder, known

    def _is_mine(self, folder):
        try:
            return json.loads((folder / "run.json").read_text())["digest"] == self.digest
        except (OSError, ValueError, KeyError):
            return False

    def _lock(self, folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.lock = FileLock(folder / ".lock")
            self.lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise explain_os_error(error, folder) from error
        return True

    def load_state(self):
        """Return (state, history) of the last resume point, or None; see `load_state`."""
        return load_state(self.folder)

    def save_epoch(self, trainer):
        """Keep what was just trained: history, resume point, and the best k checkpoints.

        Args:
            trainer: HeadTrainer or NetworkTrainer; a row of its history is an epoch or, of a
                network that is validated every N steps, a part of one.
        """
        history = trainer.history
        self.write_history(history)
        if trainer.step_losses:
            self.write_history(trainer.step_losses, "losses.csv")
        epoch = history[-1]["epoch"]
        if len(history) % self.config.save_ckpt_epochs and epoch != trainer.config.epochs:
            return
        kept = sorted([*self.candidates(history[:-1]), history[-1]],
                      key=rank)[:self.config.keep_checkpoints]
        if any(row["epoch"] == epoch for row in kept):
            save_checkpoint(trainer.weights(), self.checkpoint_of(epoch),
                            {"kind": trainer.KIND, "epoch": epoch})
        # The resume point comes after the checkpoint it counts on, the clean-up after both.
        save_checkpoint(trainer.state(), self.folder / "state.ckpt",
                        {"kind": "state", "history": history})
        wanted = {self.checkpoint_of(row["epoch"]) for row in kept}
        for path in self.checkpoints.glob("*_epoch*.ckpt"):
            if path not in wanted:
                path.unlink()

    def candidates(self, history):
        """Return the rows of the epochs whose checkpoint is on disk: those that can be chosen."""
        return [row for row in history if self.checkpoint_of(row["epoch"]).exists()]

    def checkpoint_of(self, epoch):
        """Return the Path of an epoch's checkpoint; of a part of an epoch too."""
        number = f"{epoch:04d}" if isinstance(epoch, int) else f"{epoch:09.4f}"
        return self.checkpoints / f"{self.kind}_epoch{number}.ckpt"

    def load_weights(self, trainer, epoch):
        """Put the weights of a saved epoch back into what was trained."""
        parameters, _ = read_checkpoint(self.checkpoint_of(epoch))
        trainer.put(parameters)

    def write_history(self, rows, name="history.csv"):
        """Write a CSV of rows, list of dicts with the same keys: a line an epoch, or a few steps.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / name, text.getvalue())

    def finish(self, result):
        """Mark the run as finished and point results/latest to it.

        Args:
            result: JSON-able dict, written as result.json.
        """
        write_json(self.folder / "result.json", result)
        latest = Path(self.config.results_path) / "latest"
        temporary = latest.with_name(".latest-new")
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(Path("runs") / self.folder.name, target_is_directory=True)
            os.replace(temporary, latest)
        except OSError:
            # File systems without links get a text file that names the folder.
            write_text(latest.with_suffix(".txt"), f"{self.folder}\n")
        self.close()

    def close(self):
        """Give the lock back."""
        self.lock.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def load_state(folder):
    """Return (state, history) of the last resume point of a run's folder (Path), or None.

    Raises:
        LabError: it is damaged.
    """
    path = folder / "state.ckpt"
    if not path.exists():
        return None
    try:
        parameters, meta = read_checkpoint(path)
    except LabError as error:
        raise LabError(f"The run {folder} cannot go on: {error} Delete {path} to train this run "
                       "from its beginning, or the run's folder.") from error
    return {name: p.asnumpy() for name, p in parameters.items()}, meta["history"]


def is_of_network(folder):
    """True where a run's folder (Path) is one of train_network.py: it depends on the weights it
    began with, a head's on the caches of its features alone.
    """
    return "weights" in read_json(folder / "run.json")["inputs"]


def finished(folder):
    """True where a run's folder holds its result."""
    return (Path(folder) / "result.json").exists()
