"""The convolution by hand against MindSpore's, values and gradients, over a grid of settings."""
import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from src_mindspore.networks.convolution import conv2d, conv2d_gradient, padding_of

SIDES = ((6, 6), (7, 5))
KERNELS = ((1, 1), (3, 3), (2, 4), (5, 5))
STRIDES = ((1, 1), (2, 2), (3, 2))


class Scalar(nn.Cell):
    """The sum of a convolution's values, weighted."""

    def __init__(self, convolution):
        super().__init__()
        self.convolution = convolution

    def construct(self, x, weight, gradient):
        return ops.sum(self.convolution(x, weight) * gradient)


@pytest.mark.parametrize("pad_mode", ["same", "valid"])
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_values_and_gradients_are_those_of_mindspore(mindspore, kernel, stride, pad_mode):
    rng = np.random.default_rng(sum(kernel) + stride[0])
    for sides in SIDES:
        x = rng.normal(size=(2, 3, *sides)).astype(np.float32)
        weight = rng.normal(size=(4, 3, *kernel)).astype(np.float32)
        reference = ops.Conv2D(4, kernel, pad_mode=pad_mode, stride=stride)
        out = conv2d(x, weight, stride, pad_mode)
        theirs = reference(ms.Tensor(x), ms.Tensor(weight)).asnumpy()
        np.testing.assert_allclose(out, theirs, rtol=1e-4, atol=1e-4)
        gradient = rng.normal(size=out.shape).astype(np.float32)
        expected = ops.grad(Scalar(reference), (0, 1))(*map(ms.Tensor, (x, weight, gradient)))
        for mine, reference_gradient in zip(
                conv2d_gradient(x, weight, gradient, stride, pad_mode), expected, strict=True):
            np.testing.assert_allclose(mine, reference_gradient.asnumpy(), rtol=1e-3, atol=1e-4)


def test_a_case_by_hand():
    x = np.arange(16, dtype=float).reshape(1, 1, 4, 4)
    weight = np.array([[[[1.0, 0], [0, -1]]]])
    np.testing.assert_array_equal(conv2d(x, weight, pad_mode="valid"), np.full((1, 1, 3, 3), -5))
    by_x, by_weight = conv2d_gradient(x, weight, np.ones((1, 1, 3, 3)), pad_mode="valid")
    np.testing.assert_array_equal(by_weight[0, 0], [[45, 54], [81, 90]])
    np.testing.assert_array_equal(by_x[0, 0], [[1, 1, 1, 0], [1, 0, 0, -1], [1, 0, 0, -1],
                                               [0, -1, -1, -1]])


def test_the_gradient_is_the_slope():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(1, 2, 5, 5)), rng.normal(size=(2, 2, 3, 3))
    gradient = rng.normal(size=(1, 2, 3, 3))
    slopes = conv2d_gradient(x, weight, gradient, (2, 2))
    for array, slope in zip((x, weight), slopes, strict=True):
        place = tuple(rng.integers(array.shape))
        values = []
        for step in (1e-5, -1e-5):
            array[place] += step
            values.append((conv2d(x, weight, (2, 2)) * gradient).sum())
            array[place] -= step
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope[place], rel=1e-6)


def test_zeros_stand_behind_where_they_are_odd():
    assert padding_of(6, 3, 2, "same") == (0, 1)
    assert padding_of(7, 3, 2, "same") == (1, 1)
    assert padding_of(5, 1, 3, "same") == (0, 0)
    with pytest.raises(ValueError, match="kernel of 5 does not fit into 4"):
        padding_of(4, 5, 1, "valid")
    with pytest.raises(ValueError, match="pad_mode must be 'same' or 'valid'"):
        padding_of(4, 3, 1, "full")
