"""The model process: answers about one photo at a time, over its standard input and output.

    python -m src_mindspore.deploy.streaming.model_process FOLDER

Flink's environment cannot hold MindSpore (protobuf and dill contradict), so Flink's worker starts
this in the project's environment. It begins with one message, `{"model_sha256": ...}` or
`{"fatal": ...}`; then every request, the path of a file, gets `{"top5": ...}` or `{"error": ...}`.
"""
import os
import sys

from src_mindspore.deploy.streaming.ancestors import die_with, identity_of
from src_mindspore.deploy.streaming.frames import read_message, write_message
from src_mindspore.errors import LabError


def main(argv):
    """Serve until the other side closes or dies."""
    parent = identity_of(os.getppid())
    die_with([parent] if parent else [(os.getppid(), -1)])
    requests = os.fdopen(os.dup(0), "rb")
    # Libraries print to standard output; nothing but messages may reach the other side.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        served = warm_up(argv[0])
    except LabError as error:
        write_message(answers, {"fatal": str(error)})
        return 2
    write_message(answers, {"model_sha256": served.record["model_sha256"]})
    while (request := read_message(requests)) is not None:
        write_message(answers, reply(served, request["path"]))
    return 0


def warm_up(folder):
    """Return the Served of a folder, checked, loaded and compiled."""
    import cv2
    import numpy as np

    from src_mindspore.deploy.streaming.served import Served
    served = Served(folder)
    served.check()
    served.answer(cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    return served


def reply(served, path):
    """Return the answer about one file; whatever is wrong with it is an `error`."""
    from src_mindspore.data.decode import BadImage
    try:
        return {"top5": served.answer_file(path)}
    except BadImage as error:
        return {"error": f"the photo {error}"}
    except Exception as error:  # one photo must not end the stream
        return {"error": f"{type(error).__name__}: {str(error)[:300]}"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
