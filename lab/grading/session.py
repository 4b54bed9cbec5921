"""One hand-in from start to end: a confined process, asked photo by photo, and a watchdog.

One loop does everything: sends pixels, collects answers, throws printed text away, looks at the
clock, the memory and the processes. Whatever the hand-in does ends in an answer or in `Ended`.
"""
import collections
import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time

from lab.grading.inside.wire import Decoder, WireError, pack
from lab.grading.limits import MEGABYTE
from lab.grading.protection import FIRST_USER, INSIDE, LIBRARY, readable_paths
from lab.grading.watchdog import Ended, Watchdog, tasks_of_this_user
from src_mindspore.evaluation.tables import printable
from src_mindspore.runtime import set_environment

TICK = 0.05  # seconds; how late a limit is noticed
KEPT_OUTPUT = 20_000  # bytes at each end
START_SECONDS = 60  # until the worker, still our own code, says hello
CHUNK, MOST_AT_ONCE = 1 << 16, 1 << 20
PAGE = 4096
PROBLEMS = ("exception", "type")
MOST_CHARACTERS = 200


class LaunchFailed(Exception):
    """The sandbox could not be built: the machine's fault, never the hand-in's."""


class Stopped(Exception):
    """Somebody stopped the grading."""


class Session:
    """A running hand-in; a context manager, whose end leaves no process and no file.

    Args:
        folder: Path of the hand-in, without links or special files.
        protection: Protection.
        limits: Limits.
        slot: int, which of the parallel places this is: decides the core and the user.
        stop: threading.Event that ends it from outside.

    Raises:
        LaunchFailed: on entering.
        Ended: on entering (the import), or from `ask`.
    """

    def __init__(self, folder, protection, limits, slot=0, stop=None):
        self.folder, self.protection, self.limits, self.slot = folder, protection, limits, slot
        self.import_seconds = None
        self._stop = stop or threading.Event()
        self._messages, self._status = collections.deque(), None
        self._printed, self._head, self._tail = 0, bytearray(), bytearray()
        self._hello = False

    def __enter__(self):
        self._selector = selectors.DefaultSelector()
        self._scratch = tempfile.mkdtemp(prefix="grade-")
        self._start()
        try:
            started = time.monotonic()
            if not self._wait(START_SECONDS, "no_start").get("hello"):
                raise LaunchFailed("the worker did not say hello")
            message = self._wait(self.limits.import_seconds, "import_time")
            if not message.get("ready"):
                raise Ended("import", kind=_line(message.get("kind")),
                            reason=_line(message.get("failed")))
            self.import_seconds = time.monotonic() - started
        except BaseException as error:
            self.__exit__()
            if isinstance(error, Ended) and (error.code == "no_start" or not self._hello):
                raise LaunchFailed(f"{error}\n{self.output}") from error
            raise
        return self

    def __exit__(self, *_):
        self.watchdog.end_all()
        self._process.kill()
        self._process.wait()
        self._drain(self._process.stdout.fileno(), self._take_output)
        for handle in self._handles:
            os.close(handle)
        self._process.stdout.close()
        self._selector.close()
        if self.protection.namespaces:
            os.rmdir(self._scratch)
        else:
            # Not shutil.rmtree: a hand-in may nest folders deeper than Python recurses.
            subprocess.run(["chmod", "-R", "u+rwX", self._scratch], check=False,
                           stderr=subprocess.DEVNULL)
            subprocess.run(["rm", "-rf", "--", self._scratch], check=False)

    @property
    def output(self):
        """The printed text, its middle left out where it is long."""
        gap = "\n[...]\n" if self._printed > 2 * KEPT_OUTPUT else ""
        return (self._head.decode("utf-8", "replace") + gap
                + self._tail.decode("utf-8", "replace"))

    def ask(self, number, image, seconds):
        """Ask about one photo.

        Args:
            number: int, repeated in the answer.
            image: (H, W, 3) uint8, C-contiguous.
            seconds: float, how long to wait.

        Returns:
            (answer, seconds): dict with 'name', or with 'problem' and 'reason' (str); float, from
            the last byte sent to the answer.

        Raises:
            Ended: no answer in time, or the process is gone or over a limit.
            Stopped: from outside.
        """
        head = pack({"photo": number, "shape": list(image.shape)})
        message = self._wait(seconds, "image_time", [memoryview(head), memoryview(image).cast("B")])
        took = time.monotonic() - self._sent
        if message.get("photo") != number:
            raise Ended("protocol")
        if message.get("problem") in PROBLEMS:
            return {"problem": message["problem"], "reason": _line(message.get("reason"))}, took
        if not isinstance(message.get("name"), str):
            raise Ended("protocol")
        return {"name": message["name"][:MOST_CHARACTERS]}, took

    def _start(self):
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._status_pipe, status = os.pipe()
        self._handles = [self._requests, self._answers, self._status_pipe]
        copied = sum(map(_bytes_on_disk, (self.folder, LIBRARY)))
        written = copied + self.limits.scratch_mb * MEGABYTE
        cores = sorted(os.sched_getaffinity(0))
        # The kernel counts all tasks of a user, but those of a user namespace apart.
        tasks = self.limits.processes + (0 if self.protection.namespaces else tasks_of_this_user())
        config = {
            "requests": requests, "answers": answers, "status": status,
            "namespaces": self.protection.namespaces, "landlock": bool(self.protection.landlock),
            "seccomp": self.protection.seccomp, "readable": readable_paths(),
            "user": FIRST_USER + self.slot
            if self.protection.as_root and self.protection.namespaces else None,
            "submission": str(self.folder.resolve()), "library": str(LIBRARY),
            "scratch": self._scratch, "scratch_bytes": written,
            "core": cores[self.slot % len(cores)],
            "limits": self.limits.for_kernel(written, tasks),
            "environment": _environment(),
            "command": [sys.executable, "-s", "-B", str(INSIDE / "worker.py"), str(requests),
                        str(answers)],
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(INSIDE / "launcher.py"), json.dumps(config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
            start_new_session=True, pass_fds=(requests, answers, status), cwd="/",
            env=_environment())
        for handle in (requests, answers, status):
            os.close(handle)
        self.watchdog = Watchdog(self._process.pid, self.limits,
                                 None if self.protection.namespaces else self._scratch, copied)
        self._decoder, self._status_decoder = Decoder(), Decoder()
        for handle, take in ((self._answers, self._take_answers),
                             (self._status_pipe, self._take_status),
                             (self._process.stdout.fileno(), self._take_output)):
            os.set_blocking(handle, False)
            self._selector.register(handle, selectors.EVENT_READ, take)
        os.set_blocking(self._requests, False)

    def _wait(self, seconds, code, outgoing=()):
        """Send, and go on until the next message; returns it."""
        deadline = time.monotonic() + seconds
        outgoing = collections.deque(outgoing)
        if outgoing:
            self._selector.register(self._requests, selectors.EVENT_WRITE, None)
        try:
            while outgoing or not self._messages:
                if self._stop.is_set():
                    raise Stopped
                if self._status is not None:
                    self._raise_end()
                now = time.monotonic()
                if now > deadline:
                    raise Ended(code, seconds=round(seconds, 1))
                self.watchdog.look(now)
                if self._printed > self.limits.output_mb * MEGABYTE:
                    raise Ended("output", limit_mb=self.limits.output_mb)
                for key, _ in self._selector.select(min(TICK, max(deadline - now, 0))):
                    if key.fd == self._requests:
                        self._send(outgoing)
                    else:
                        self._drain(key.fd, key.data, most=MOST_AT_ONCE)
        finally:
            if self._requests in self._selector.get_map():
                self._selector.unregister(self._requests)
        return self._messages.popleft()

    def _send(self, outgoing):
        while outgoing:
            try:
                count = os.write(self._requests, outgoing[0][:CHUNK])
            except BlockingIOError:
                return
            except BrokenPipeError:
                # The worker closed its end; its exit status follows, or the deadline.
                outgoing.clear()
                break
            outgoing[0] = outgoing[0][count:]
            if not outgoing[0]:
                outgoing.popleft()
        self._sent = time.monotonic()
        self._selector.unregister(self._requests)

    def _drain(self, handle, take, most=None):
        """Read what is there (about `most` bytes) and hand it to `take`; b'' at the end."""
        got = 0
        while most is None or got < most:
            try:
                data = os.read(handle, CHUNK)
            except BlockingIOError:
                return
            if not data:
                if handle in self._selector.get_map():
                    self._selector.unregister(handle)
                take(b"")
                return
            take(data)
            got += len(data)

    def _take_answers(self, data):
        for message in _decode(self._decoder, data):
            self._messages.append(message)
            # Noise may follow in the same read: it is the hand-in's, no longer the machine's fault.
            self._hello = True

    def _take_status(self, data):
        for message in _decode(self._status_decoder, data):
            self._status = message
        if not data and self._status is None:
            self._status = {"gone": True}

    def _take_output(self, data):
        self._printed += len(data)
        room = KEPT_OUTPUT - len(self._head)
        self._head += data[:room]
        self._tail = (self._tail + data[room:] if room > 0 else self._tail + data)[-KEPT_OUTPUT:]

    def _raise_end(self):
        # What it answered before it ended counts.
        self._drain(self._answers, self._take_answers, most=MOST_AT_ONCE)
        if self._messages:
            return
        if "failed" in self._status:
            raise LaunchFailed(self._status["failed"])
        code = self._status.get("exit")
        if code is None:
            raise Ended("vanished")
        raise Ended("crashed", signal=code - 128) if code > 128 else Ended("exited", status=code)


def _bytes_on_disk(folder):
    """Return what a copy of a folder takes: every file and folder fills whole pages."""
    return sum(PAGE + -(-path.lstat().st_size // PAGE) * PAGE for path in folder.rglob("*"))


def _environment():
    """Return the variables a hand-in sees: few, and the same for all."""
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", **one}
    set_environment(environment)
    return environment


def _decode(decoder, data):
    try:
        yield from decoder.feed(data)
    except WireError:
        raise Ended("protocol") from None


def _line(text):
    """Return what a hand-in says about itself as one printable line."""
    return " ".join(printable(text).split())[:MOST_CHARACTERS + 100]
