"""Who computes features. MindSpore is the reference; an accelerated engine has to agree with it."""
import functools
import json
from importlib import metadata
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from src_mindspore.backbones.export import export_network
from src_mindspore.backbones.folding import fold_batchnorm
from src_mindspore.backbones.registry import Backbone, entry_of
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of, write_json
from src_mindspore.heads.linear import GlobalPooling
from src_mindspore.runtime import describe, usable_cores

# Largest difference of a feature, relative to the largest feature of the probe batch.
TOLERANCE = 1e-3


class _Pooled(nn.Cell):
    def __init__(self, backbone, pooling):
        super().__init__(auto_prefix=False)
        self.backbone = backbone
        self.pooling = pooling

    def construct(self, x):
        return self.pooling(self.backbone(x))


class MindSporeEngine:
    """The backbone in graph mode, BatchNorm folded, pooled inside the graph.

    The network is made when it is first needed: where everything is cached, it never is.

    Args:
        backbone: Backbone.
        pooling: 'mean+max', or 'none' for whole feature maps.
        batch_size: int; shorter batches are padded to it, so that one graph serves all.
    """

    name = "mindspore"
    precision = "float32"

    def __init__(self, backbone: Backbone, pooling: str, batch_size: int):
        self.backbone = backbone
        self.pooling = pooling
        self.batch_size = batch_size

    @functools.cached_property
    def network(self):
        """The pooled network; Cell (N, 3, H, W) -> (N, F) in evaluation mode."""
        # Folding changes a cell for good, so it is done on a copy.
        copy = entry_of(self.backbone.name).build(self.backbone.padding)
        ms.load_param_into_net(copy, {p.name: p for p in self.backbone.cell.get_parameters()})
        fold_batchnorm(copy)
        pool = nn.Identity() if self.pooling == "none" else GlobalPooling(self.pooling)
        return _Pooled(copy, pool).set_train(False)

    def __call__(self, images):
        """Compute features.

        Args:
            images: (N, 3, H, W) float32, N <= batch_size.

        Returns:
            (N, 2 * channels) or (N, channels, H/32, W/32) float32.
        """
        return self.network(ms.Tensor(padded(images, self.batch_size))).asnumpy()[:len(images)]


class OnnxRuntimeEngine:
    """The same network, exported by MindSpore to ONNX and run by ONNX Runtime.

    Args:
        reference: MindSporeEngine.
        path: Path of the ONNX file; exported when it is absent.
        image_size: (height, width).

    Raises:
        ImportError: ONNX Runtime is not installed.
    """

    name = "onnxruntime"
    precision = "float32"

    def __init__(self, reference, path, image_size):
        import onnxruntime

        self.batch_size = reference.batch_size
        if not path.exists():
            example = ms.Tensor(np.zeros((self.batch_size, 3, *image_size), np.float32))
            export_network(reference.network, example, path, "ONNX")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        self.session = onnxruntime.InferenceSession(str(path), options,
                                                    providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def __call__(self, images):
        """Compute features; see MindSporeEngine."""
        feed = {self.input: padded(images, self.batch_size)}
        return self.session.run(None, feed)[0][:len(images)]


def padded(images, batch_size):
    """Return (batch_size, ...) images, zeros behind the given ones."""
    missing = batch_size - len(images)
    if not missing:
        return images
    return np.concatenate((images, np.zeros((missing, *images.shape[1:]), np.float32)))


def choose_engine(name, reference, folder):
    """Return the engine to use: the asked-for one, compared with MindSpore before it counts.

    Args:
        name: 'auto' (ONNX Runtime where it is installed and agrees), 'mindspore', 'onnxruntime'.
        reference: MindSporeEngine.
        folder: Path, where exported networks are kept.

    Returns:
        An engine.

    Raises:
        LabError: the asked-for engine is not installed or disagrees.
    """
    if name == "mindspore":
        return reference
    backbone, spec = reference.backbone, reference.backbone.preprocess
    size = (spec.image_height, spec.image_width)
    path = Path(folder) / (f"{backbone.sha256[:16]}-{backbone.padding}-{reference.pooling}-"
                           f"{reference.batch_size}x{size[0]}x{size[1]}.onnx")
    try:
        engine = OnnxRuntimeEngine(reference, path, size)
        difference = _checked(engine, reference, size, path)
        problem = "" if difference <= TOLERANCE else (
            f"its features differ from MindSpore's by {difference:.1e} of the largest (allowed "
            f"{TOLERANCE:g})")
    except ImportError:
        problem = "it is not installed (pip install onnxruntime)"
    except Exception as error:  # a damaged file or an unsupported machine must not end the run
        problem = f"it cannot run the exported network ({str(error).splitlines()[0][:200]})"
    if not problem:
        print(f"engine: onnxruntime, within {difference:.1e} of MindSpore on a probe batch")
        return engine
    if name == "auto":
        print(f"engine: mindspore; onnxruntime is not used, because {problem}")
        return reference
    raise LabError(f"The engine onnxruntime cannot be used: {problem}. Take --engine mindspore, or "
                   f"delete {path} and try again.")


def _checked(engine, reference, image_size, path):
    """Return the disagreement of an engine; measured once for a file, a processor and a version."""
    record = path.with_suffix(".json")
    subject = {"onnx_sha256": sha256_of(path), "processor": describe()["processor"],
               "onnxruntime": metadata.version("onnxruntime")}
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        if {name: known[name] for name in subject} == subject:
            return float(known["disagreement"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not measured yet, or the note is damaged: measure
    difference = disagreement(engine, reference, image_size)
    write_json(record, {**subject, "disagreement": difference})
    return difference


def disagreement(engine, reference, image_size):
    """Return the largest difference of features on noise, relative to the largest feature."""
    rng = np.random.default_rng(0)
    probe = rng.uniform(-1, 1, (engine.batch_size, 3, *image_size)).astype(np.float32)
    expected = reference(probe)
    return float(np.abs(engine(probe) - expected).max() / np.abs(expected).max())

