"""A frozen copy of a model for a stream, and the engines that answer with it.

A stream outlives the file it was started with: somebody trains again, and `results/latest` points
elsewhere. So the job gets a copy, named by its hash, and every model process that starts, also
hours later, serves that copy or nothing.
"""
import functools
import shutil
from pathlib import Path

import numpy as np
from scipy.special import softmax

from src_mindspore.activation import undo_activation
from src_mindspore.data.classes import ClassNames
from src_mindspore.data.decode import decode, read_file
from src_mindspore.data.preprocess import PreprocessSpec, preprocess
from src_mindspore.errors import LabError
from src_mindspore.files import read_json, replacing, sha256_of, write_json
from src_mindspore.runtime import import_openvino

ENGINES = ("mindspore", "onnxruntime", "openvino")
# Largest difference of a logit from MindSpore's, relative to the largest logit or 1.
TOLERANCE = 1e-3
PROBES = 4
RECORD = "served.json"


def freeze_model(path, engine, folder):
    """Copy a model, check the engine against MindSpore, and record both.

    Args:
        path: str or Path of a checkpoint or of a MindIR.
        engine: one of `ENGINES`, or 'auto': OpenVINO, else ONNX Runtime, else MindSpore,
            whichever comes first of those that agree with MindSpore.
        folder: str or Path; the copy goes to <folder>/<hash>-<engine>.

    Returns:
        Path of the copy.

    Raises:
        LabError: no such model, or the engine disagrees with MindSpore.
    """
    path = Path(path)
    if not path.is_file():
        raise LabError(f"There is no model {path}. Expected best.ckpt of a run, for example "
                       "results/latest/best.ckpt, or an exported MindIR.")
    digest = sha256_of(path)
    for name in (("openvino", "onnxruntime", "mindspore") if engine == "auto" else (engine,)):
        copy = Path(folder) / f"{digest[:16]}-{name}"
        if not (copy / RECORD).exists():
            problem = _make_copy(path, digest, name, copy)
            if problem and engine != "auto":
                raise LabError(f"The engine {name} cannot serve {path}: {problem}. Take "
                               "--engine mindspore.")
            if problem:
                print(f"engine: {name} is not used, because {problem}", flush=True)
                continue
        Served(copy).check()
        return copy
    raise LabError(f"No engine can serve {path}.")


def _make_copy(path, digest, engine, copy):
    """Fill the folder of a copy; the record comes last. Return a problem in words, or ''."""
    from src_mindspore import runtime
    runtime.start()
    from src_mindspore.model import load_mindir, load_model, sidecar_of

    mindir = path.suffix == ".mindir"
    if mindir and engine != "mindspore":
        return "an accelerated engine needs the checkpoint, not a MindIR"
    model = load_mindir(path) if mindir else load_model(path, batch_size=1)
    _require(path, path, digest)
    if engine == "mindspore":
        for original in (path, sidecar_of(path)) if mindir else (path,):
            _copy(original, copy / original.name)
        file = copy / path.name
        _require(file, path, digest)
    else:
        file = copy / "network.onnx"
        reason = _write_onnx(path, digest, model, file)
        if reason:
            return reason
    record = {"engine": engine, "file": file.name, "file_sha256": sha256_of(file),
              "model": str(path.resolve()), "model_sha256": digest,
              "preprocess": model.preprocess.to_dict(), "classes": model.classes.to_dict(),
              "temperature": model.temperature, "activation": model.meta["head"]["activation"]}
    if engine != "mindspore":
        try:
            difference = _disagreement(_ONNX[engine](file), model)
        except Exception as error:  # an unsupported machine or operator raises many types
            return f"it cannot run the exported network ({str(error).splitlines()[0][:200]})"
        if not difference <= TOLERANCE:
            return (f"its answers differ from MindSpore's by {difference:.1e} of the largest "
                    f"(allowed {TOLERANCE:g})")
        record["disagreement"] = difference
        print(f"engine: {engine}, within {difference:.1e} of MindSpore on a probe batch",
              flush=True)
    write_json(copy / RECORD, record)
    return ""


def _require(file, path, digest):
    """Refuse bytes of another model than the one that was asked for."""
    if sha256_of(file) != digest:
        raise LabError(f"{path} was replaced while the stream made its copy of it (SHA-256 was "
                       f"{digest[:16]}...). Start the stream again to take the new model.")


def _copy(original, path):
    with replacing(path) as temporary:
        shutil.copyfile(original, temporary)


def _write_onnx(path, digest, model, file):
    """Take the ONNX file that the run exported and compared, or export one; says why not, or ''."""
    exported, sidecar = path.with_suffix(".onnx"), path.with_suffix(".json")
    if exported.exists() and sidecar.exists():
        stated = read_json(sidecar)
        if stated.get("checkpoint_sha256") == digest:
            _copy(exported, file)
            if stated.get("onnx_sha256") == sha256_of(file):
                return ""
    import mindspore as ms

    from src_mindspore.backbones.export import NotExportable, export_network
    example = ms.Tensor(np.zeros((1, *model.preprocess.input_shape), np.float32))
    try:
        export_network(model.network, example, file, "ONNX")
    except NotExportable as error:
        return str(error)
    return ""


def _disagreement(outputs, model):
    """Return the largest difference from MindSpore on noise, in units of the largest or of 1."""
    noise = np.random.default_rng(0).integers(0, 256, (PROBES, 300, 300, 3), np.uint8)
    images = np.stack([preprocess(image, model.preprocess) for image in noise])
    expected = model.outputs(images)
    answer = np.concatenate([outputs(image[None]) for image in images])
    return float(np.abs(answer - expected).max() / max(1, np.abs(expected).max()))


class Served:
    """A frozen copy, asked about one photo at a time.

    Args:
        folder: str or Path, as `freeze_model` returned it.

    Attributes:
        record: dict, what was recorded about it.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.record = read_json(self.folder / RECORD)
        self.classes = ClassNames.from_dict(self.record["classes"])

    @property
    def file(self):
        """Path of the network that is run."""
        return self.folder / self.record["file"]

    def check(self):
        """Refuse a copy whose network was replaced.

        Raises:
            LabError: absent, or of another hash than recorded.
        """
        if not self.file.exists():
            raise LabError(f"The stream's own copy of the model, {self.file}, is gone. Start the "
                           "stream again.")
        digest = sha256_of(self.file)
        if digest != self.record["file_sha256"]:
            raise LabError(f"The stream's own copy of the model, {self.file}, was replaced: its "
                           f"SHA-256 is {digest}, expected {self.record['file_sha256']}. It is "
                           "refused. Remove the folder and start the stream again.")

    @functools.cached_property
    def _outputs(self):
        """Function (1, *input_shape) float32 -> (1, C) float32."""
        if self.record["engine"] in _ONNX:
            return _ONNX[self.record["engine"]](self.file)
        return _mindspore(self.file)

    def answer(self, data):
        """Classify one photo.

        Args:
            data: bytes of the file.

        Returns:
            list of the five likeliest [label, name, probability], likeliest first.

        Raises:
            BadImage: it cannot be decoded.
        """
        spec = PreprocessSpec.from_dict(self.record["preprocess"])
        # Strictly: no scan has looked for cut-off files before.
        images = preprocess(decode(data, strict=True), spec)[None]
        logits = undo_activation(self._outputs(images), self.record["activation"])[0]
        probabilities = softmax(logits.astype(np.float64) / self.record["temperature"])
        order = np.argsort(-logits, kind="stable")[:5]
        return [[int(i), self.classes.english[i], round(float(probabilities[i]), 6)]
                for i in order]

    def answer_file(self, path):
        """Classify the photo in a file; see `answer`."""
        return self.answer(read_file(path))


def _onnxruntime(path):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    # Waiting threads that spin would take the core of the next subtask.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _openvino(path):
    network = import_openvino().compile_model(
        str(path), "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: network(images)[0]


def _mindspore(path):
    from src_mindspore import runtime
    runtime.start()
    from src_mindspore.model import load_mindir, load_model
    model = load_mindir(path) if path.suffix == ".mindir" else load_model(path, batch_size=1)
    return model.outputs


_ONNX = {"onnxruntime": _onnxruntime, "openvino": _openvino}
