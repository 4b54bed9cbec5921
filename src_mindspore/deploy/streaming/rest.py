"""Flink's REST interface, as far as a stream is watched and stopped through it."""
import json
import time
import urllib.error
import urllib.request

from src_mindspore.errors import LabError

ENDED = ("FINISHED", "FAILED", "CANCELED", "SUSPENDED")


class FlinkRest:
    """A JobManager.

    Args:
        address: str, host:port.
    """

    def __init__(self, address):
        self.address = address

    def ask(self, path, body=None, method=None):
        """Return the JSON answer of one request.

        Raises:
            LabError: nobody answers, or the answer is an error.
        """
        request = urllib.request.Request(
            f"http://{self.address}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or "{}")
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise LabError(f"Flink's JobManager at {self.address} refuses {path}: "
                           f"{text[:500]}") from error
        except (OSError, ValueError) as error:
            raise LabError(f"No JobManager of Flink answers at {self.address} "
                           f"({getattr(error, 'reason', error)}). Start one, or check the "
                           "address.") from error

    def is_up(self):
        """True when the JobManager answers."""
        try:
            self.ask("/overview")
        except LabError:
            return False
        return True

    def job_named(self, name):
        """Return the id of the newest job of a name, or None."""
        jobs = [job for job in self.ask("/jobs/overview")["jobs"] if job["name"] == name]
        return max(jobs, key=lambda job: job["start-time"])["jid"] if jobs else None

    def state(self, job):
        """Return the state of a job; RUNNING only once all its tasks run."""
        answer = self.ask(f"/jobs/{job}")
        tasks = {vertex["status"] for vertex in answer["vertices"]}
        return "STARTING" if answer["state"] == "RUNNING" and tasks - {"RUNNING", "FINISHED"} \
            else answer["state"]

    def restarts(self, job):
        """Return how often a job was restarted after a failure."""
        values = self.ask(f"/jobs/{job}/metrics?get=numRestarts")
        return int(values[0]["value"]) if values else 0

    def failure(self, job):
        """Return the last failure of a job in words, '' where there is none."""
        entries = self.ask(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return entries[0]["stacktrace"] if entries else ""

    def stop(self, job, folder, seconds=120):
        """Stop a job with a savepoint: everything read is written and visible.

        Args:
            job: str.
            folder: str, URI for the savepoint.
            seconds: float, how long to wait.

        Returns:
            str, URI of the savepoint.

        Raises:
            LabError: it failed or took too long; the job's checkpoints are still there.
        """
        trigger = self.ask(f"/jobs/{job}/stop", {"targetDirectory": folder, "drain": False})
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            answer = self.ask(f"/jobs/{job}/savepoints/{trigger['request-id']}")
            if answer["status"]["id"] == "COMPLETED":
                operation = answer["operation"]
                if "location" in operation:
                    return operation["location"]
                cause = operation.get("failure-cause", {}).get("stack-trace", "no reason given")
                raise LabError(f"The savepoint failed: {cause[:500]} The checkpoints of the job "
                               "are still there and can be resumed from.")
            time.sleep(0.1)
        raise LabError(f"The savepoint was not ready after {seconds:g} s. The checkpoints of the "
                       "job are still there and can be resumed from.")

    def cancel(self, job):
        """Cancel a job without a savepoint."""
        self.ask(f"/jobs/{job}?mode=cancel", {}, "PATCH")
