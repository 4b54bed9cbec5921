"""A client of the gateway: photos out, rows in."""
import contextlib
import json
import select
import socket
import threading
import time

import cv2
import numpy as np

from src_mindspore.deploy.streaming.frames import to_frame
from src_mindspore.errors import LabError

WARM_UP = 32
LOOK_SECONDS = 1  # between two looks at whether an answer can still come


def send_photos(port, photos, rate=0.0, check=lambda: None):
    """Send photos over one connection and yield a row for each, in the order they are finished.

    Args:
        port: int, of a gateway on this machine.
        photos, rate, check: see `exchange`.

    Yields:
        dict, see `exchange`.
    """
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    yield from exchange(connection, photos, rate, check)


def exchange(connection, photos, rate=0.0, check=lambda: None):
    """Send photos over a connection and yield a row for each, in the order they are finished.

    Args:
        connection: socket to a gateway; it is closed at the end.
        photos: sequence of bytes.
        rate: float, photos a second; 0 sends as fast as the gateway reads.
        check: function called while no answer comes; raises where none can come any more.

    Yields:
        dict, as `rows.make_row` made it, with `sequence` (position in `photos`) and
        `total_milliseconds` (from the photo's last byte to its row, all of Flink included).

    Raises:
        LabError: the gateway refuses the connection or a photo.
    """
    def send():
        start = time.monotonic()
        with contextlib.suppress(OSError):  # the gateway has closed, and has said why
            for number, photo in enumerate(photos):
                if rate:
                    time.sleep(max(0, start + number / rate - time.monotonic()))
                connection.sendall(to_frame(photo))
            connection.shutdown(socket.SHUT_WR)

    with connection:
        threading.Thread(target=send, daemon=True).start()
        try:
            for row in _rows(connection, check):
                if row["sequence"] is None:
                    raise LabError(f"The gateway reads no further photo: {row['error']}.")
                yield row
        finally:
            # Wakes a sender that waits for room.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _rows(connection, check):
    """Yield the answers that come, until the gateway closes."""
    begun = b""
    while True:
        while not select.select([connection], [], [], LOOK_SECONDS)[0]:
            check()
        part = connection.recv(1 << 16)
        if not part:
            return
        *lines, begun = (begun + part).split(b"\n")
        yield from map(json.loads, lines)


def warm_up(connection, parallelism, check):
    """Send grey pictures until every model process has answered some.

    Flink calls a task running before its Python worker is there, and the first photos wake what is
    loaded lazily on the way: they take seconds.

    Args:
        connection: socket, see `Gateway.connect`.
        parallelism: int, model processes.
        check: see `exchange`.
    """
    # Photos go to processes by a hash of their id: so many leave none out.
    grey = cv2.imencode(".jpg", np.full((224, 224, 3), 128, np.uint8))[1].tobytes()
    for _ in exchange(connection, [grey] * (WARM_UP * parallelism), check=check):
        pass
