"""Files of the rows that a gateway gave over TCP: each answered photo stands in them once."""
import contextlib
import os
import threading
import time
from pathlib import Path

from src_mindspore.deploy.streaming import rows
from src_mindspore.files import explain_os_error

OPEN = ".open-"


class RowLog:
    """Writes rows as they are answered. A file appears under its name when it is complete and on
    disk; until then its name begins with a dot. Safe for several threads.

    A row is handed to the operating system before `add` returns, so a killed process loses none;
    what it left open gets its name from the next RowLog of the folder. When the machine itself
    fails, the rows of the last `seconds` may be gone.

    Args:
        folder: str or Path.
        format: 'jsonl', with all that a row holds, or 'csv', with `rows.COLUMNS`.
        seconds: float, age at which a file is completed.
        clock: function () -> float, seconds (replaced in tests).

    Raises:
        LabError: the folder cannot be written.
    """

    def __init__(self, folder, format, seconds, clock=time.monotonic):
        self._folder, self._format = Path(folder), format
        self._seconds, self._clock = seconds, clock
        self._to_line = rows.to_csv if format == "csv" else rows.to_json
        self._lock = threading.Lock()
        self._file = None
        self._problem = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for left in self._folder.glob(f"{OPEN}*"):
                _keep_whole_lines(left)
                self._show(left)
        except OSError as error:
            raise explain_os_error(error, self._folder) from error

    def add(self, row):
        """Write a row; where that fails, `tick` says so."""
        with self._lock:
            try:
                if self._file is None:
                    # In the order of time, also beside the files of an earlier command.
                    name = f"{OPEN}rows-{time.time_ns()}.{self._format}"
                    # Unbuffered: a row is with the operating system when `add` returns.
                    self._file = open(self._folder / name, "ab", buffering=0)  # noqa: SIM115
                    self._since = self._clock()
                _append(self._file, (self._to_line(row) + "\n").encode("utf-8"))
            except OSError as error:
                self._problem = self._problem or error

    def tick(self):
        """Complete the open file if it is old enough.

        Raises:
            LabError: a row could not be written.
        """
        with self._lock:
            if self._file is not None and self._clock() - self._since >= self._seconds:
                self._complete()
            self._check()

    def close(self):
        """Complete the open file.

        Raises:
            LabError: a row could not be written.
        """
        with self._lock:
            if self._file is not None:
                self._complete()
            self._check()

    def _check(self):
        if self._problem:
            raise explain_os_error(self._problem, self._folder) from self._problem

    def _complete(self):
        file, self._file = self._file, None
        try:
            with file:
                os.fsync(file.fileno())
            self._show(Path(file.name))
        except OSError as error:
            self._problem = self._problem or error

    def _show(self, path):
        os.replace(path, self._folder / path.name.removeprefix(OPEN))


def _append(file, line):
    """Write a line whole or not at all; an unbuffered write may take a part of it."""
    size = os.fstat(file.fileno()).st_size
    try:
        while line:
            line = line[file.write(line):]
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(size)
        raise


def _keep_whole_lines(path):
    """Cut off the line in which a process was killed."""
    data = path.read_bytes()
    with open(path, "rb+") as file:
        file.truncate(data.rfind(b"\n") + 1)
        os.fsync(file.fileno())
