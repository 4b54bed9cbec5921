"""What a hand-in answered: asked once, written down, and taken up again by its key."""
import dataclasses
import time

from lab.grading.likeness import fingerprint
from lab.grading.photos import VIEWS
from lab.grading.session import Session
from lab.grading.submissions import Refused, hash_of, hash_of_refused, opened
from lab.grading.watchdog import Ended
from src_mindspore import runtime
from src_mindspore.errors import LabError
from src_mindspore.files import read_json, sha256_of_json

# Raise it when hand-ins are asked differently: older records are then asked again.
VERSION = 1
# A record: submission, file_name, sha256, key (str); answers and replays[view] (a list of N of
# None, {name} or {problem, reason}, in the order of the photos' paths); ended (None or {code,
# detail}); asked (photos answered before it ended); import_seconds, latency_ms, peak_memory_mb,
# cpu_seconds; output (str, for the teacher); fingerprint (see likeness.py).


def key_of(sha256, photos, protection, limits):
    """Return the SHA-256 of everything that decides a hand-in's answers."""
    return sha256_of_json([VERSION, sha256, photos.key, dataclasses.asdict(limits),
                           dataclasses.asdict(protection), runtime.describe()["packages"]])


def record_of(submission, photos, protection, limits, slot=0, stop=None, stored=None):
    """Ask a hand-in about every photo, then about the replays.

    Args:
        submission: Submission.
        photos: HiddenPhotos.
        protection, limits: Protection, Limits.
        slot: int, which of the parallel places.
        stop: threading.Event, or None.
        stored: Path of an earlier record, which is returned where its key is the same; or None.

    Returns:
        A record (JSON-able dict, see above).

    Raises:
        LaunchFailed, Stopped: nothing is known about the hand-in then.
    """
    try:
        with opened(submission) as folder:
            sha256 = hash_of(folder)
            start = _blank(submission, sha256, key_of(sha256, photos, protection, limits), photos)
            known = _stored(stored, start["key"])
            if known:
                return {**known, "submission": submission.name,
                        "file_name": submission.file_name}
            start["fingerprint"] = fingerprint(folder)
            return _ask(start, folder, photos, protection, limits, slot, stop)
    except Refused as refused:
        sha256 = hash_of_refused(submission.path)
        return {**_blank(submission, sha256, key_of(sha256, photos, protection, limits), photos),
                "ended": {"code": refused.code, "detail": refused.detail}}


def _stored(path, key):
    if path is None or not path.is_file():
        return None
    try:
        record = read_json(path)
    except LabError:
        return None  # asked again, and written anew
    return record if isinstance(record, dict) and record.get("key") == key else None


def _blank(submission, sha256, key, photos):
    return {"submission": submission.name, "file_name": submission.file_name,
            "sha256": sha256, "key": key,
            "answers": [None] * len(photos), "ended": None, "asked": 0, "replays": {},
            "replays_ended": None, "import_seconds": None, "latency_ms": [],
            "peak_memory_mb": None, "cpu_seconds": None, "output": "",
            "fingerprint": {"files": {}, "tensors": []}}


def _ask(record, folder, photos, protection, limits, slot, stop):
    """Fill a record; what ends the hand-in ends the asking."""
    session = Session(folder, protection, limits, slot, stop)
    try:
        with session:
            _ask_all(session, record, photos, limits)
            _replay(session, record, photos, limits)
    except Ended as ended:
        record["ended"] = {"code": ended.code, "detail": ended.detail}
    record["latency_ms"] = [round(ms, 2) for ms in record["latency_ms"]]
    return {**record, "import_seconds": session.import_seconds, "output": session.output,
            "peak_memory_mb": session.watchdog.peak_memory_mb,
            "cpu_seconds": session.watchdog.cpu_seconds}


def _ask_all(session, record, photos, limits):
    deadline = time.monotonic() + limits.total_seconds - session.import_seconds
    for number in photos.order.tolist():
        answer, seconds = _ask_before(deadline, session, number, photos.pixels(number), limits)
        if answer is None:
            raise Ended("total_time", seconds=limits.total_seconds)
        record["answers"][number] = answer
        record["asked"] += 1
        record["latency_ms"].append(seconds * 1000)


def _ask_before(deadline, session, number, image, limits):
    """Ask about one photo; (None, 0) where the deadline of all photos passes first."""
    left = deadline - time.monotonic()
    try:
        return session.ask(number, image, min(limits.image_seconds, max(left, 0)))
    except Ended as ended:
        if ended.code == "image_time" and left < limits.image_seconds:
            return None, 0.0
        raise


def _replay(session, record, photos, limits):
    """Ask again with what it may have wanted instead; a failure here costs nothing."""
    deadline = time.monotonic() + limits.replay_seconds
    # Who answers nothing gives nothing to learn from a replay.
    if all(answer.get("problem") == "exception" for answer in record["answers"]):
        return
    try:
        for view in VIEWS[1:]:
            answers = [None] * len(photos)
            for number in photos.order.tolist():
                answers[number], _ = _ask_before(deadline, session, number,
                                                 photos.pixels(number, view), limits)
                if answers[number] is None:
                    raise Ended("replay_time", seconds=limits.replay_seconds)
            record["replays"][view] = answers
    except Ended as ended:
        record["replays_ended"] = {"code": ended.code, "detail": ended.detail}
