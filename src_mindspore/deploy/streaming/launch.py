"""A job, started and looked after: in a local Flink inside one process, or on a cluster."""
import contextlib
import dataclasses
import os
import subprocess
import time
import uuid
from pathlib import Path

import psutil

from src_mindspore.deploy.streaming.ancestors import killed_with_parent
from src_mindspore.deploy.streaming.machine import free_port
from src_mindspore.deploy.streaming.rest import ENDED, FlinkRest
from src_mindspore.deploy.streaming.settings import SMALL_BUFFERS, StreamSettings, flink_uri
from src_mindspore.errors import LabError
from src_mindspore.files import write_text

START_SECONDS = 180
STOP_SECONDS, SETTLE_SECONDS = 60, 10
# A JobManager may be silent for so long, while another takes over or the network is down.
SILENCE_SECONDS = 30


@dataclasses.dataclass
class Job:
    """A job of Flink.

    Attributes:
        settings: StreamSettings.
        name: str, by which it is found at its JobManager; of this one submission.
        rest: FlinkRest of its JobManager.
        process: Popen of the local Flink, or of the submission.
        log: Path of what that printed.
        local: bool; Flink ends with the process.
        id: str, Flink's name for it, '' until it runs.
        silence_seconds: float, see `SILENCE_SECONDS`.
    """

    settings: StreamSettings
    name: str
    rest: FlinkRest
    process: subprocess.Popen
    log: Path
    local: bool
    id: str = ""
    silence_seconds: float = SILENCE_SECONDS
    _heard: float = 0.0

    def wait_until_running(self, seconds=START_SECONDS):
        """Wait until every task runs, or a short job has ended.

        Raises:
            LabError: the job could not start.
        """
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.process.poll():
                raise LabError(f"The job could not be started: {self.last_words()}")
            state = ""
            with contextlib.suppress(LabError):  # nobody answers yet
                self.id = self.id or self.rest.job_named(self.name) or ""
                state = self.rest.state(self.id) if self.id else ""
            if state == "FAILED":
                raise LabErrorOfJob(self.rest.failure(self.id))
            if state in ("RUNNING", *ENDED):
                self._heard = time.monotonic()
                return
            if self.local and self.process.poll() == 0:
                return
            time.sleep(0.2)
        raise LabError(f"The job did not run within {seconds:g} s. {self.last_words()}")

    def ended(self):
        """True when the job is over.

        Raises:
            LabError: it failed for good, or its JobManager has been silent for too long.
        """
        if self.local:
            if self.process.poll() is None:
                return False
            if self.process.returncode:
                raise LabError(f"The job failed: {self.last_words()}")
            return True
        try:
            state = self.rest.state(self.id)
        except LabError:
            if time.monotonic() - self._heard > self.silence_seconds:
                raise
            return False
        self._heard = time.monotonic()
        if state == "FAILED":
            raise LabErrorOfJob(self.rest.failure(self.id))
        return state in ENDED

    def stop(self):
        """Stop with a savepoint; return its URI."""
        place = self.rest.stop(self.id, flink_uri(Path(self.settings.state, "savepoints")))
        limit = time.monotonic() + STOP_SECONDS
        # The savepoint is complete, and stays so whatever comes; the job says a little later that
        # it has ended.
        with contextlib.suppress(LabError):
            while not self.ended() and time.monotonic() < limit:
                time.sleep(0.1)
        return place

    def check(self):
        """Refuse to wait any longer for what the job should do.

        Raises:
            LabError: see `ended`; or it has ended.
        """
        if self.ended():
            raise LabError(f"The job ended before it had answered. {self.last_words()}")

    def end(self):
        """End what works for this command alone: the local Flink and all below it, the submission,
        a cluster's job that answers a gateway of this machine.

        Returns:
            str, a sentence about what may run on, and how to end it; else ''.
        """
        if self.process.poll() is None:
            end_tree(self.process.pid)
            self.process.wait()
        if self.local:
            return ""
        try:
            self.id = self.id or self.rest.job_named(self.name) or ""
            limit = time.monotonic() + SETTLE_SECONDS
            # Where the start fails, the submission says so before the job does.
            while self.id and self.rest.state(self.id) == "INITIALIZING" \
                    and time.monotonic() < limit:
                time.sleep(0.1)
            if not self.id or self.rest.state(self.id) in ENDED:
                return ""
            if self.settings.source == "socket":
                self.rest.cancel(self.id)
                return ""
        except LabError as error:
            return f"what became of the job {self.id} on the cluster is unknown: {error}"
        return (f"the job runs on at {self.rest.address} and writes its rows. To end it: curl -X "
                f"PATCH 'http://{self.rest.address}/jobs/{self.id}?mode=cancel'; --resume last "
                "goes on from there.")

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
    state = Path(settings.state)
    # A JobManager still lists the jobs of earlier submissions from the same folder.
    name = f"classify photos, state in {state}, submission {uuid.uuid4().hex[:12]}"
    configuration["pipeline.name"] = name
    if resume:
        configuration["execution.state-recovery.path"] = resume
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
    return Job(settings, name, FlinkRest(address), process, log, local=False)


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
