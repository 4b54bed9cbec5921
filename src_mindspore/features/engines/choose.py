"""Which engine computes: the asked-for one, or the fastest installed one that agrees."""
import json
import time
from pathlib import Path

import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.features.engines.onnxruntime_engine import OnnxRuntimeEngine
from src_mindspore.features.engines.openvino_engine import OpenVINOEngine
from src_mindspore.files import sha256_of, write_json
from src_mindspore.runtime import describe, read_cpu_flags

ACCELERATED = {cls.name: cls for cls in (OpenVINOEngine, OnnxRuntimeEngine)}
# How far features may be from MindSpore's float32 on the probe batch. float32: the largest
# difference, relative to the largest feature. bf16, which keeps 8 of 24 bits: 1 - cosine of the
# features of an image, twice what is usual on noise.
TOLERANCES = {"float32": 1e-3, "bf16": 1e-2}
BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
TIMED_CALLS = 3
# A library later in ACCELERATED, or MindSpore, is taken before an earlier one only if it is so many
# times as fast: on a busy machine a small lead is noise, and another engine gives other last bits.
CLEARLY = 1.5


def choose_engine(name, reference, folder, precision="float32"):
    """Return the engine to use, compared with MindSpore before it counts.

    Comparison and speed are kept beside the exported network: measured once for a network, a
    machine and the versions of the libraries, so that `auto` stays with its choice.

    Args:
        name: 'mindspore', 'openvino', 'onnxruntime', or 'auto': of those that are installed and
            agree with MindSpore the fastest; OpenVINO unless another is clearly faster.
        reference: MindSporeEngine, or another NetworkEngine.
        folder: Path, where exported networks are kept.
        precision: 'float32' or 'bf16'. bf16 is used only when asked for, because a prediction
            near a tie may change; 'auto' falls back to float32 where it cannot be had.

    Returns:
        Engine.

    Raises:
        LabError: the asked-for engine is not installed or disagrees, or does not have the
            precision here.
    """
    if precision == "bf16" and (missing := _why_no_bf16(name)):
        return _in_float32(name, reference, folder, missing)
    if name == "mindspore":
        return reference
    path = path_of_export(reference, folder)
    classes = [cls for key, cls in ACCELERATED.items()
               if name in ("auto", key) and precision in cls.precisions]
    probes = _probes(name, classes, reference, path, precision)
    agreeing = [key for key, probe in probes.items() if not probe["problem"]]
    if precision == "bf16" and not agreeing:
        return _in_float32(name, reference, folder, probes["openvino"]["problem"])
    if name != "auto" and name not in agreeing:
        raise LabError(f"The engine {name} cannot be used: {probes[name]['problem']}. Take "
                       f"--engine mindspore, or delete {path} and try again.")
    speeds = {key: probes[key]["images_per_second"] for key in (*ACCELERATED, reference.name)
              if key in agreeing and name in ("auto", key)}
    chosen = next(key for key, speed in speeds.items() if speed * CLEARLY >= max(speeds.values()))
    print(_sentence(chosen, probes, precision))
    if chosen == "mindspore":
        return reference
    return _load(ACCELERATED[chosen], reference, path, precision)


def path_of_export(reference, folder):
    """Return the Path of the reference's ONNX file in a folder of exported networks."""
    shape = "x".join(map(str, (reference.batch_size, *reference.input_shape)))
    return Path(folder) / f"{reference.identity}-{shape}.onnx"


def _why_no_bf16(name):
    """Say why an engine cannot compute in bf16 here, '' where it can."""
    able = [key for key, cls in ACCELERATED.items() if "bf16" in cls.precisions]
    if name not in ("auto", *able):
        return f"{name} computes in float32 only; bf16 needs --engine {' or '.join(able)}"
    if not BF16_FLAGS & read_cpu_flags():
        return ("this processor has no bfloat16 arithmetic (none of "
                f"{', '.join(sorted(BF16_FLAGS))} in its flags)")
    return ""


def _in_float32(name, reference, folder, reason):
    if name != "auto":
        raise LabError(f"--precision bf16 cannot be used with --engine {name}: {reason}. Take "
                       "--precision float32.")
    print(f"precision: float32, because {reason}")
    return choose_engine(name, reference, folder)


def _load(cls, reference, path, precision):
    """Return the engine of a class.

    Raises:
        LabError: it cannot be had; the text is the reason alone.
    """
    try:
        # The version first: an absent library needs no export.
        if cls.version() is None:
            raise ImportError
        return cls(reference, path, precision)
    except ImportError:
        raise LabError(f"it is not installed (pip install {cls.package})") from None
    except LabError:
        raise
    except Exception as error:  # a damaged file or an unsupported machine must not end the run
        reason = " ".join(str(error).split())[:300] or repr(error)
        raise LabError(f"it cannot run the exported network ({reason})") from None


def _probes(name, classes, reference, path, precision):
    """Return {engine: {'problem', 'disagreement', 'images_per_second'}}, kept or measured now.

    MindSpore is among them in float32.
    """
    record = path.with_suffix(f".{name}-{precision}.json")
    if precision == "bf16":
        # MindSpore's oneDNN reads its limit at its first use, and OpenVINO must be without it.
        reference(np.zeros((1, *reference.input_shape), np.float32))
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        if known["subject"] == _subject(path, classes):
            return known["probes"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not measured yet, or the note is damaged: measure
    batch = np.random.default_rng(0).uniform(
        -1, 1, (reference.batch_size, *reference.input_shape)).astype(np.float32)
    expected = reference(batch)
    engines, probes = {}, {}
    if precision == "float32":
        engines[reference.name] = reference
    for cls in classes:
        try:
            engines[cls.name] = _load(cls, reference, path, precision)
        except LabError as problem:
            probes[cls.name] = {"problem": str(problem)}
    keep = all(ACCELERATED[key].version() is None for key in probes)
    probes |= {key: _compare(engine(batch), expected, precision) for key, engine in engines.items()}
    seconds = {key: [] for key in engines}
    for _ in range(TIMED_CALLS):  # in turn, so that other work on the machine slows all alike
        for key, engine in engines.items():
            started = time.perf_counter()
            engine(batch)
            seconds[key].append(time.perf_counter() - started)
    for key, times in seconds.items():
        probes[key]["images_per_second"] = round(len(batch) / min(times), 1)
    if keep and path.exists():  # what failed may work next time
        write_json(record, {"subject": _subject(path, classes), "probes": probes})
    return probes


def _subject(path, classes):
    """Return what a record is about: with any of it changed, it is of no use."""
    return {"onnx_sha256": sha256_of(path), "processor": describe()["processor"],
            "cores": describe()["cores"],
            "versions": {c.name: [c.version(), c.revision] for c in classes}}


def _compare(features, expected, precision):
    """Return the problem and the disagreement of an engine's answer to the probe batch."""
    difference = DISAGREEMENTS[precision](features, expected)
    # A difference that is not a number is not within the tolerance either.
    problem = "" if difference <= TOLERANCES[precision] else (
        f"its features differ from MindSpore's by {difference:.1e} on a probe batch (allowed "
        f"{TOLERANCES[precision]:g})")
    return {"problem": problem, "disagreement": difference}


def largest_difference(features, expected):
    """Return the largest difference of a feature, relative to the largest feature."""
    return float(np.abs(features - expected).max() / np.abs(expected).max())


def cosine_distance(features, expected):
    """Return 1 - cosine of the features of the image where it is largest."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (features, expected))
    cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return float((1 - cosine).max())


DISAGREEMENTS = {"float32": largest_difference, "bf16": cosine_distance}


def _sentence(chosen, probes, precision):
    """Say in one line who computes, how fast, and why not another."""
    speeds = [f"{key} {probe['images_per_second']:.0f}" for key, probe in probes.items()
              if not probe["problem"]]
    refused = [f"{key} is not used, because {probe['problem']}" for key, probe in probes.items()
               if probe["problem"]]
    said = f"engine: {chosen}" + (f" in {precision}" if precision != "float32" else "")
    if chosen != "mindspore":
        said += f", within {probes[chosen]['disagreement']:.1e} of MindSpore on a probe batch"
    if len(speeds) > 1:
        said += f" (images/s: {', '.join(speeds)})"
    return "; ".join([said, *refused])
