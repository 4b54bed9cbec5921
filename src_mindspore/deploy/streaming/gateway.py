"""The way in and out for photos on a socket: bounded, and one answer for each photo.

A client sends frames (four bytes of length, big-endian, then the bytes of one photo) and gets one
line of JSON for each, in the order they are finished; `sequence` counts the client's frames from 0.

Flink reads lines from one port of the gateway and writes rows to another. Photos lie in a spool
folder until they are answered. When Flink comes back after a failure, everything unanswered is sent
again; a second row for a photo is dropped. So an answer is given exactly once while the gateway
lives.
"""
import contextlib
import json
import os
import queue
import select
import socket
import threading
import time
import uuid
from pathlib import Path

from src_mindspore.deploy.streaming.frames import LENGTH, FrameError, read_frame

# Photos on their way. A client that sends faster waits: its bytes stay in its own socket.
MOST_WAITING = 64
MOST_CLIENTS = 16
# A client that stops in the middle of a photo for so long is sent away.
SILENCE_SECONDS = 30
FAREWELL_SECONDS, FAREWELL_BYTES = 1, 1 << 20
ACCEPT_AGAIN_SECONDS = 0.1


class Gateway:
    """Listens for clients and for Flink; on 127.0.0.1 alone. Clients that come before `open` wait.

    Args:
        spool: str or Path, an empty folder for photos on their way, visible to the model processes.
        port, lines_port, rows_port: int; 0 takes a free one.
        most_waiting: int, photos on their way at once.
        silence_seconds: float, see `SILENCE_SECONDS`.

    Attributes:
        on_row: function called with every answer before its client gets it; to be set.
        port, lines_port, rows_port: int, those that are listened on.
        duplicates: int, rows that were dropped.
    """

    def __init__(self, spool, port=0, lines_port=0, rows_port=0, most_waiting=MOST_WAITING,
                 silence_seconds=SILENCE_SECONDS):
        self._spool = Path(spool)
        self._spool.mkdir(parents=True, exist_ok=True)
        self._silence = silence_seconds
        self.on_row = lambda row: None
        self._most_waiting = most_waiting
        self._room = threading.BoundedSemaphore(most_waiting)
        self._clients = threading.BoundedSemaphore(MOST_CLIENTS)
        self._lock = threading.Lock()
        self._waiting = {}  # id -> (client, sequence, line, arrived), oldest first
        self._to_flink = None  # queue of the connection that is current
        self.duplicates = 0
        self._problem = ""
        self._listeners = []
        try:
            self._public = self._listen(port)
            self.port = self._public.getsockname()[1]
            self.lines_port = self._accept(self._listen(lines_port), self._give_lines)
            self.rows_port = self._accept(self._listen(rows_port), self._take_rows)
        except BaseException:
            self.close()
            raise

    def open(self):
        """Serve clients, first those that have waited; once."""
        self._accept(self._public, self._serve_client)

    def connect(self):
        """Return a socket to this gateway for a client in this process; also before `open`."""
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(self._serve_client, ours), daemon=True).start()
        return theirs

    def look(self):
        """Return a sentence when photos could not be kept since the last look, else ''."""
        problem, self._problem = self._problem, ""
        return problem and f"{problem} Its client was told and sent away; others are served."

    def close(self):
        """Stop listening; connections end with the process or with their other side."""
        for listener in self._listeners:
            # Wakes the thread that waits in accept().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    @property
    def waiting(self):
        """Number of photos on their way."""
        return len(self._waiting)

    def _listen(self, port):
        listener = socket.create_server(("127.0.0.1", port))
        self._listeners.append(listener)
        return listener

    def _accept(self, listener, serve):
        """Serve every connection by a thread; return the port."""
        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    if listener.fileno() < 0:
                        return  # closed
                    # No descriptor is free, or the client is gone already: others will come.
                    time.sleep(ACCEPT_AGAIN_SECONDS)
                    continue
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(serve, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    @staticmethod
    def _serve(serve, connection):
        # A connection that breaks is the other side's decision.
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def _serve_client(self, connection):
        client = _Client(connection, self._most_waiting)
        try:
            if self._clients.acquire(blocking=False):
                try:
                    self._read_photos(client, _Patient(connection, self._silence))
                finally:
                    self._clients.release()
            else:
                client.refuse(f"{MOST_CLIENTS} clients are connected already; try later")
        finally:
            client.finish()
        # Closing with unread bytes would take back the last answer; so a little more is read.
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            _Patient(connection, FAREWELL_SECONDS).read(FAREWELL_BYTES)

    def _read_photos(self, client, file):
        """Send a client's photos to Flink until it closes or breaks the protocol."""
        while True:
            try:
                data = read_frame(file)
            except TimeoutError:
                client.refuse(f"nothing came for {self._silence:g} s in the middle of a photo")
                return
            except FrameError as error:
                # The next length cannot be found any more, so the connection ends here.
                client.refuse(str(error))
                return
            if data is None:
                return
            arrived = time.perf_counter()
            client.room.acquire()
            self._room.acquire()
            try:
                self._send(client, data, arrived)
            except OSError as error:
                self._room.release()
                client.room.release()
                self._problem = (f"A photo of {len(data):,} bytes could not be kept in "
                                 f"{self._spool}: {error.strerror}.")
                client.refuse(f"the photo could not be kept: {error.strerror}; send it again later")
                return

    def _send(self, client, data, arrived):
        identity = uuid.uuid4().hex
        path = self._spool / identity
        try:
            path.write_bytes(data)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        line = f"{identity}\t{path.resolve()}\n"
        with self._lock:
            self._waiting[identity] = (client, client.take_number(), line, arrived)
            if self._to_flink is not None:
                self._to_flink.put(line)

    def _give_lines(self, connection):
        """Send lines to Flink, first those that were given to a job that failed."""
        lines = queue.SimpleQueue()
        with self._lock:
            for _, _, line, _ in self._waiting.values():
                lines.put(line)
            self._to_flink, before = lines, self._to_flink
        if before is not None:
            before.put(None)
        try:
            while (line := lines.get()) is not None:
                connection.sendall(line.encode("utf-8"))
        finally:
            with self._lock:
                if self._to_flink is lines:
                    self._to_flink = None

    def _take_rows(self, connection):
        with connection.makefile("r", encoding="utf-8") as file:
            for text in file:
                if not text.endswith("\n"):
                    return  # cut off by a failure; it will come again
                row = json.loads(text)
                with self._lock:
                    client, sequence, _, arrived = self._waiting.pop(
                        row["id"], (None, None, None, None))
                if client is None:
                    self.duplicates += 1
                    continue
                with contextlib.suppress(OSError):
                    os.unlink(self._spool / row["id"])
                self._room.release()
                row |= {"sequence": sequence, "path": "",
                        "total_milliseconds": round((time.perf_counter() - arrived) * 1000, 3)}
                self.on_row(row)
                client.answer(row)


class _Patient:
    """Reads a socket as `read_frame` does, and gives up in the middle of a frame, never between."""

    def __init__(self, connection, seconds):
        self._connection, self._seconds = connection, seconds

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            between = size == LENGTH.size and not data
            if not select.select([self._connection], [], [], None if between else self._seconds)[0]:
                raise TimeoutError
            part = self._connection.recv(min(size - len(data), 1 << 18))
            if not part:
                break
            data += part
        return bytes(data)


class _Client:
    """One connection that sends photos. A thread of its own writes the answers, so a client that
    does not read them stops nobody but itself.

    Attributes:
        room: semaphore, answers that it has not taken yet.
    """

    def __init__(self, connection, most_waiting):
        self.room = threading.Semaphore(most_waiting)
        self._connection = connection
        self._sent = 0
        self._answers = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def take_number(self):
        """Return the number of the photo that was just read."""
        self._sent += 1
        return self._sent - 1

    def answer(self, row):
        """Send the row of a photo."""
        self._answers.put(row)

    def refuse(self, error):
        """Say why no further photo is read."""
        self._answers.put({"sequence": None, "error": error})

    def finish(self):
        """Wait until every photo that was read has its answer."""
        self._answers.put(None)
        self._writer.join()

    def _write(self):
        answered, last = 0, False
        while not (last and answered == self._sent):
            row = self._answers.get()
            if row is None:
                last = True
                continue
            # A client that is gone misses its answers.
            with contextlib.suppress(OSError):
                self._connection.sendall((json.dumps(row, ensure_ascii=False) + "\n")
                                         .encode("utf-8"))
            if row["sequence"] is not None:
                answered += 1
                self.room.release()
