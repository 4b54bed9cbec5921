"""BatchNorm folded into the convolution before it: the same function with half the layers.

In evaluation BatchNorm is a fixed scale and shift per channel, so it can be multiplied into the
convolution's weights once (Jacob et al., arXiv:1712.05877, section 3.2).
"""
import numpy as np
from mindspore import Parameter, Tensor, nn


def fold_batchnorm(cell):
    """Fold every BatchNorm2d that directly follows a Conv2d in a SequentialCell.

    Args:
        cell: Cell; changed in place. It can no longer be trained or loaded from its checkpoint.

    Returns:
        int, how many were folded.
    """
    folded = 0
    for _, child in cell.cells_and_names():
        # Of these types exactly: a subclass may compute something else.
        if type(child) is not nn.SequentialCell:
            continue
        for index in range(len(child) - 1):
            if type(child[index]) is nn.Conv2d and type(child[index + 1]) is nn.BatchNorm2d:
                child[index] = _folded(child[index], child[index + 1])
                child[index + 1] = nn.Identity()
                folded += 1
    return folded


def _folded(conv, norm):
    scale = norm.gamma.asnumpy().astype(np.float64) / np.sqrt(
        norm.moving_variance.asnumpy().astype(np.float64) + norm.eps)
    weight = conv.weight.asnumpy() * scale[:, None, None, None]
    before = conv.bias.asnumpy() if conv.has_bias else 0.0
    bias = norm.beta.asnumpy() + (before - norm.moving_mean.asnumpy()) * scale
    result = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride,
                       pad_mode=conv.pad_mode, padding=conv.padding,
                       dilation=conv.dilation, group=conv.group, has_bias=True)
    result.weight = Parameter(Tensor(weight.astype(np.float32)), name=conv.weight.name)
    result.bias = Parameter(Tensor(bias.astype(np.float32)),
                            name=conv.weight.name.removesuffix("weight") + "bias")
    return result
