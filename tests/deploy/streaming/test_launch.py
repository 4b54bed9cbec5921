"""A job as its command sees it: started, watched, stopped, ended, gone on from."""
import os
import shlex
import subprocess
import types
from pathlib import Path

import pytest

from src_mindspore.deploy.streaming import __main__ as command
from src_mindspore.deploy.streaming import launch, served
from src_mindspore.deploy.streaming.launch import Job
from src_mindspore.deploy.streaming.resume import command_to_resume, newest_state, state_to_resume
from src_mindspore.deploy.streaming.settings import StreamSettings
from src_mindspore.errors import LabError

TRACE = "RuntimeException: task failed\n\tat Somewhere\nCaused by: OutOfMemoryError: heap\n\tat X"


class FakeRest:
    """A JobManager that tells one state after the other, the last for ever."""

    address = "flink:8081"

    def __init__(self, *states):
        self.states, self.cancelled = list(states), []

    def job_named(self, name):
        return "7" * 32 if name == "photos" else None

    def state(self, job):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "silent":
            raise LabError("No JobManager of Flink answers")
        return state

    def failure(self, job):
        return TRACE

    def stop(self, job, folder):
        return "file:/savepoint"

    def cancel(self, job):
        self.cancelled.append(job)


@pytest.fixture
def make_job(tmp_path):
    """Function from a FakeRest to a Job on a cluster, whose submission is over."""
    log = tmp_path / "job.log"
    log.write_text("submitted\n")

    def make(rest, source="watch", **overrides):
        process = subprocess.Popen(["true"])
        process.wait()
        settings = StreamSettings(source, "/m", "/r", "/model", "/rows", "jsonl", str(tmp_path),
                                  "/p", "/python", "/flink")
        return Job(settings, "photos", rest, process, log, local=False, **overrides)
    return make


def test_a_job_that_fails_at_the_start_says_why(make_job):
    with pytest.raises(LabError, match="The job failed: Caused by: OutOfMemoryError: heap"):
        make_job(FakeRest("silent", "STARTING", "FAILED")).wait_until_running(5)


def test_a_job_manager_may_be_silent_for_a_while(make_job):
    job = make_job(FakeRest("RUNNING", "silent", "silent", "RUNNING", "silent", "FINISHED"))
    job.wait_until_running(5)
    assert [job.ended() for _ in range(5)] == [False, False, False, False, True]
    job = make_job(FakeRest("RUNNING", "silent"), silence_seconds=0)
    job.wait_until_running(5)
    with pytest.raises(LabError, match="No JobManager"):
        job.ended()
    job = make_job(FakeRest("RUNNING", "silent", "FAILED"))
    job.wait_until_running(5)
    assert not job.ended()
    with pytest.raises(LabError, match="OutOfMemoryError"):
        job.ended()


def test_who_waits_for_answers_hears_that_the_job_is_over(make_job):
    job = make_job(FakeRest("RUNNING", "RUNNING", "CANCELED"))
    job.wait_until_running(5)
    job.check()
    with pytest.raises(LabError, match="ended before it had answered"):
        job.check()


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "RESTARTING"])
def test_a_job_of_a_cluster_ends_with_the_gateway_it_answers(make_job, state):
    """Also where the command ended before it knew the job's id."""
    rest = FakeRest(state)
    assert make_job(rest, "socket").end() == ""
    assert rest.cancelled == ["7" * 32]


def test_a_job_of_files_runs_on_and_that_is_said(make_job):
    rest = FakeRest("RUNNING")
    said = make_job(rest).end()
    assert rest.cancelled == []
    assert f"PATCH 'http://flink:8081/jobs/{'7' * 32}?mode=cancel'" in said
    assert make_job(FakeRest("FINISHED")).end() == ""
    assert make_job(FakeRest("INITIALIZING", "INITIALIZING", "FAILED")).end() == ""
    assert "unknown: No JobManager" in make_job(FakeRest("silent")).end()


@pytest.mark.parametrize("local", [True, False])
def test_a_flink_that_hangs_or_dies_after_its_savepoint_does_not_lose_it(
        make_job, monkeypatch, local):
    monkeypatch.setattr(launch, "STOP_SECONDS", 0.3)
    for states, code in (("RUNNING",), None), (("RUNNING", "FAILED"), 1):
        job = make_job(FakeRest(*states))
        job.wait_until_running(5)
        job.local = local
        job.process = types.SimpleNamespace(poll=lambda code=code: code, returncode=code)
        assert job.stop() == "file:/savepoint"


def test_a_job_that_was_stopped_has_ended(make_job):
    """A cluster tells the savepoint a little before it tells that the job is over."""
    job = make_job(FakeRest("RUNNING", "RUNNING", "RUNNING", "FINISHED"))
    job.wait_until_running(5)
    job.stop()
    assert job.end() == ""


def test_the_newest_complete_state_is_gone_on_from(tmp_path):
    tmp_path = tmp_path / "my 照片"
    with pytest.raises(LabError, match="holds no savepoint.*--out"):
        newest_state(tmp_path)
    places = ["checkpoints/a/chk-9", "checkpoints/a/chk-10", "savepoints/savepoint-1",
              "checkpoints/b/chk-1"]
    for moment, place in enumerate(places, 1):
        (tmp_path / place).mkdir(parents=True)
        metadata = tmp_path / place / "_metadata"
        metadata.write_bytes(b"")
        os.utime(metadata, ns=(moment, moment))
        assert newest_state(tmp_path) == f"file://{tmp_path / place}"
        assert state_to_resume("last", tmp_path) == newest_state(tmp_path)
        for name in (f"file://{tmp_path / place}", f"file:{tmp_path / place}", tmp_path / place):
            assert state_to_resume(str(name), tmp_path) == str(name)
    (tmp_path / "checkpoints" / "b" / "chk-2").mkdir()  # Flink was killed while it wrote this one
    assert newest_state(tmp_path).endswith("b/chk-1")
    for place in places:
        os.utime(tmp_path / place / "_metadata", ns=(1, 1))
    assert newest_state(tmp_path).endswith("savepoint-1")


def test_a_folder_that_is_no_state_is_refused_before_flink_starts(tmp_path):
    (tmp_path / "job" / "chk-3").mkdir(parents=True)
    for name in (f"file://{tmp_path}/job", f"file:{tmp_path}/job/chk-3", f"{tmp_path}/none"):
        with pytest.raises(LabError, match="holds no file _metadata"):
            state_to_resume(name, tmp_path)
    assert state_to_resume("", tmp_path) == ""
    assert state_to_resume("s3://bucket/chk-3", tmp_path) == "s3://bucket/chk-3"


def test_the_printed_command_goes_on_as_the_stream_was_started():
    argv = ["--watch", "/my photos/$new", "--root", "it's here", "--cluster", "flink:8081",
            "--format", "csv", "--parallelism", "3", "--engine", "onnxruntime",
            "--checkpoint_seconds", "0.5", "--limit_ms", "200"]
    args = command.parse(argv)
    text = command_to_resume(command.make_parser(), args, "/out folder", "file:/save point")
    words = shlex.split(text)
    assert words[1:3] == ["-m", "src_mindspore.deploy.streaming"]
    again = command.parse(words[3:])
    assert vars(again) == {**vars(args), "out": "/out folder", "resume": "file:/save point"}
    args = command.parse(["--list", "a.txt"])
    plain = command_to_resume(command.make_parser(), args, "/o", "s:/")
    assert shlex.split(plain)[3:] == ["--ckpt", "results/latest/best.ckpt", "--list", "a.txt",
                                      "--out", "/o", "--resume", "s:/"]


@pytest.mark.parametrize("when", ["load", "copy"])
def test_a_model_that_is_replaced_while_it_is_copied_is_refused(tmp_path, monkeypatch, when):
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"the one that was asked for")

    def replace():
        (tmp_path / "next").write_bytes(b"another one")
        os.replace(tmp_path / "next", path)

    def load(path, batch_size):
        if when == "load":
            replace()

    def copy(original, target):
        replace()
        Path(target).parent.mkdir(parents=True)
        Path(target).write_bytes(Path(original).read_bytes())

    monkeypatch.setattr("src_mindspore.model.load_model", load)
    monkeypatch.setattr(served, "_copy", copy)
    with pytest.raises(LabError, match="was replaced while"):
        served.freeze_model(path, "mindspore", tmp_path / "models")
    assert not list((tmp_path / "models").glob(f"*/{served.RECORD}"))
