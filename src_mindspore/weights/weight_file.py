"""Weights of an architecture that is not ours, from the file a user has: read as data."""
from pathlib import Path

import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.weights.torch_file import read_torch_tensors

SUFFIXES = (".ckpt", ".safetensors", ".pth", ".pt")


def read_weight_file(path):
    """Read the tensors of a weight file.

    Args:
        path: a MindSpore checkpoint (.ckpt), safetensors, or a PyTorch checkpoint (.pth, .pt).

    Returns:
        (tensors, meta): dict name -> array, and the contract of a checkpoint ({} where there is
        none).

    Raises:
        LabError: another suffix, unreadable or damaged.
    """
    path = Path(path)
    if path.suffix == ".ckpt":
        from src_mindspore.backbones.checkpoint import read_checkpoint
        parameters, meta = read_checkpoint(path)
        return {name: value.asnumpy() for name, value in parameters.items()}, meta
    if path.suffix not in SUFFIXES:
        raise LabError(f"{path} is no weight file this reads; expected one of "
                       f"{', '.join(SUFFIXES)}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LabError(f"The weights {path} cannot be read: {error.strerror}.") from error
    if path.suffix != ".safetensors":
        try:
            return read_torch_tensors(data), {}
        except LabError as error:
            raise LabError(f"{path}: {error}") from error
    from safetensors import SafetensorError
    from safetensors.numpy import load
    try:
        return load(data), {}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path} is not a complete safetensors file ({error}). Numbers must be "
                       "float16, float32 or float64.") from error


def as_float32(array):
    """Return an array as float32 in C order."""
    return np.ascontiguousarray(array, np.float32)
