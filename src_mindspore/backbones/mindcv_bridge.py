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
# What TensorFlow's networks add to a variance in BatchNorm, and so their ports to PyTorch.
TENSORFLOW_EPSILON = 1e-3


class MindCVBackbone(nn.Cell):
    """The feature part of a MindCV architecture, under MindCV's own parameter names.

    (N, 3, H, W) float32 -> (N, C, h, w) float32; an architecture whose features are a vector has
    h = w = 1, one whose features are T tokens has h = T, w = 1.

    Args:
        name: str of `mindcv.models.list_models`.
        padding: where the weights come from. 'own': as MindCV has it; 'pytorch': convolutions and
            pools are padded on all sides alike, and averages count the padding; 'tensorflow': as
            MindCV pads, with TensorFlow's epsilon in BatchNorm; 'symmetric': convolutions alone, as
            checkpoints of earlier versions of this project say and were trained with.

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
        if padding in ("pytorch", "symmetric"):
            _pad_symmetrically(network)
        if padding == "pytorch":
            _replace_pools(network, "same", SymmetricPool)
            if module == "squeezenet":
                _follow_torchvision_in_squeezenet(network)
        if padding == "tensorflow":
            _set_epsilon(network, TENSORFLOW_EPSILON)

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


def _pad_symmetrically(network):
    """Pad strided convolutions as PyTorch does: MindCV's 'same' puts the odd pixel last."""
    for _, cell in network.cells_and_names():
        if type(cell) is nn.Conv2d and cell.pad_mode == "same" and max(cell.stride) > 1 \
                and max(cell.kernel_size) > 1:
            padding = tuple(side // 2 for side in cell.kernel_size for _ in (0, 1))
            other = nn.Conv2d(cell.in_channels, cell.out_channels, cell.kernel_size, cell.stride,
                              pad_mode="pad", padding=padding, group=cell.group)
            cell.pad_mode, cell.padding, cell.conv2d = (other.pad_mode, other.padding,
                                                        other.conv2d)


class SymmetricPool(nn.Cell):
    """A pool over a map that is padded on all sides alike: what PyTorch's padding does.

    Averages count the zeros of the padding; maxima never take it.

    Args:
        pool: nn.AvgPool2d or nn.MaxPool2d with pad_mode 'same'.
    """

    def __init__(self, pool):
        super().__init__(auto_prefix=False)
        # Pools' own padding ('pad') cannot be written as ONNX.
        self.pool = type(pool)(pool.kernel_size, pool.stride, pad_mode="valid")
        self.sides = tuple(side // 2 for side in _pair(pool.kernel_size))
        self.largest = type(pool) is nn.MaxPool2d

    def construct(self, x):
        down, right = self.sides
        if self.largest:
            # A border of values that the window holds anyhow leaves its maximum as it is.
            if down:
                x = ops.concat((x[:, :, :down], x, x[:, :, -down:]), 2)
            if right:
                x = ops.concat((x[:, :, :, :right], x, x[:, :, :, -right:]), 3)
            return self.pool(x)
        return self.pool(ops.Pad(((0, 0), (0, 0), (down, down), (right, right)))(x))


def _pair(size):
    return size if isinstance(size, tuple) else (size, size)


class CeilPool(nn.Cell):
    """A maximum over windows that may reach beyond the right and lower border: PyTorch's ceil_mode.

    Args:
        pool: nn.MaxPool2d with pad_mode 'valid' behind a ReLU, so that zeros change no maximum.
    """

    def __init__(self, pool):
        super().__init__(auto_prefix=False)
        self.pool = pool
        self.kernel, self.stride = _pair(pool.kernel_size)[0], _pair(pool.stride)[0]

    def construct(self, x):
        down, right = (-(side - self.kernel) % self.stride for side in x.shape[2:])
        return self.pool(ops.Pad(((0, 0), (0, 0), (0, down), (0, right)))(x))


def _replace_pools(network, pad_mode, by):
    for _, parent in list(network.cells_and_names()):
        for name, child in parent.name_cells().items():
            if type(child) in (nn.AvgPool2d, nn.MaxPool2d) and child.pad_mode.lower() == pad_mode \
                    and max(_pair(child.kernel_size)) > 1:
                if isinstance(parent, nn.SequentialCell):
                    parent[list(parent.name_cells()).index(name)] = by(child)
                else:
                    setattr(parent, name, by(child))


def _follow_torchvision_in_squeezenet(network):
    """No padding in the first convolution, of which MindCV pads one; pools that count the rest."""
    first = network.features[0]
    valid = nn.Conv2d(first.in_channels, first.out_channels, first.kernel_size, first.stride,
                      pad_mode="valid", has_bias=True)
    first.pad_mode, first.padding, first.conv2d = valid.pad_mode, valid.padding, valid.conv2d
    _replace_pools(network, "valid", CeilPool)


def _set_epsilon(network, epsilon):
    for _, cell in network.cells_and_names():
        if type(cell) is nn.BatchNorm2d:
            cell.eps = epsilon
            cell.bn_infer = ops.BatchNorm(is_training=False, epsilon=epsilon,
                                          data_format=cell.format)


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
    path = path or _weights_found(name.removeprefix(PREFIX))
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


def _weights_found(name):
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
