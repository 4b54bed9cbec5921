"""A convolution written by hand: patches, one matrix product, and the gradient of both.

Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document
Processing", 2006: a convolution is a matrix product once every patch of the input is a row. NumPy
alone; the arithmetic of `mindspore.nn.Conv2d`.
"""
import numpy as np


def padding_of(size, kernel, stride, pad_mode):
    """Return (before, after): zeros put around one side of the input.

    'valid' pads nothing. 'same' makes the output ceil(size / stride) long; where the zeros are
    odd in number, the one more stands behind, as in TensorFlow and MindSpore.

    Args:
        size, kernel, stride: int >= 1.
        pad_mode: 'same' or 'valid'.

    Raises:
        ValueError: another mode, or a kernel longer than an input that is not padded.
    """
    if pad_mode == "valid":
        if kernel > size:
            raise ValueError(f"a kernel of {kernel} does not fit into {size} without padding")
        return 0, 0
    if pad_mode != "same":
        raise ValueError(f"pad_mode must be 'same' or 'valid'. Received: {pad_mode!r}")
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2


def patches_of(x, kernel, stride):
    """Return every patch of a padded input: (N, C, kh, kw, H', W'), a view without a copy.

    Args:
        x: (N, C, H, W) array.
        kernel: (kh, kw).
        stride: (sh, sw).
    """
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    return windows[:, :, ::stride[0], ::stride[1]].transpose(0, 1, 4, 5, 2, 3)


def conv2d(x, weight, stride=(1, 1), pad_mode="same"):
    """Convolve (in truth: correlate, as all deep learning libraries do).

    Args:
        x: (N, C, H, W) float array.
        weight: (O, C, kh, kw) float array.
        stride: (sh, sw).
        pad_mode: 'same' or 'valid'.

    Returns:
        (N, O, H', W') array.
    """
    padded = _padded(x, weight.shape[2:], stride, pad_mode)
    patches = patches_of(padded, weight.shape[2:], stride)
    count, _, _, _, height, width = patches.shape
    # One column a position, one row a value of the patch.
    columns = patches.reshape(count, -1, height * width)
    return (weight.reshape(len(weight), -1) @ columns).reshape(count, -1, height, width)


def conv2d_gradient(x, weight, gradient, stride=(1, 1), pad_mode="same"):
    """Return the gradients of a scalar by `x` and by `weight`.

    By the weight: how much of every patch met how much gradient. By the input: every position
    sends its gradient back to the pixels of its patch, where overlapping patches add up.

    Args:
        x, weight, stride, pad_mode: as given to `conv2d`.
        gradient: (N, O, H', W') array, of the scalar by the output of `conv2d`.

    Returns:
        (by_x, by_weight): arrays like x and weight.
    """
    kernel = weight.shape[2:]
    padded = _padded(x, kernel, stride, pad_mode)
    patches = patches_of(padded, kernel, stride)
    by_weight = np.einsum("nohw,ncijhw->ocij", gradient, patches, optimize=True)
    by_patches = np.einsum("nohw,ocij->ncijhw", gradient, weight, optimize=True)
    by_padded = np.zeros_like(padded)
    height, width = gradient.shape[2:]
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            by_padded[:, :, i:i + height * stride[0]:stride[0],
                      j:j + width * stride[1]:stride[1]][:, :, :height, :width] += \
                by_patches[:, :, i, j]
    (top, _), (left, _) = (padding_of(size, k, s, pad_mode)
                           for size, k, s in zip(x.shape[2:], kernel, stride, strict=True))
    return by_padded[:, :, top:top + x.shape[2], left:left + x.shape[3]], by_weight


def _padded(x, kernel, stride, pad_mode):
    around = [padding_of(size, k, s, pad_mode)
              for size, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
    return np.pad(x, ((0, 0), (0, 0), *around))
