"""What a stream is told: one value that travels from the command to Flink's workers as JSON."""
import dataclasses
import json
from pathlib import Path

# Below this share of a second Flink's file source would look at the folder all the time.
DISCOVERY_MS = 200
# For the configuration of TaskManagers. Lines wait in the source, where they cost nothing, and not
# in network buffers in front of the model, where every checkpoint would wait behind them.
SMALL_BUFFERS = {
    "taskmanager.network.memory.buffers-per-channel": "1",
    "taskmanager.network.memory.floating-buffers-per-gate": "1",
    "taskmanager.memory.segment-size": "4 kb",
    "taskmanager.memory.min-segment-size": "256 b",
}


def flink_uri(path):
    """Return the URI of an absolute path as Flink reads it, str: a space is a space, where
    `Path.as_uri` writes %20, which Flink would take for a part of the name.
    """
    return f"file://{path}"


@dataclasses.dataclass(frozen=True)
class StreamSettings:
    """The settings of one job; every path is absolute.

    Attributes:
        source: 'list' (one manifest, then the job ends), 'watch' (a folder into which manifests
            are renamed) or 'socket' (lines from a gateway, rows back to it).
        manifests: str, the manifest or the watched folder; '' for a socket.
        root: str, real path of the folder outside of which no photo is read.
        model: str, folder of the frozen model.
        rows: str, folder of the row files; '' for a socket.
        format: 'jsonl' or 'csv', of the row files.
        state: str, folder of checkpoints and savepoints.
        project: str, the project's folder.
        python: str, interpreter that has MindSpore.
        flink_python: str, interpreter that has Flink.
        lines_port, rows_port: int, where a gateway gives lines and takes rows; 0 without one.
        parallelism: int, model processes.
        checkpoint_seconds: float, between two checkpoints; rows become visible at each.
    """

    source: str
    manifests: str
    root: str
    model: str
    rows: str
    format: str
    state: str
    project: str
    python: str
    flink_python: str
    lines_port: int = 0
    rows_port: int = 0
    parallelism: int = 1
    checkpoint_seconds: float = 1.0

    def to_json(self):
        """Return the settings as one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text):
        """Return the settings that `to_json` wrote."""
        return cls(**json.loads(text))

    def flink_configuration(self):
        """Return the keys of Flink's configuration that the job depends on, as dict of str."""
        return {
            # Bundles of the default 100,000 elements or 1 s would make every photo wait for others.
            "python.fn-execution.bundle.size": "1",
            # By default a record waits up to 100 ms for others to fill a network buffer.
            "execution.buffer-timeout.interval": "0 ms",
            # Thread mode loads Python into the JVM and crashes.
            "python.execution-mode": "process",
            "python.executable": self.flink_python,
            "python.client.executable": self.flink_python,
            "python.pythonpath": self.project,
            "execution.checkpointing.interval": f"{int(self.checkpoint_seconds * 1000)} ms",
            "execution.checkpointing.mode": "EXACTLY_ONCE",
            "execution.checkpointing.dir": flink_uri(Path(self.state, "checkpoints")),
            "execution.checkpointing.savepoint-dir": flink_uri(Path(self.state, "savepoints")),
            # What a lost JobManager or Ctrl-C leaves behind can be resumed from.
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            # Ten failures in five minutes are a fault that restarts do not mend.
            "restart-strategy.type": "failure-rate",
            "restart-strategy.failure-rate.max-failures-per-interval": "10",
            "restart-strategy.failure-rate.failure-rate-interval": "5 min",
            "restart-strategy.failure-rate.delay": "1 s",
        }
