"""Will a batch fit in memory? Said before training begins, with the batch that would."""
import contextlib

import mindspore as ms
import numpy as np
from mindspore import nn

from src_mindspore.errors import LabError

# Bytes that training takes for every value of a map that a layer computes: the map for the backward
# pass, its gradient, and what kernels work in. The CNN took about 7 (1.6 GB in all for 32 photos of
# 4.4 million values each); the rest is room.
BYTES_A_VALUE = 10


def values_of_maps(network, cells, height, width):
    """Return how many values layers of a network compute for one photo.

    Args:
        network: Cell (N, 3, H, W) -> anything.
        cells: list of Cell within it, whose layers are counted.
        height, width: int, of the input.
    """
    counts, hooks = [], []

    def count(_cell, _inputs, output):
        counts.append(int(np.prod(output.shape)))

    layers = [c for cell in cells for _, c in cell.cells_and_names()
              if isinstance(c, nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.ReLU6 | nn.MaxPool2d
                            | nn.AvgPool2d)]
    mode = ms.get_context("mode")
    network.set_train(False)
    try:
        # Hooks are called in PyNative mode only.
        ms.set_context(mode=ms.PYNATIVE_MODE)
        hooks = [layer.register_forward_hook(count) for layer in layers]
        network(ms.Tensor(np.zeros((1, 3, height, width), np.float32)))
    finally:
        for hook in hooks:
            hook.remove()
        ms.set_context(mode=mode)
    return sum(counts)


def available_bytes():
    """Return the memory that a process may still take, in bytes; None where nobody says."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo") as file:
            line = next(line for line in file if line.startswith("MemAvailable:"))
        found.append(int(line.split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max") as file:
            limit = int(file.read())
        with open("/sys/fs/cgroup/memory.current") as file:
            found.append(limit - int(file.read()))
    return min(found, default=None)


def require_memory(network, trained, part, config, available=available_bytes):
    """Refuse a batch that would not fit.

    Args:
        network: Cell.
        trained: list of the Cells that are trained; maps of the others are not kept.
        part: int, photos that are read at once.
        config: batch_size, accumulate, image_height and image_width are read.
        available: function () -> bytes or None.

    Raises:
        LabError: it needs more memory than there is.
    """
    room = available()
    if room is None or not trained:
        return
    values = values_of_maps(network, trained, config.image_height, config.image_width)
    a_photo = values * BYTES_A_VALUE
    if part * a_photo <= room:
        return
    fits = max(1, int(room // a_photo))
    parts = config.accumulate
    while config.batch_size // parts > fits or config.batch_size % parts:
        parts += 1
    raise LabError(
        f"A batch does not fit in memory: {part} photos at once need about "
        f"{part * a_photo / 1e9:.1f} GB, {room / 1e9:.1f} GB are free. --batch_size "
        f"{fits} would fit; --accumulate {parts} keeps the batch of {config.batch_size} and reads "
        "it in that many parts.")
