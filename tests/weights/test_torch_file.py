"""The reader of PyTorch checkpoints: what it reads, and what it must never do."""
import collections
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from src_mindspore.errors import LabError
from src_mindspore.weights.torch_file import MAGIC, PROTOCOL, read_torch_tensors

STORAGE = b"ctorch\nFloatStorage\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def tensor(key, count, offset, size, stride, storage=STORAGE, view=b"N"):
    """Pickle opcodes of one tensor, as torch.save writes them (protocol 2).

    A row of pickles names the storage with a view (None), an archive without: `view=b""`.
    """
    def integers(values):
        return b"(" + b"".join(b"J" + struct.pack("<i", v) for v in values) + b"t"

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    identity = (b"(" + text("storage") + storage + text(key) + text("cpu")
                + b"J" + struct.pack("<i", count) + view + b"tQ")
    return (REBUILD + b"(" + identity + b"J" + struct.pack("<i", offset) + integers(size)
            + integers(stride) + b"\x89" + b"ccollections\nOrderedDict\n)R" + b"tR")


def checkpoint(entries, storages):
    """Bytes of a checkpoint: dict name -> opcodes, dict key -> values."""
    body = b"\x80\x02}("
    for name, code in entries.items():
        body += b"X" + struct.pack("<I", len(name)) + name.encode() + code
    body += b"u."
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True}))
    raw = b"".join(struct.pack("<q", len(values)) + np.asarray(values, "<f4").tobytes()
                   for values in storages.values())
    return head + body + pickle.dumps(list(storages), 2) + raw


def test_tensors_come_back_in_their_order():
    data = checkpoint({"a": tensor("7", 6, 0, (2, 3), (3, 1)),
                       "turned": tensor("7", 6, 0, (3, 2), (1, 3)),
                       "part": tensor("8", 4, 1, (2,), (1,))},
                      {"7": range(6), "8": [5, 6, 7, 8]})
    tensors = read_torch_tensors(data)
    np.testing.assert_array_equal(tensors["a"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(tensors["turned"], np.arange(6).reshape(2, 3).T)
    np.testing.assert_array_equal(tensors["part"], [6, 7])
    assert tensors["turned"].flags.c_contiguous
    assert tensors["a"].dtype == np.float32


class Calls:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_nothing_in_a_file_is_called(tmp_path):
    """A pickle that would write a file is refused and the file is not written."""
    target = tmp_path / "written"
    attack = pickle.dumps(Calls(target.write_text, "x"), 2)
    for data in (attack, checkpoint({}, {})[:-1] + attack,
                 b"".join(pickle.dumps(p, 2) for p in (MAGIC, PROTOCOL, {})) + attack):
        with pytest.raises(LabError, match="not a complete PyTorch checkpoint"):
            read_torch_tensors(data)
    assert not target.exists()
    with pytest.raises(LabError, match=r"it asks for posix\.system|nt\.system"):
        read_torch_tensors(pickle.dumps(Calls(__import__("os").system, "true"), 2))


@pytest.mark.parametrize(("size", "stride", "offset"), [
    ((2, 4), (4, 1), 0), ((2, 3), (3, 1), 1), ((2, 3), (-3, 1), 3), ((2,), (2**30,), 0),
    ((-1,), (1,), 0), ((6,), (1,), -1)])
def test_a_tensor_cannot_reach_beyond_its_numbers(size, stride, offset):
    data = checkpoint({"a": tensor("0", 6, offset, size, stride)}, {"0": range(6)})
    with pytest.raises(LabError, match="reaches beyond its numbers"):
        read_torch_tensors(data)


def test_truncated_and_other_files_are_refused():
    data = checkpoint({"a": tensor("0", 6, 0, (6,), (1,))}, {"0": range(6)})
    assert read_torch_tensors(data)["a"].shape == (6,)
    for length in range(len(data)):
        with pytest.raises(LabError, match="not a complete PyTorch checkpoint"):
            read_torch_tensors(data[:length])
    for other in (b"PK\x03\x04 zip", pickle.dumps([1, 2]), pickle.dumps(
            collections.OrderedDict(a=1))):
        with pytest.raises(LabError, match="not a complete PyTorch checkpoint"):
            read_torch_tensors(other)


@pytest.mark.parametrize("name", ["saved_by_torch_2_13.pth", "saved_by_torch_2_13_legacy.pth"])
def test_what_torch_itself_wrote_is_read(name):
    """Both formats, written by torch.save of PyTorch 2.13: a turned tensor, a part of one, four
    types, a parameter, a single number."""
    tensors = read_torch_tensors((Path(__file__).parent / name).read_bytes())
    assert {key: str(value.dtype) for key, value in tensors.items()} == {
        "layer.weight": "float32", "layer.bias": "float64", "half": "float16",
        "parameter": "float32", "num_batches_tracked": "int64"}
    np.testing.assert_array_equal(tensors["layer.weight"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(tensors["layer.bias"], [0.5, -2, 8])
    np.testing.assert_array_equal(tensors["half"], [1, 2, 3])
    np.testing.assert_array_equal(tensors["parameter"], [[1.5]])
    np.testing.assert_array_equal(tensors["num_batches_tracked"], 5)


def archive(pickled, storages, **members):
    """Bytes of a zip checkpoint, as torch.save writes since 1.6."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
        file.writestr("weights/data.pkl", pickled)
        for key, values in storages.items():
            file.writestr(f"weights/data/{key}", np.asarray(values, "<f4").tobytes())
        for name, content in members.items():
            file.writestr(f"weights/{name}", content)
    return stream.getvalue()


def zipped(*args):
    """Opcodes of one tensor of an archive."""
    return tensor(*args, view=b"")


def opcodes(entries):
    """Pickle of a dict whose values are given as opcodes."""
    body = b"\x80\x02}("
    for name, code in entries.items():
        body += b"X" + struct.pack("<I", len(name)) + name.encode() + code
    return body + b"u."


def test_the_zip_format_is_read_alike():
    pickled = opcodes({"a": zipped("0", 6, 0, (2, 3), (3, 1)),
                       "part": zipped("1", 4, 1, (2,), (1,))})
    tensors = read_torch_tensors(archive(pickled, {"0": range(6), "1": [5, 6, 7, 8]},
                                         byteorder="little"))
    np.testing.assert_array_equal(tensors["a"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(tensors["part"], [6, 7])


def test_the_weights_inside_a_training_checkpoint_are_found():
    inner = opcodes({"a": zipped("0", 2, 0, (2,), (1,))})[2:-1]
    pickled = opcodes({"epoch": b"K\x03", "state_dict": inner})
    tensors = read_torch_tensors(archive(pickled, {"0": [1, 2]}))
    np.testing.assert_array_equal(tensors["a"], [1, 2])


@pytest.mark.parametrize(("change", "reason"), [
    (lambda data: archive(pickle.dumps(Calls(print, "executed")), {}), "it asks for"),
    (lambda data: archive(opcodes({"a": zipped("0", 9, 0, (9,), (1,))}), {"0": range(6)}),
     "ends in the middle"),
    (lambda data: archive(opcodes({"a": zipped("0", 6, 0, (6,), (1,))}), {"0": range(6)},
                          byteorder="big"), "big-endian"),
    (lambda data: data[:-30], "not a complete PyTorch checkpoint"),
    (lambda data: data.replace(np.float32(5).tobytes(), np.float32(4).tobytes()), "CRC"),
])
def test_a_zip_that_is_damaged_or_asks_for_more_is_refused(change, reason, capsys):
    good = archive(opcodes({"a": zipped("0", 6, 0, (6,), (1,))}), {"0": range(6)})
    with pytest.raises(LabError, match=reason):
        read_torch_tensors(change(good))
    assert capsys.readouterr().out == ""
