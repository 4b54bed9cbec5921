"""PyTorch checkpoints (.pth, .pt of torch.save) read as data, without torch.

Up to torch 1.5 such a file is a row of pickles followed by the raw numbers; since 1.6 it is a zip
archive with one pickle, and the numbers of each storage in a member of their own. A pickle can name
any function to be called, so the reader here knows a few names and refuses every other.
"""
import collections
import io
import pickle
import struct
import zipfile

import numpy as np

from src_mindspore.errors import LabError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# Names a checkpoint of weights may use; what stands for them here only notes what is asked for.
STORAGES = {"FloatStorage": np.dtype("<f4"), "HalfStorage": np.dtype("<f2"),
            "DoubleStorage": np.dtype("<f8"), "LongStorage": np.dtype("<i8")}
# Under what training programs put the weights when they save more than these.
NESTED = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict")


class _Tensor:
    """What `torch._utils._rebuild_tensor_v2` is called with: numbers come later in the file."""

    def __init__(self, storage, offset, size, stride, *_):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


def _parameter(tensor, *_):
    """What `torch._utils._rebuild_parameter` returns: the tensor, whether it learns or not."""
    return tensor


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, identity):
        # Archives name kind, dtype, key, device and count; rows of pickles a view of it besides.
        kind, dtype, key, _, count, *view = identity
        if kind != "storage" or not isinstance(dtype, np.dtype) or view not in ([], [None]):
            raise pickle.UnpicklingError("it holds something else than plain tensors")
        return dtype, key, int(count)


def read_torch_tensors(data):
    """Read the tensors of a PyTorch checkpoint without executing anything in it.

    Args:
        data: bytes of the file.

    Returns:
        dict: name -> array of float16, float32, float64 or int64, in the checkpoint's layout.

    Raises:
        LabError: truncated, not such a file, or it asks for more than tensors.
    """
    try:
        read = _read_archive if data[:4] == b"PK\x03\x04" else _read_row_of_pickles
        tensors, storages = read(data)
        return {name: _array(storages[t.storage[1]], t) for name, t in tensors.items()}
    # A damaged pickle or archive raises nearly any of the built-in exceptions.
    except (pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, EOFError,
            AttributeError, OverflowError, MemoryError, struct.error, UnicodeError,
            zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise LabError(f"The weights are not a complete PyTorch checkpoint of tensors ({error}). "
                       "Delete the file and fetch it again.") from error


def _read_row_of_pickles(data):
    """Return (tensors, storages) of a file written before torch 1.6."""
    stream = io.BytesIO(data)
    if (_Unpickler(stream).load(), _Unpickler(stream).load()) != (MAGIC, PROTOCOL):
        raise ValueError("it does not begin as one")
    _Unpickler(stream).load()  # sizes of types on the machine that wrote it
    tensors = _weights_in(_Unpickler(stream).load())
    dtypes = {t.storage[1]: t.storage[0] for t in tensors.values()}
    return tensors, {key: _read_storage(stream, dtypes[key])
                     for key in _Unpickler(stream).load()}


def _read_archive(data):
    """Return (tensors, storages) of a zip archive: NAME/data.pkl, and NAME/data/KEY a storage."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pickled = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickled) != 1:
            raise ValueError("the archive holds no data.pkl")
        folder = pickled[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() \
                and archive.read(f"{folder}byteorder").strip() != b"little":
            raise ValueError("its numbers are big-endian; save it on a little-endian machine")
        tensors = _weights_in(_Unpickler(io.BytesIO(archive.read(pickled[0]))).load())
        storages = {}
        for tensor in tensors.values():
            dtype, key, count = tensor.storage
            if key not in storages:
                # `read` also checks the CRC-32 of the member.
                raw = archive.read(f"{folder}data/{key}")
                if len(raw) < count * dtype.itemsize:
                    raise ValueError("it ends in the middle of a tensor")
                storages[key] = np.frombuffer(raw, dtype, count)
        return tensors, storages


def _weights_in(loaded):
    """Return the dict of tensors: what was saved, or the part of it that training programs name."""
    for name in NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            loaded = loaded[name]
            break
    if not isinstance(loaded, dict) or not loaded or not all(
            isinstance(t, _Tensor) for t in loaded.values()):
        raise ValueError("it holds no dictionary of tensors")
    return loaded


def _read_storage(stream, dtype):
    """Read one block of numbers: a count of eight bytes, then the values."""
    count, = struct.unpack("<q", stream.read(8))
    raw = stream.read(count * dtype.itemsize) if count >= 0 else b""
    if len(raw) != count * dtype.itemsize:
        raise ValueError("it ends in the middle of a tensor")
    return np.frombuffer(raw, dtype)


def _array(storage, tensor):
    """Return a tensor's values, in C order whatever order they were stored in."""
    # Every element must lie inside the storage: strides from a file are not to be trusted.
    last = tensor.offset + sum((size - 1) * stride for size, stride
                               in zip(tensor.size, tensor.stride, strict=True))
    if min((tensor.offset, *tensor.stride)) < 0 or min((1, *tensor.size)) < 1 \
            or last >= len(storage):
        raise ValueError("a tensor reaches beyond its numbers")
    steps = [stride * storage.itemsize for stride in tensor.stride]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset:], tensor.size, steps)
    return np.array(view, order="C")
