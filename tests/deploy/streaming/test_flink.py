"""A stream on a real cluster: one JobManager, two TaskManagers; and everything killed once.

One job goes through all tests of this file in order. Its bookkeeping is the assertion: every id
that a manifest named has exactly one row, whatever died in between.
"""
import dataclasses
import os
import shutil
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from src_mindspore.deploy.streaming import launch, machine
from src_mindspore.deploy.streaming.client import send_photos, warm_up
from src_mindspore.deploy.streaming.cluster import StandaloneCluster
from src_mindspore.deploy.streaming.gateway import Gateway
from src_mindspore.deploy.streaming.manifests import write_manifest
from src_mindspore.deploy.streaming.resume import newest_state
from src_mindspore.deploy.streaming.rows import read_rows
from src_mindspore.deploy.streaming.served import RECORD, Served, freeze_model
from src_mindspore.deploy.streaming.settings import StreamSettings
from src_mindspore.errors import LabError
from src_mindspore.files import read_json

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[3]
SECONDS = 150


@pytest.fixture(scope="module")
def flink_python():
    """Flink's interpreter."""
    try:
        machine.require_java()
        return machine.require_flink(PROJECT / machine.FLINK_PYTHON)
    except LabError as error:
        pytest.skip(f"no Flink here: {error}")


class Stream:
    """A watched folder, its job on a cluster, and what should come of it."""

    def __init__(self, settings, cluster, photos):
        self.settings, self.cluster, self.photos = settings, cluster, photos
        self.given = 0
        self.seen = {}
        self.job = None

    def start(self, resume=""):
        self.job = launch.submit(self.settings, self.cluster.address, resume)
        self.job.wait_until_running(SECONDS)

    def give(self, count):
        """Name `count` photos more in a manifest."""
        entries = [(str(number), str(self.photos[number % len(self.photos)]))
                   for number in range(self.given, self.given + count)]
        write_manifest(Path(self.settings.manifests) / f"{self.given}.txt", entries)
        self.given += count

    def rows(self):
        rows = read_rows(self.settings.rows)
        ids = [row["id"] for row in rows]
        assert len(ids) == len(set(ids)), "a row is doubled"
        return rows

    def wait_for_rows(self, count):
        limit = time.monotonic() + SECONDS
        while len(rows := self.rows()) < count:
            assert time.monotonic() < limit, f"{len(rows)} of {count} rows after {SECONDS} s"
            self.job.ended()
            time.sleep(0.1)
        return rows

    def settle(self):
        """Wait until every photo has its row; return the rows."""
        rows = self.wait_for_rows(self.given)
        assert {row["id"] for row in rows} == {str(number) for number in range(self.given)}
        return rows

    def processes(self, part):
        """Return the processes of the job whose command line has a part."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            command = " ".join(process.info["cmdline"] or ())
            ours = (process.info["environ"] or {}).get("FLINK_CONF_DIR") == \
                str(self.cluster.folder / "conf") or self.settings.model in command
            if ours and part in command:
                found.append(process)
        return found

    def kill(self, part):
        """Kill -9 the processes whose command line has a part, while photos are on their way."""
        processes = self.processes(part)
        assert processes, f"there is no {part}"
        for process in processes:
            process.kill()
        return processes


@pytest.fixture(scope="module")
def frozen(finished_run, tmp_path_factory):
    """Folder of a served copy of the small model."""
    return freeze_model(finished_run.folder / "best.ckpt", "onnxruntime",
                        tmp_path_factory.mktemp("frozen"))


@pytest.fixture(scope="module")
def make_settings(flink_python, frozen, drawn_data):
    """Function from overrides to StreamSettings."""
    def make(**overrides):
        values = {"source": "watch", "manifests": "", "root": os.path.realpath(drawn_data),
                  "model": str(frozen), "rows": "", "format": "jsonl", "state": "",
                  "project": str(PROJECT), "python": str(PROJECT / ".venv" / "bin" / "python"),
                  "flink_python": str(flink_python), "checkpoint_seconds": 0.5, **overrides}
        return StreamSettings(**values)
    return make


@pytest.fixture(scope="module")
def stream(flink_python, make_settings, drawn_data, tmp_path_factory):
    """The running Stream, with a first manifest given."""
    folder = tmp_path_factory.mktemp("my 照片")
    (folder / "manifests").mkdir()
    settings = make_settings(manifests=str(folder / "manifests"), rows=str(folder / "rows"),
                             state=str(folder / "state"))
    photos = sorted((drawn_data / "val").glob("*/*"))
    with StandaloneCluster(tmp_path_factory.mktemp("cluster"), flink_python) as cluster:
        made = Stream(settings, cluster, photos)
        made.start()
        made.give(30)
        made.settle()
        yield made
        family = made.processes("")
        made.job.end()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == [], "a process outlives its cluster"


def test_rows_agree_with_evaluate(stream, finished_run):
    from src_mindspore.evaluation.predict import predict
    from src_mindspore.model import load_model
    model = load_model(finished_run.folder / "best.ckpt")
    paths = [str(path.relative_to(stream.settings.root)) for path in stream.photos]
    expected = predict(model, Path(stream.settings.root), paths, [-1] * len(paths), progress=False)
    rows = {int(row["id"]): row for row in stream.rows()}
    for number in range(30):
        position = number % len(paths)
        assert rows[number]["label"] == expected.predicted[position]
        assert rows[number]["probability"] == pytest.approx(expected.confidence[position], abs=1e-3)
        assert rows[number]["model_sha256"] == model.sha256
        assert not rows[number]["error"]
        assert len(rows[number]["top5"]) == 5


def test_the_cluster_listens_on_this_machine_alone(stream):
    """But for the channels to Python workers: Beam gives them no address, only a port."""
    manager, = stream.processes("StandaloneSessionClusterEntrypoint")
    workers = stream.processes("TaskManagerRunner")
    ips = [{c.laddr.ip.removeprefix("::ffff:") for c in process.net_connections("tcp")
            if c.status == "LISTEN"} for process in (manager, *workers)]
    assert ips[0] == {"127.0.0.1"}
    assert {"127.0.0.1"} in ips[1:], "the spare TaskManager has no Python worker"


def test_bad_lines_are_rows_with_an_error(stream, tmp_path):
    half = tmp_path / "half.jpg"
    half.write_bytes(stream.photos[0].read_bytes()[:500])
    inside = Path(stream.settings.root) / "val"
    lines = {"absent": "none.jpg", "outside": "/etc/passwd", "up": "../../etc/passwd",
             "0": str(stream.photos[0]), "half": str(half), "folder": str(inside)}
    before = len(stream.rows())
    Path(stream.settings.manifests, ".hidden").write_text(
        "".join(f"{name}\t{path}\n" for name, path in lines.items()) + "\n\n")
    os.replace(Path(stream.settings.manifests, ".hidden"),
               Path(stream.settings.manifests, "bad.txt"))
    limit = time.monotonic() + SECONDS
    while len(rows := read_rows(stream.settings.rows)) < before + len(lines):
        assert time.monotonic() < limit
        time.sleep(0.1)
    errors = {row["id"]: row["error"] for row in rows if row["error"]}
    assert "No such file" in errors["absent"]
    assert "outside" in errors["outside"]
    assert "outside" in errors["up"]
    assert "outside" in errors["half"]
    assert "no regular file" in errors["folder"]
    assert "lists it again" in errors["0"]
    assert len(errors) == len(lines)
    # The books of the other tests are about good photos.
    stream.rows = lambda: [row for row in read_rows(stream.settings.rows) if not row["error"]]


@pytest.mark.parametrize("victim", ["streaming.model_process", "beam_boot", "TaskManagerRunner"])
def test_a_kill_loses_no_row_and_doubles_none(stream, victim):
    stream.give(150)
    stream.wait_for_rows(stream.given - 140)
    if victim == "TaskManagerRunner":
        # The one that has the job; the other is the spare.
        worker, = stream.processes("streaming.model_process")
        victims = [parent for parent in worker.parents() if victim in " ".join(parent.cmdline())]
        orphans = victims[0].children(recursive=True)
        victims[0].kill()
        assert orphans
    else:
        victims = stream.kill(victim)
        orphans = []
    rows = stream.settle()
    ids = [row["id"] for row in rows]
    assert sorted(map(int, ids)) == list(range(stream.given))
    _, alive = psutil.wait_procs([*victims, *orphans], timeout=30)
    assert alive == [], "an orphan is left"
    assert len(stream.processes("streaming.model_process")) == 1


@pytest.fixture(scope="module")
def another(finished_run, tmp_path_factory):
    """Folder of a served model that answers with the class after the one `frozen` answers with."""
    from src_mindspore.backbones.checkpoint import read_checkpoint, save_checkpoint
    folder = tmp_path_factory.mktemp("another")
    parameters, meta = read_checkpoint(finished_run.folder / "best.ckpt")
    values = {name: value.asnumpy() for name, value in parameters.items()}
    for name in ("dense.weight", "dense.bias"):
        values[name] = np.roll(values[name], 1, axis=0)
    save_checkpoint(values, folder / "best.ckpt", meta)
    return freeze_model(folder / "best.ckpt", "onnxruntime", folder)


def test_a_savepoint_is_resumed_with_another_model(stream, another):
    old, new = (read_json(folder / RECORD)["model_sha256"]
                for folder in (Path(stream.settings.model), another))
    assert old != new
    stream.give(150)
    stream.wait_for_rows(stream.given - 140)
    before = stream.job
    savepoint = before.stop()
    assert before.end() == "", "nothing of a stopped job runs on"
    assert newest_state(stream.settings.state).removeprefix("file://") == \
        savepoint.removeprefix("file:")
    done = {row["id"] for row in stream.rows()}
    stream.give(15)
    stream.settings = dataclasses.replace(stream.settings, model=str(another))
    stream.start(savepoint)
    # The JobManager still lists the stopped one, from the same folder.
    assert stream.job.id != before.id
    assert stream.job.rest.state(stream.job.id) == "RUNNING"
    rows = stream.settle()
    labels = {sha256: {} for sha256 in (old, new)}
    for row in rows:
        assert row["model_sha256"] == (old if row["id"] in done else new)
        labels[row["model_sha256"]][int(row["id"]) % len(stream.photos)] = row["label"]
    classes = len(Served(another).classes.english)
    assert len(labels[new]) == len(stream.photos)
    assert {(labels[new][photo] - labels[old][photo]) % classes for photo in labels[new]} == {1}


def test_a_copy_of_the_model_that_is_replaced_is_refused(stream, make_settings, frozen, tmp_path):
    """The running process keeps the old one; a new one refuses what lies there now."""
    copy = Path(shutil.copytree(frozen, tmp_path / "model"))
    network = copy / read_json(copy / RECORD)["file"]
    network.write_bytes(network.read_bytes()[:-1] + b"x")
    from src_mindspore.deploy.streaming.model_client import ModelClient, ModelRefused
    with pytest.raises(ModelRefused, match="was replaced.*refused"):
        ModelClient(stream.settings.python, str(PROJECT), str(copy))


def test_a_local_flink_answers_over_tcp(make_settings, drawn_data, tmp_path):
    photos = [path.read_bytes() for path in sorted((drawn_data / "val").glob("*/*"))]
    gateway = Gateway(tmp_path / "spool")
    job = launch.start_local(make_settings(
        source="socket", root=os.path.realpath(tmp_path / "spool"), parallelism=2,
        state=str(tmp_path / "state"), lines_port=gateway.lines_port, rows_port=gateway.rows_port))
    try:
        job.wait_until_running(SECONDS)
        warm_up(gateway.connect(), 2, job.check)
        gateway.open()
        rows = {row["sequence"]: row for row in send_photos(gateway.port, [*photos, b"noise"])}
        assert sorted(rows) == list(range(len(photos) + 1))
        assert all(rows[n]["label"] is not None for n in range(len(photos)))
        assert "not an image" in rows[len(photos)]["error"]
        processes = psutil.Process(job.process.pid).children(recursive=True)
        models = [p for p in processes if "model_process" in " ".join(p.cmdline())]
        assert len(models) == 2
        models[0].kill()
        again = {row["sequence"]: row for row in send_photos(gateway.port, photos * 3)}
        assert sorted(again) == list(range(3 * len(photos)))
        assert not any(row["error"] for row in again.values())
    finally:
        job.end()
        gateway.close()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
