"""Any architecture of MindCV as a frozen backbone: `--backbone mindcv:NAME`.

https://github.com/mindspore-lab/mindcv holds architectures; weights come from the user's file.
MindCV is imported when one is asked for, never before.
"""
import difflib
import functools
import hashlib
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from config import MINDCV_SIDES, of_backbone
from src_mindspore.backbones.mindcv_layers import follow_weights
from src_mindspore.backbones.registry import Backbone, BackboneEntry, freeze, spec_of
from src_mindspore.data.preprocess import PreprocessSpec
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of
from src_mindspore.weights.fit_names import HEADS, fit_names
from src_mindspore.weights.weight_file import SUFFIXES, read_weight_file

PREFIX = "mindcv:"
# Where weights are looked for when pretrained_ckpt names none.
FOLDER = Path("results/weights")
# Side of the square input by which the width of the features is found, where any side will do.
PROBE = 224
# Modules whose `forward_features` pools already; their map comes from the child `features`.
POOLING = ("efficientnet",)


class MindCVBackbone(nn.Cell):
    """The feature part of a MindCV architecture, under MindCV's own parameter names.

    (N, 3, H, W) float32 -> (N, C, h, w) float32; an architecture whose features are a vector has
    h = w = 1, one whose features are T tokens has h = T, w = 1.

    Args:
        name: str of `mindcv.models.list_models`.
        padding: where the weights come from, see `follow_weights`.

    Raises:
        LabError: MindCV is not installed, or has no such architecture or no feature part of it.
    """

    def __init__(self, name, padding="own"):
        super().__init__(auto_prefix=False)
        network = _create(name)
        module = type(network).__module__.rpartition(".")[2]
        for child in HEADS:
            if child in network.name_cells():
                setattr(network, child, nn.Identity())
        self.network = network
        self.pools = module in POOLING
        follow_weights(network, module, padding)

    def construct(self, x):
        y = self.network.features(x) if self.pools else self.network.forward_features(x)
        if isinstance(y, tuple):
            return y
        if y.ndim == 3:
            y = ops.expand_dims(ops.transpose(y, (0, 2, 1)), -1)
        if y.ndim == 2:
            y = ops.expand_dims(ops.expand_dims(y, -1), -1)
        return y


def _create(name):
    try:
        from mindcv.models import create_model, is_model, list_models
    except ImportError as error:
        raise LabError(f"The backbone {PREFIX}{name} needs MindCV, which is not installed "
                       f"({error}). `make env` installs it.") from error
    if not is_model(name):
        near = ", ".join(difflib.get_close_matches(name, list_models(), n=5, cutoff=0.3))
        raise LabError(f"MindCV has no architecture {name!r}. Near: {near or 'none'}; it has "
                       f"{len(list_models())}, see mindcv.models.list_models().")
    network = create_model(name)
    if not hasattr(network, "forward_features"):
        raise LabError(f"MindCV's {name} has no feature part of its own (forward_features). Take "
                       "another architecture, for example mindcv:resnet50.")
    return network


def entry_of_mindcv(name):
    """Return the BackboneEntry of 'mindcv:NAME'; `channels` is 0, only the built cell knows."""
    build = functools.partial(MindCVBackbone, name.removeprefix(PREFIX))
    return BackboneEntry(build, 0, "own", PreprocessSpec(), "")


def channels_of(cell, name):
    """Return how many channels the map of an architecture has: found by asking its cell.

    Args:
        cell: MindCVBackbone.
        name: 'mindcv:NAME'.

    Raises:
        LabError: it does not run, or answers with something else than one map.
    """
    side = PROBE if name.removeprefix(PREFIX) in MINDCV_SIDES else of_backbone(name)["image_height"]
    mode = ms.get_context("mode")
    # Layer by layer, because compiling a deep network takes minutes and one pass seconds.
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        answer = cell(ms.Tensor(np.zeros((1, 3, side, side), np.float32)))
    except Exception as error:  # whatever an architecture that never ran here may raise
        raise LabError(f"{name} does not run with this MindSpore on a {side}x{side} input: "
                       f"{str(error).strip().splitlines()[0][:200]}. Take another "
                       "architecture.") from error
    finally:
        ms.set_context(mode=mode)
    if not isinstance(answer, ms.Tensor) or answer.ndim != 4:
        raise LabError(f"{name} answers with several outputs instead of one feature map. Take "
                       "another architecture.")
    return int(answer.shape[1])


def load_mindcv(path, name):
    """Load an architecture of MindCV with weights from a file, or with random ones.

    Args:
        path: str or Path of the file (see `read_weight_file`). '': results/weights/NAME with one of
            its suffixes, and where there is none, random weights, which is said aloud.
        name: 'mindcv:NAME'.

    Returns:
        Backbone. Its PreprocessSpec comes from the file's contract, else it is ImageNet's.

    Raises:
        LabError: see `MindCVBackbone`, `read_weight_file` and `fit_names`.
    """
    entry = entry_of_mindcv(name)
    path = path or weights_found(name.removeprefix(PREFIX))
    if path:
        tensors, meta = read_weight_file(path)
        if meta.get("architecture", name) != name or meta.get("kind", "backbone") != "backbone":
            raise LabError(f"{path} holds a {meta.get('kind')} of {meta.get('architecture')}; "
                           f"expected a backbone {name}.")
        padding = meta.get("padding", padding_of(path))
        cell = entry.build(padding)
        expected = {p.name: tuple(p.shape) for p in cell.get_parameters()}
        parameters, how = fit_names(tensors, expected, path)
        source = meta.get("source", f"{Path(path).name}, fitted by {how}")
        digest = sha256_of(path)
        print(f"backbone: {name} with the weights of {path}; parameters fitted by {how}, "
              f"padding {padding}" + ("" if meta else ", mean and std of ImageNet unless given"))
    else:
        meta, padding, source = {}, "own", "random weights"
        cell = entry.build(padding)
        parameters = random_weights(cell)
        digest = hashlib.sha256(b"".join(v.tobytes() for v in parameters.values())).hexdigest()
        print(f"WARNING: {name} has NO trained weights: its features are RANDOM, and accuracy will "
              "be poor. Set --pretrained_ckpt to a .ckpt, .safetensors, .pth or .pt, or put it "
              f"at {FOLDER / name.removeprefix(PREFIX)} with that suffix.")
    for parameter in cell.get_parameters():
        parameter.set_data(ms.Tensor(parameters[parameter.name]))
    freeze(cell)
    return Backbone(name, cell, channels_of(cell, name), padding, spec_of(meta, entry), source,
                    digest)


def padding_of(path):
    """Return how the network that a file without a contract comes from pads: see MindCVBackbone.

    MindSpore files follow MindCV. Those of PyTorch follow PyTorch, except the networks ported from
    TensorFlow, whose names begin with tf_.
    """
    path = Path(path)
    if path.suffix == ".ckpt":
        return "own"
    return "tensorflow" if path.name.startswith("tf_") else "pytorch"


def weights_found(name):
    """Return the Path of an architecture's weights in results/weights, '' where there are none.

    Args:
        name: str, without 'mindcv:'.
    """
    return next((path for suffix in SUFFIXES if (path := FOLDER / f"{name}{suffix}").exists()), "")


def random_weights(cell):
    """Return He-normal weights, the same in every process: dict name -> float32 array.

    He et al., "Delving Deep into Rectifiers" (ICCV 2015). Vectors (norms, biases) stay as they are.
    """
    rng = np.random.default_rng(0)
    values = {}
    for parameter in cell.get_parameters():
        value = parameter.asnumpy().astype(np.float32)
        if value.ndim > 1:
            deviation = np.sqrt(2 / np.prod(value.shape[1:]))
            value = (rng.standard_normal(value.shape) * deviation).astype(np.float32)
        values[parameter.name] = value
    return values
