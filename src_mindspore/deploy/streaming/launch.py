"""A job, started and looked after: in a local Flink inside one process, or on a cluster."""
import contextlib
import dataclasses
import os
import subprocess
import time
from pathlib import Path

import psutil

from src_mindspore.deploy.streaming.ancestors import killed_with_parent
from src_mindspore.deploy.streaming.machine import free_port
from src_mindspore.deploy.streaming.rest import ENDED, FlinkRest
from src_mindspore.deploy.streaming.settings import SMALL_BUFFERS, StreamSettings
from src_mindspore.errors import LabError
from src_mindspore.files import write_text

START_SECONDS = 180


@dataclasses.dataclass
class Job:
    """A job of Flink.

    Attributes:
        settings: StreamSettings.
        rest: FlinkRest of its JobManager.
        process: Popen of the local Flink, or of the submission.
        log: Path of what that printed.
        local: bool; Flink ends with the process.
        id: str, Flink's name for it, '' until it runs.
    """

    settings: StreamSettings
    rest: FlinkRest
    process: subprocess.Popen
    log: Path
    local: bool
    id: str = ""

    def wait_until_running(self, seconds=START_SECONDS):
        """Wait until every task runs, or a short job has ended.

        Raises:
            LabError: the job could not start.
        """
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.process.poll():
                raise LabError(f"The job could not be started: {self.last_words()}")
            with contextlib.suppress(LabError):
                self.id = self.id or self.rest.job_named(self.settings.name) or ""
                state = self.rest.state(self.id) if self.id else ""
                if state == "FAILED":
                    raise LabErrorOfJob(self.rest.failure(self.id))
                if state in ("RUNNING", *ENDED):
                    return
            if self.local and self.process.poll() == 0:
                return
            time.sleep(0.2)
        raise LabError(f"The job did not run within {seconds:g} s. {self.last_words()}")

    def ended(self):
        """True when the job is over.

        Raises:
            LabError: it failed for good, or its JobManager is gone.
        """
        if self.local:
            if self.process.poll() is None:
                return False
            if self.process.returncode:
                raise LabError(f"The job failed: {self.last_words()}")
            return True
        state = self.rest.state(self.id)
        if state == "FAILED":
            raise LabErrorOfJob(self.rest.failure(self.id))
        return state in ENDED

    def stop(self):
        """Stop with a savepoint; return its URI."""
        place = self.rest.stop(self.id, Path(self.settings.state, "savepoints").as_uri())
        if self.local:
            self.process.wait(60)
        return place

    def end(self):
        """End what this command started: the local Flink and all below it."""
        if self.process.poll() is None:
            end_tree(self.process.pid)
            self.process.wait()

    def last_words(self):
        """Return the line of the log that says why a job ended."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        causes = [line.strip() for line in lines
                  if line.lstrip().startswith(("Caused by:", "ModelRefused", "RuntimeError"))
                  or "ModelRefused" in line]
        return f"{(causes or lines or ['no output'])[-1][:600]} (all of it: {self.log})"


class LabErrorOfJob(LabError):
    """A job that failed for good."""

    def __init__(self, stacktrace):
        refusals = [line.split("ModelRefused:", 1)[1].strip()
                    for line in stacktrace.splitlines() if "ModelRefused:" in line]
        causes = [line for line in stacktrace.splitlines() if line.startswith("Caused by:")]
        first = stacktrace.splitlines()[:1]
        super().__init__(f"The job failed: {(refusals or causes or first or ['no reason'])[-1]}")


def start_local(settings, resume=""):
    """Start a Flink of one process and the job in it.

    Args:
        settings: StreamSettings.
        resume: str, URI of a savepoint or checkpoint; '' begins anew.

    Returns:
        Job.
    """
    port = free_port()
    temporary = Path(settings.state, "tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    job = _start(settings, f"127.0.0.1:{port}", resume, {
        **SMALL_BUFFERS, "rest.bind-address": "127.0.0.1", "jobmanager.bind-host": "127.0.0.1",
        "taskmanager.host": "127.0.0.1", "taskmanager.bind-host": "127.0.0.1",
        "io.tmp.dirs": str(temporary),
        "taskmanager.numberOfTaskSlots": str(settings.parallelism)})
    return dataclasses.replace(job, local=True)


def submit(settings, address, resume=""):
    """Hand the job to the JobManager of a cluster.

    Args:
        settings, resume: see `start_local`.
        address: str, host:port of its REST interface.

    Returns:
        Job.

    Raises:
        LabError: nobody answers there.
    """
    rest = FlinkRest(address)
    rest.ask("/overview")
    return _start(settings, address, resume, {
        "execution.target": "remote",
        "pipeline.jars": _python_jar(settings.flink_python).as_uri()})


def _start(settings, address, resume, configuration):
    host, port = address.rsplit(":", 1)
    configuration |= {"rest.address": host, "rest.port": port}
    if resume:
        configuration["execution.state-recovery.path"] = resume
    state = Path(settings.state)
    write_text(state / "settings.json", settings.to_json())
    log = state / "job.log"
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [settings.flink_python, "-m", "src_mindspore.deploy.streaming.job",
             str(state / "settings.json"), *(f"{k}={v}" for k, v in configuration.items())],
            cwd=settings.project, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            # Ctrl-C is answered by a savepoint, so it must not reach Flink.
            start_new_session=True, preexec_fn=killed_with_parent,
            env={**os.environ, "PYTHONPATH": settings.project,
                 # In a local Flink the workers would else be threads of one Python.
                 "_python_worker_execution_mode": "process"})
    return Job(settings, FlinkRest(address), process, log, local=False)


def _python_jar(flink_python):
    """Return the Path of Flink's own jar for Python jobs."""
    home = Path(flink_python).parent.parent
    return next(home.glob("lib/python*/site-packages/pyflink/opt/flink-python-*.jar"))


def end_tree(pid):
    """Kill a process and all its descendants; return when they are gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
