"""Which hand-ins are alike: equal files, weights that are nearly the same, the same mistakes.

A likeness is a fact to look at and no verdict: the same preset with the same seed gives the same
weights on every machine of a kind.
"""
import base64
import hashlib
import itertools
from pathlib import Path

import numpy as np

from config import KEYS
from lab.grading.protection import LIBRARY
from lab.grading.submissions import files_of
from src_mindspore.files import sha256_of

LEAST_FILE = 1_000  # bytes of a file worth comparing
LEAST_TENSOR = 1_024  # bytes
SAMPLES = 64  # values of a tensor that are kept
# Largest relative distance of two tensors. A copy with 1 % of noise is at 0.016. Honest heads that
# differ in their seed alone were at 0.13 (linear) and 0.7 (rbf) on drawn pictures; a linear head
# has one optimum, so long training on the same photos may bring honest ones nearer.
NEAR = 0.05
LEAST_SHARED_MISTAKES = 5
SHARED_MISTAKES = 0.8
WEIGHTS = (".ckpt", ".mindir", ".onnx", ".npy", ".npz", ".h5", ".pt", ".pth", ".safetensors",
           ".pkl", ".bin", ".tflite", ".ms")


def fingerprint(folder):
    """Describe a hand-in's files so that it can be compared when it is gone.

    Args:
        folder: Path.

    Returns:
        JSON-able dict: files (name to {size, sha256}), tensors (list of {bytes, sha256, samples}
        over all files of weights; samples is base64 of float32).
    """
    files, tensors = {}, []
    for name in files_of(folder):
        path = folder / name
        if path.stat().st_size < LEAST_FILE:
            continue
        files[name.as_posix()] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
        if path.suffix.lower() in WEIGHTS:
            tensors += [_sketch(blob) for blob in find_tensors(path.read_bytes())]
    return {"files": files, "tensors": tensors}


def find_tensors(data):
    """Find the raw tensors in a file of weights, without trusting it.

    Checkpoints, MindIR and ONNX are protobuf: a tensor's bytes are a leaf of its tree. Reading the
    tree needs no schema (https://protobuf.dev/programming-guides/encoding/) and runs no code. Any
    other file is one block.

    Args:
        data: bytes.

    Returns:
        list of memoryview, each of at least LEAST_TENSOR bytes, in the order of the file.
    """
    fields = _fields(memoryview(data))
    if fields is None:
        return [memoryview(data)]
    found, to_do = [], fields[::-1]
    while to_do:
        part = to_do.pop()
        inner = _fields(part)
        if inner is None:
            found.append(part)
        else:
            to_do += inner[::-1]
    return found


def _fields(data):
    """Return the large fields of a protobuf message, or None for bytes that are no message."""
    place, large = 0, []
    while place < len(data):
        tag, place = _varint(data, place)
        if tag is None or not tag >> 3 or tag >> 3 > 1 << 20:
            return None
        kind = tag & 7
        if kind == 0:
            value, place = _varint(data, place)
            if value is None:
                return None
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        elif kind == 2:
            size, place = _varint(data, place)
            if size is None or place + size > len(data):
                return None
            if size >= LEAST_TENSOR:
                large.append(data[place:place + size])
            place += size
        else:
            return None
    return large if place == len(data) else None


def _varint(data, place):
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    return None, place


def _sketch(blob):
    values = np.frombuffer(blob[:len(blob) // 4 * 4], np.float32)
    samples = values[np.linspace(0, len(values) - 1, min(SAMPLES, len(values))).astype(int)]
    return {"bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest(),
            "samples": base64.b64encode(samples.tobytes()).decode("ascii")}


def weight_distance(one, other):
    """Compare the weights of two fingerprints.

    Args:
        one, other: dicts of `fingerprint`.

    Returns:
        float, the largest relative distance ||a - b|| / ||a|| of two tensors, 0 for equal weights;
        None where the tensors have different sizes, or there are none.
    """
    ours, theirs = (sorted(f["tensors"], key=lambda t: t["bytes"]) for f in (one, other))
    if not ours or [t["bytes"] for t in ours] != [t["bytes"] for t in theirs]:
        return None
    largest = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if a["sha256"] == b["sha256"]:
            continue
        x, y = (np.frombuffer(base64.b64decode(t["samples"]), np.float32).astype(np.float64)
                for t in (a, b))
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            return None
        scale = max(np.linalg.norm(x), np.linalg.norm(y))
        largest = max(largest, np.linalg.norm(x - y) / scale if scale else 0.0)
    return float(largest)


def files_given_out():
    """Return the SHA-256 of every file that students have from the lab: library and weights."""
    weights = Path(KEYS["pretrained_ckpt"].default)
    return {sha256_of(path) for path in (*LIBRARY.rglob("*"), weights)
            if path.is_file() and "__pycache__" not in path.parts}


def compare(records, scores, given_out=()):
    """List hand-ins that are alike.

    Args:
        records: list of records.
        scores: list of Score of the same length.
        given_out: set of SHA-256 of files that everybody was given.

    Returns:
        list of dicts {names, what, detail}: groups of equal hand-ins ('all'), then pairs, in which
        a group stands with its first name: 'files' or 'weights', the stronger one that holds, and
        'mistakes' on top of it.
    """
    groups = {}
    for record, score in zip(records, scores, strict=True):
        groups.setdefault(record["sha256"], []).append((record, score))
    found = [{"names": [record["submission"] for record, _ in group], "what": "all", "detail": {}}
             for group in groups.values() if len(group) > 1]
    first = [group[0] for group in groups.values()]
    for (a, score_a), (b, score_b) in itertools.combinations(first, 2):
        for what, detail in _likeness(a, b, given_out, shared_mistakes(score_a, score_b)):
            found.append({"names": [a["submission"], b["submission"]], "what": what,
                          "detail": detail})
    return found


def _likeness(a, b, given_out, shared):
    equal = _equal_files(a, b, given_out)
    distance = weight_distance(a["fingerprint"], b["fingerprint"])
    if equal:
        # Equal weights say more than equal code around them.
        yield "files", {"files": [name for name in equal if name.lower().endswith(WEIGHTS)]
                        or equal}
    elif distance is not None and distance < NEAR:
        yield "weights", {"distance": distance}
    if shared:
        yield "mistakes", shared


def _equal_files(a, b, given_out):
    """Return the names, in `a`, of files that both have byte for byte."""
    theirs = {f["sha256"] for f in b["fingerprint"]["files"].values()} - set(given_out)
    return [name for name, f in a["fingerprint"]["files"].items() if f["sha256"] in theirs]


def shared_mistakes(a, b):
    """Compare the mistakes of two scores.

    Args:
        a, b: Score.

    Returns:
        dict {same, either}: photos where both gave the same wrong name, photos that either got
        wrong with a name; None where they share too few.
    """
    wrong_a, wrong_b = (
        {i: name for i, name in enumerate(score.names)
         if name is not None and not score.right[i]} for score in (a, b))
    same = sum(wrong_b.get(i) == name for i, name in wrong_a.items())
    either = len(wrong_a.keys() | wrong_b.keys())
    if same < LEAST_SHARED_MISTAKES or same < SHARED_MISTAKES * either:
        return None
    return {"same": same, "either": either}
