"""With this folder in PYTHONPATH a photo that holds MARK ends every Python that decodes it, as a
fault of a decoder would."""
import os
import signal

from PIL import Image

MARK = b"this photo ends its process"
_open = Image.open


def open_or_die(file, *args, **kwargs):
    if MARK in file.getvalue():
        os.kill(os.getpid(), signal.SIGKILL)
    return _open(file, *args, **kwargs)


Image.open = open_or_die
