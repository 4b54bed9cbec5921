"""The layers of a MindCV network as its weights were trained with: padding, pools, BatchNorm.

The same architecture is padded in another way by PyTorch (torchvision, timm) and by TensorFlow,
which shows in no shape: with weights from there the maps would be off by some percent.
"""
from mindspore import nn, ops

# What TensorFlow's networks add to a variance in BatchNorm, and so their ports to PyTorch.
TENSORFLOW_EPSILON = 1e-3


def follow_weights(network, module, padding):
    """Change the layers of a network in place to what its weights were trained with.

    Args:
        network: Cell of MindCV.
        module: str, name of its module in mindcv.models.
        padding: where the weights come from. 'own': as MindCV has it; 'pytorch': convolutions and
            pools are padded on all sides alike, and averages count the padding; 'tensorflow': as
            MindCV pads, with TensorFlow's epsilon in BatchNorm; 'symmetric': convolutions alone, as
            checkpoints of earlier versions of this project say and were trained with.
    """
    if padding in ("pytorch", "symmetric"):
        _pad_symmetrically(network)
    if padding == "pytorch":
        _replace_pools(network, "same", SymmetricPool)
        if module == "squeezenet":
            _follow_torchvision_in_squeezenet(network)
    if padding == "tensorflow":
        _set_epsilon(network, TENSORFLOW_EPSILON)


def _pad_symmetrically(network):
    """Pad strided convolutions as PyTorch does: MindCV's 'same' puts the odd pixel last."""
    for _, cell in network.cells_and_names():
        if type(cell) is nn.Conv2d and cell.pad_mode == "same" and max(cell.stride) > 1 \
                and max(cell.kernel_size) > 1:
            _repad(cell, "pad", tuple(side // 2 for side in cell.kernel_size for _ in (0, 1)))


def _repad(cell, pad_mode, padding=0):
    other = nn.Conv2d(cell.in_channels, cell.out_channels, cell.kernel_size, cell.stride,
                      pad_mode=pad_mode, padding=padding, group=cell.group)
    cell.pad_mode, cell.padding, cell.conv2d = other.pad_mode, other.padding, other.conv2d


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
    _repad(network.features[0], "valid")
    _replace_pools(network, "valid", CeilPool)


def _set_epsilon(network, epsilon):
    for _, cell in network.cells_and_names():
        if type(cell) is nn.BatchNorm2d:
            cell.eps = epsilon
            cell.bn_infer = ops.BatchNorm(is_training=False, epsilon=epsilon,
                                          data_format=cell.format)
