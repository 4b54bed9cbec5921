"""Heads of a sweep, trained in processes of one core each.

Why processes: the step of a head is too small for two threads. On a 2-core machine a process that
is held to one core takes no longer a step than one with two cores, which spends a half more
processor time on it; so two processes train two heads in the time of one. (Stacking the heads of
several learning rates into one matrix product was measured too: it saves two fifths of the
processor time of a step, but holds only trials that differ in nothing else, and would be a second
training loop beside the one whose result counts.)

The unit of work is one fold under one seed with one stage before the Dense layer: the stage (the
similarities and the whitening of an RBF head, the statistics of a linear one) is computed once,
then every trial that shares it trains its Dense layer on the result.
"""
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from src_mindspore.errors import LabError

# What a worker has to say stands behind this mark; MindSpore may print lines of its own.
MARK = "@sweep "


def train_in_processes(task_file, units, processes, cores, note):
    """Train all heads of all units.

    Args:
        task_file: Path of the JSON that `sweep.py` wrote for the workers.
        units: list of dicts with stage, seed, fold and trials (list of trial ids).
        processes: int.
        cores: list of int, each process is held to one of them; empty where that is impossible.
        note: function that is called, one call at a time, with the result of every head: a dict
            with trial, seed, fold, correct, n, loss; or with trial, seed, fold, error.

    Raises:
        LabError: a worker ended with an error.
    """
    waiting = queue.SimpleQueue()
    for unit in units:
        waiting.put(unit)
    lock = threading.Lock()
    children = []
    # A file and not a pipe, which would block a process that warns a lot.
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115

    def follow(child):
        while not waiting.empty():
            try:
                unit = waiting.get_nowait()
            except queue.Empty:
                break
            child.stdin.write(json.dumps(unit) + "\n")
            child.stdin.flush()
            for _ in unit["trials"]:
                result = _answer(child, errors)
                with lock:
                    note(result)
        child.stdin.close()
        child.wait()

    project = Path(__file__).resolve().parents[2]
    code = "from src_mindspore.training.sweep_workers import work; work()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(
        filter(None, [str(project), os.environ.get("PYTHONPATH", "")]))}
    try:
        for number in range(processes):
            core = str(cores[number % len(cores)]) if cores else ""
            children.append(subprocess.Popen(
                [sys.executable, "-c", code, str(task_file), core], text=True, env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors))
        with ThreadPoolExecutor(processes) as threads:
            try:
                for ended in as_completed([threads.submit(follow, c) for c in children]):
                    ended.result()
            except BaseException:
                for child in children:
                    child.kill()
                raise
    finally:
        for child in children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        errors.close()


def _answer(child, errors):
    for line in child.stdout:
        if line.startswith(MARK):
            return json.loads(line[len(MARK):])
    child.wait()
    errors.seek(0)
    words = errors.read().strip()[-1500:] or f"exit code {child.returncode}"
    raise LabError(f"A process of the sweep ended: {words}\nWhat was finished is kept; the same "
                   "command goes on from there.")


def work():
    """Be a worker: argv holds the task file and a core; units come as lines on stdin."""
    task_file, core = sys.argv[1:]
    if core:
        # Before MindSpore is imported, so that it starts one thread.
        os.sched_setaffinity(0, {int(core)})
    try:
        _work(json.loads(Path(task_file).read_text(encoding="utf-8")))
    except LabError as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)  # the parent was stopped and says so itself


def _work(task):
    from src_mindspore import runtime
    runtime.start()
    import numpy as np

    from src_mindspore.evaluation.crossval import CrossvalData
    from src_mindspore.features.cache import FeatureCache

    data = CrossvalData(*(FeatureCache(task[name]) for name in ("cache", "clean")),
                        np.array(task["groups"]), task["memory_limit_mb"])
    for line in sys.stdin:
        unit = json.loads(line)
        for result in train_unit(data, task, unit):
            print(MARK + json.dumps(result), flush=True)


def train_unit(data, task, unit):
    """Train the heads of one unit of work.

    Args:
        data: CrossvalData.
        task: dict with configs (by trial id), folds, channels, classes (folder names).
        unit: dict with seed, fold and trials, which share the stage before the Dense layer.

    Yields:
        dict a trial, see `train_in_processes`.
    """
    from easydict import EasyDict
    from mindspore import nn

    from src_mindspore.data.split import grouped_folds
    from src_mindspore.training.loop import HeadTrainer, scores
    from src_mindspore.training.svm import KINDS

    fold_of = grouped_folds(data.clean.labels, data.groups, task["folds"], unit["seed"],
                            task["classes"])
    stage = None
    for trial in unit["trials"]:
        config = EasyDict({**task["configs"][trial], "seed": unit["seed"]})
        if stage is None or config.head in KINDS:
            trainer, spec = data.trainer(fold_of, unit["fold"], task["channels"],
                                         len(task["classes"]), config)
            stage = trainer.train, trainer.val
        else:
            head = spec.build(config.weight_init, config.seed)
            head.prepare = nn.Identity()  # its rows are prepared already
            trainer = HeadTrainer(head, *stage, config)
        result = {"trial": trial, "seed": unit["seed"], "fold": unit["fold"]}
        try:
            trainer.train_to_the_end()
        except LabError as error:
            yield {**result, "error": str(error).partition(". ")[0]}
            continue
        logits, labels = trainer.logits(trainer.val), trainer.val.labels
        yield {**result, "n": len(labels), "correct": int((logits.argmax(1) == labels).sum()),
               "loss": scores(logits, labels)["loss"]}
