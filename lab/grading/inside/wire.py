"""How supervisor and worker talk: a length, then that much JSON; a photo's pixels follow raw.

No pickle: what a hand-in sends is read as data and nothing else.
"""
import json
import os
import struct

LENGTH = struct.Struct("!I")
# The longest answer is a class name and a reason of one line; more is noise or an attack.
MOST_BYTES = 1 << 16


class WireError(ValueError):
    """What arrived is not a message."""


def pack(message):
    """Return the bytes of one message (a JSON-able dict)."""
    data = json.dumps(message).encode("ascii")
    return LENGTH.pack(len(data)) + data


def write_all(handle, data):
    """Write all of `data` to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view):]


def read_exactly(handle, size):
    """Return `size` bytes as a bytearray, or None where the other side has closed."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = os.readv(handle, [view])
        if not count:
            return None
        view = view[count:]
    return data


def read_message(handle):
    """Return the next message of a trusted sender, or None where it has closed."""
    head = read_exactly(handle, LENGTH.size)
    body = head and read_exactly(handle, LENGTH.unpack(head)[0])
    return json.loads(body) if body else None


class Decoder:
    """Collects bytes of an untrusted sender into messages."""

    def __init__(self):
        self._data = bytearray()

    def feed(self, data):
        """Take some bytes; yield the messages (dicts) that are complete now.

        Raises:
            WireError: too long, not JSON, or not an object; what came before it is yielded.
        """
        self._data += data
        while len(self._data) >= LENGTH.size:
            size, = LENGTH.unpack_from(self._data)
            if size > MOST_BYTES:
                raise WireError(f"a message of {size} bytes")
            if len(self._data) < LENGTH.size + size:
                break
            try:
                message = json.loads(self._data[LENGTH.size:LENGTH.size + size])
            except (ValueError, RecursionError):
                raise WireError("a message that is not JSON") from None
            if not isinstance(message, dict):
                raise WireError("a message that is not an object")
            del self._data[:LENGTH.size + size]
            yield message
