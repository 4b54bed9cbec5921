"""A client of the gateway: photos out, rows in."""
import json
import socket
import threading
import time

import cv2
import numpy as np

from src_mindspore.deploy.streaming.frames import write_frame

WARM_UP = 32


def send_photos(port, photos, rate=0.0):
    """Send photos over one connection and yield a row for each, in the order they are finished.

    Args:
        port: int, of a gateway on this machine.
        photos: sequence of bytes.
        rate: float, photos a second; 0 sends as fast as the gateway reads.

    Yields:
        dict, as `rows.make_row` made it, with `sequence` (position in `photos`, or None where the
        gateway refuses the connection) and `total_milliseconds` (from the photo's last byte to its
        row, all of Flink included).
    """
    with socket.create_connection(("127.0.0.1", port)) as connection, \
            connection.makefile("rwb") as file:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send():
            start = time.monotonic()
            for number, photo in enumerate(photos):
                if rate:
                    time.sleep(max(0, start + number / rate - time.monotonic()))
                write_frame(file, photo)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        for line in file:
            yield json.loads(line)
        sender.join()


def warm_up(port, parallelism):
    """Send grey pictures until every model process has answered some.

    Flink calls a task running before its Python worker is there, and the first photos wake what is
    loaded lazily on the way: they take seconds.

    Args:
        port: int, of a gateway.
        parallelism: int, model processes.
    """
    # Photos go to processes by a hash of their id: so many leave none out.
    grey = cv2.imencode(".jpg", np.full((224, 224, 3), 128, np.uint8))[1].tobytes()
    for _ in send_photos(port, [grey] * (WARM_UP * parallelism)):
        pass
