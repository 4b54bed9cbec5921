"""Messages on a pipe or a socket: four bytes of length, big-endian, then that many bytes."""
import json
import struct

LENGTH = struct.Struct("!I")
# More than any camera's JPEG takes.
MOST_BYTES = 32 * 1024 * 1024


class FrameError(ValueError):
    """What arrived is not a frame; the text says what was wrong, for people."""


def to_frame(data):
    """Return bytes as one frame, bytes."""
    return LENGTH.pack(len(data)) + data


def write_frame(file, data):
    """Write one frame to a binary file and flush it.

    Args:
        file: writable binary file.
        data: bytes.
    """
    file.write(to_frame(data))
    file.flush()


def read_frame(file, most=MOST_BYTES):
    """Read one frame.

    Args:
        file: readable binary file; blocks until the frame is whole.
        most: int, largest length that is believed. Nothing is reserved for a longer one.

    Returns:
        bytes, or None where the sender has closed between two frames.

    Raises:
        FrameError: empty, longer than `most`, or cut off.
    """
    head = file.read(LENGTH.size)
    if not head:
        return None
    if len(head) < LENGTH.size:
        raise FrameError(f"the connection ended inside a length ({len(head)} of 4 bytes)")
    size, = LENGTH.unpack(head)
    if not 0 < size <= most:
        raise FrameError(f"a length of {size:,} bytes was announced; expected 1 to {most:,}. Send "
                         "four bytes of length, big-endian, then the bytes of one photo")
    data = file.read(size)
    if len(data) < size:
        raise FrameError(f"the connection ended inside a photo ({len(data):,} of {size:,} bytes)")
    return data


def write_message(file, value):
    """Write a JSON-able value as one frame."""
    write_frame(file, json.dumps(value, ensure_ascii=False).encode("utf-8"))


def read_message(file):
    """Return the next value written by `write_message`, or None where the writer has closed."""
    data = read_frame(file)
    return None if data is None else json.loads(data)
