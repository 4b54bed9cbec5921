"""A standalone cluster on this machine: one JobManager and some TaskManagers, all on 127.0.0.1.

    python -m src_mindspore.deploy.streaming.cluster

starts it and shows the address for `--cluster` until Ctrl-C. Every process it started is ended.
"""
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from src_mindspore.deploy.streaming import machine
from src_mindspore.deploy.streaming.ancestors import killed_with_parent
from src_mindspore.deploy.streaming.launch import end_tree
from src_mindspore.deploy.streaming.rest import FlinkRest
from src_mindspore.deploy.streaming.settings import SMALL_BUFFERS
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.files import write_text

START_SECONDS = 120
SLOTS = 2
# Memory of a process as Flink counts it; half of what its own configuration takes is enough here.
JOB_MANAGER_MEMORY, TASK_MANAGER_MEMORY = "1024m", "1280m"


class StandaloneCluster:
    """A context manager: the cluster runs inside and is gone behind.

    Args:
        folder: str or Path, for configuration, logs and temporary files.
        flink_python: str or Path, interpreter of Flink's environment.
        task_managers: int.

    Attributes:
        address: str, host:port of the JobManager's REST interface.
        rest: FlinkRest.
    """

    def __init__(self, folder, flink_python, task_managers=2):
        self.folder = Path(folder).resolve()
        self._home = next(Path(flink_python).parent.parent
                          .glob("lib/python*/site-packages/pyflink"))
        self._wanted = task_managers
        self._processes = []
        self._task_managers = []
        port = machine.free_port()
        self.address = f"127.0.0.1:{port}"
        self.rest = FlinkRest(self.address)

    def __enter__(self):
        self._configure()
        try:
            self._start("jobmanager")
            for _ in range(self._wanted):
                self.start_task_manager()
            self._wait()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    @property
    def task_managers(self):
        """Pids of the TaskManagers that were started, oldest first."""
        return [process.pid for process in self._task_managers]

    def start_task_manager(self):
        """Start one more TaskManager; return its pid."""
        process = self._start("taskmanager")
        self._task_managers.append(process)
        return process.pid

    def end(self):
        """End every process that was started, and what those started."""
        family = []
        for process in self._processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                family += psutil.Process(process.pid).children(recursive=True)
            end_tree(process.pid)
            process.wait()
        # Workers whose TaskManager was killed are nobody's children, and end by themselves.
        psutil.wait_procs(family, timeout=10)
        self._processes.clear()

    def _configure(self):
        """Write Flink's configuration: loopback alone, our own folders."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        # Without the options that open Java's modules Flink does not start.
        original = (self._home / "conf" / "config.yaml").read_text(encoding="utf-8")
        opens = next(line.strip() for line in original.splitlines()
                     if line.strip().startswith("all: --add-exports")).removeprefix("all: ")
        settings = {
            "env.java.opts.all": opens,
            "jobmanager.rpc.address": "127.0.0.1", "jobmanager.bind-host": "127.0.0.1",
            "jobmanager.rpc.port": machine.free_port(),
            "jobmanager.memory.process.size": JOB_MANAGER_MEMORY,
            "rest.address": "127.0.0.1", "rest.bind-address": "127.0.0.1",
            "rest.port": self.address.rpartition(":")[2],
            "taskmanager.host": "127.0.0.1", "taskmanager.bind-host": "127.0.0.1",
            "taskmanager.memory.process.size": TASK_MANAGER_MEMORY,
            "taskmanager.numberOfTaskSlots": SLOTS, "io.tmp.dirs": temporary,
            # A killed TaskManager is noticed after this long.
            "heartbeat.interval": 1000, "heartbeat.timeout": 8000, **SMALL_BUFFERS,
        }
        write_text(self.folder / "conf" / "config.yaml",
                   "".join(f"{name}: {value}\n" for name, value in settings.items()))
        log4j = (self._home / "conf" / "log4j-console.properties").read_text(encoding="utf-8")
        write_text(self.folder / "conf" / "log4j-console.properties", log4j)

    def _start(self, role):
        log = self.folder / f"{role}-{len(self._processes)}.log"
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [str(self._home / "bin" / f"{role}.sh"), "start-foreground"],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=killed_with_parent,
                env={**os.environ, "FLINK_CONF_DIR": str(self.folder / "conf"),
                     "FLINK_LOG_DIR": str(self.folder), "FLINK_HOME": str(self._home)})
        self._processes.append(process)
        return process

    def _wait(self):
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit:
            if any(process.poll() is not None for process in self._processes):
                break
            with contextlib.suppress(LabError):
                if self.rest.ask("/overview")["taskmanagers"] >= self._wanted:
                    return
            time.sleep(0.2)
        raise LabError(f"The cluster did not start within {START_SECONDS} s; its logs are in "
                       f"{self.folder}.")


def main(_):
    """Run a cluster until Ctrl-C."""
    machine.require_java()
    folder = Path("results") / "streams" / "cluster"
    with StandaloneCluster(folder, machine.require_flink()) as cluster:
        print(f"a cluster of one JobManager and two TaskManagers: --cluster {cluster.address}, or "
              f"in a browser http://{cluster.address}; Ctrl-C ends it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)
    print("\nended", flush=True)


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
