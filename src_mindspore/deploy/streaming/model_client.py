"""Flink's side of the model process: started, asked, started again, ended."""
import contextlib
import os
import select
import subprocess
import time

from src_mindspore.deploy.streaming.frames import FrameError, read_message, write_message

START_SECONDS = 180
ANSWER_SECONDS = 30
# So often a photo is tried; a photo that ends the process every time must not end the stream.
TRIES = 3


class ModelRefused(RuntimeError):
    """The model process does not serve this model; the text says why."""


class ModelClient:
    """A model process and the pipe to it.

    Args:
        python: str, interpreter of the project's environment.
        project: str, the project's folder.
        folder: str, the frozen model, see `served.freeze_model`.
        answer_seconds: float; a process that says nothing for so long is ended.

    Attributes:
        model_sha256: str, of the model that answers.
        pid: int, of the process.
    """

    def __init__(self, python, project, folder, answer_seconds=ANSWER_SECONDS):
        self._command = [python, "-m", "src_mindspore.deploy.streaming.model_process", folder]
        self._project = project
        self._seconds = answer_seconds
        self._start()

    def _start(self):
        # What Flink sets for its own Python would lead this one to the wrong packages.
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("PYTHON", "_PYTHON", "PYFLINK", "FLINK"))}
        self._process = subprocess.Popen(self._command, cwd=self._project, env=environment,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        hello = self._read(START_SECONDS)
        if hello is None or "model_sha256" not in hello:
            self.close()
            raise ModelRefused(hello["fatal"] if hello else
                               f"the model process ended with code {self._process.returncode} "
                               "before it was ready; its output is in the TaskManager's log")
        self.model_sha256 = hello["model_sha256"]

    def ask(self, path):
        """Ask about one photo.

        Args:
            path: str, real path of the file.

        Returns:
            dict with `top5` or `error`.

        Raises:
            ModelRefused: the process had to be started again and refuses the model.
        """
        for _ in range(TRIES):
            with contextlib.suppress(OSError, ValueError, FrameError):
                write_message(self._process.stdin, {"path": path})
                answer = self._read(self._seconds)
                if answer is not None:
                    return answer
            self.close()
            self._start()
        return {"error": f"the model process ended or hung {TRIES} times at this photo"}

    def _read(self, seconds):
        """Return the next message, or None where none comes in time or the process has ended."""
        limit = time.monotonic() + seconds
        while self._process.poll() is None or select.select([self._process.stdout], [], [], 0)[0]:
            left = limit - time.monotonic()
            if left <= 0:
                return None
            if select.select([self._process.stdout], [], [], min(left, 1))[0]:
                with contextlib.suppress(FrameError):
                    return read_message(self._process.stdout)
                return None
        return None

    def close(self):
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
