"""The process that belongs to a hand-in: imports its main.py and asks `predict` photo by photo.

    python worker.py REQUESTS ANSWERS LIBRARY      (descriptors, folder; started by launcher.py)

Everything from the import on is the hand-in's own doing, so nothing here is relied on for safety:
the limits stand outside, and no truth is in this process.
"""
import importlib.util
import os
import sys
import traceback

import numpy as np
from wire import pack, read_exactly, read_message, write_all

MOST_CHARACTERS = 200


def main(requests, answers, library):
    """Import main.py of the working folder, then answer until the supervisor closes."""
    # Standard output may be a pipe, for which Python would keep lines back.
    sys.stdout.reconfigure(line_buffering=True)
    for handle in (requests, answers):
        os.set_inheritable(handle, False)
    # The hand-in's own files come first; the lab's library stands behind all that is installed.
    sys.path[0] = os.getcwd()
    sys.path.append(library)
    sys.modules.pop("wire")
    write_all(answers, pack({"hello": True}))
    try:
        predict = load_predict()
    except BaseException as error:  # sys.exit at import is a mistake like any other
        complain()
        write_all(answers, pack({"failed": reason_of(error), "kind": type(error).__name__}))
        return
    write_all(answers, pack({"ready": True}))
    while (message := read_message(requests)) is not None:
        height, width, channels = message["shape"]
        pixels = read_exactly(requests, height * width * channels)
        image = np.frombuffer(pixels, np.uint8).reshape(height, width, channels)
        write_all(answers, pack({"photo": message["photo"], **answer_of(predict, image)}))


def load_predict():
    """Return `predict` of main.py."""
    spec = importlib.util.spec_from_file_location("main", os.path.join(os.getcwd(), "main.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["main"] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "predict", None)):
        raise NameError("main.py defines no function predict(image)")
    return module.predict


def answer_of(predict, image):
    """Return {'name': str}, or {'problem': kind, 'reason': str}."""
    try:
        value = predict(image)
    except BaseException as error:
        complain()
        return {"problem": "exception", "reason": reason_of(error)}
    if isinstance(value, str):
        return {"name": str(value)[:MOST_CHARACTERS]}
    return {"problem": "type", "reason": f"{type(value).__name__} {shown(value)}"}


def reason_of(error):
    """Return an exception as one line: its type, its text, and where in the hand-in it arose."""
    here = [f for f in traceback.extract_tb(error.__traceback__)
            if f.filename.startswith(os.getcwd() + os.sep)]
    place = f" ({os.path.relpath(here[-1].filename)}, line {here[-1].lineno})" if here else ""
    return f"{type(error).__name__}: {shown(error)}"[:MOST_CHARACTERS] + place


def shown(value):
    """Return a value's text on one line; a value may fail even at that."""
    try:
        return " ".join(str(value).split())[:MOST_CHARACTERS]
    except BaseException:
        return ""


def complain():
    """Print the traceback; the supervisor keeps it for the teacher."""
    try:
        traceback.print_exc()
    except BaseException:
        return


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    finally:
        # Threads and exit handlers of the hand-in are not waited for.
        sys.stdout.flush()
        os._exit(0)
