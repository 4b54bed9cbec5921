"""Export to MindIR and ONNX, each checked against the numbers that were reported."""
from importlib.util import find_spec
from pathlib import Path

import mindspore as ms
import numpy as np

from src_mindspore.backbones.export import NotExportable, export_network
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of, write_json
from src_mindspore.model import load_mindir, load_model

# Largest difference of a logit from what the selection saw, in units of the largest logit or of 1,
# whichever is more: other batch sizes take other kernels, whose rounding grows with the values.
TOLERANCE = 1e-4
ONNX_TOLERANCE = 1e-3


def export(checkpoint, images, reference, folder, name="best"):
    """Export as `export_mindir` does, then compare every file with the reference.

    Args:
        checkpoint, folder, name: see `export_mindir`.
        images: function () -> iterator of (N, *input_shape) float32 batches, the photos to compare
            on.
        reference: (M, C) float32 answers for those photos, as reported.

    Returns:
        dict: sentences about the checks, under 'mindir', 'mindir_dynamic' and 'onnx'.

    Raises:
        LabError: an exported file disagrees with the reference.
    """
    paths, checks = export_mindir(checkpoint, folder, name)
    for kind, path in paths.items():
        if kind == "onnx" and find_spec("onnxruntime") is None:
            checks[kind] = (f"{path.name}: not checked, because onnxruntime is not installed (pip "
                            "install onnxruntime)")
            continue
        # One at a time: together the loaded networks would set the peak of the run's memory.
        answer = onnx_logits(path) if kind == "onnx" else load_mindir(path).outputs
        tolerance = ONNX_TOLERANCE if kind == "onnx" else TOLERANCE
        checks[kind] = compare(answer, images, reference, tolerance, path)
    return checks


def export_mindir(checkpoint, folder, name):
    """Write <name>.mindir (batch 1), <name>_dynamic.mindir (any batch), <name>.onnx, <name>.json.

    Args:
        checkpoint: Path of a whole network.
        folder: Path.
        name: str.

    Returns:
        (paths, reasons): dict from 'mindir', 'mindir_dynamic' and 'onnx' to Path; and from those
        that cannot be written to a sentence that says why.
    """
    model = load_model(checkpoint, batch_size=1)
    spec = model.preprocess
    shape = (1, *spec.input_shape)
    one = ms.Tensor(np.zeros(shape, np.float32))
    many = ms.Tensor(shape=[None, *shape[1:]], dtype=ms.float32)
    paths = {"mindir": Path(folder) / f"{name}.mindir",
             "mindir_dynamic": Path(folder) / f"{name}_dynamic.mindir",
             "onnx": Path(folder) / f"{name}.onnx"}
    reasons = {}
    for kind, path in paths.items():
        try:
            export_network(model.network, many if kind == "mindir_dynamic" else one, path,
                           "ONNX" if kind == "onnx" else "MINDIR")
        except NotExportable as error:
            reasons[kind] = f"{path.name}: not written. {error}"
    paths = {kind: path for kind, path in paths.items() if kind not in reasons}
    activation = model.meta["head"]["activation"]
    write_json(Path(folder) / f"{name}.json", {
        **{k: v for k, v in model.meta.items() if k != "format"},
        "preprocess": spec.to_dict(), "batch_size": 1, "input": spec.layout,
        "output": "logits" if activation == "None" else activation.lower(),
        "checkpoint_sha256": model.sha256,
        **{f"{kind}_sha256": sha256_of(path) for kind, path in paths.items()}})
    return paths, reasons


def onnx_logits(path):
    """Return a function (N, *input_shape) float32 -> (N, C) float32 that asks an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: np.concatenate([session.run(None, {name: images[i:i + 1]})[0]
                                          for i in range(len(images))])


def compare(logits_of, images, reference, tolerance, path):
    """Compare a model with reference logits on all photos.

    Args:
        logits_of: function (N, *input_shape) float32 -> (N, C) float32.
        images, reference: see `export`.
        tolerance: float, largest difference, in units of the largest logit (at least 1).
        path: for the message.

    Returns:
        str, what was compared and the largest difference.

    Raises:
        LabError: another prediction, or a larger difference.
    """
    logits = np.concatenate([logits_of(batch) for batch in images()])
    allowed = tolerance * max(1.0, float(np.abs(reference).max()))
    difference = float(np.abs(logits - reference).max())
    before, after = reference.argmax(axis=1), logits.argmax(axis=1)
    rows = np.arange(len(reference))
    # Two classes closer than rounding are a tie, and a tie may fall either way.
    margin = reference[rows, before] - reference[rows, after]
    changed, ties = int((margin > 2 * allowed).sum()), int((before != after).sum())
    if changed or not difference <= allowed:
        raise LabError(f"The export {path} disagrees with the model it was made from: {changed} of "
                       f"{len(reference)} predictions differ, logits by up to {difference:.2g} "
                       f"(allowed {allowed:.2g}). Do not use it; the checkpoint is sound.")
    return (f"{Path(path).name}: same predictions on all {len(reference)} validation photos"
            + (f" but {ties} ties" if ties else "") + f", logits within {difference:.1e} (largest "
            f"logit {np.abs(reference).max():.1f})")
