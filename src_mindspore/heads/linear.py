"""The head of the course's lab: pool the feature map, classify with one Dense layer.

The course's defaults hurt in two places (weights of ones, no bias); ours are He-uniform weights
and a bias, and the old ones stay selectable for the lesson.
"""
import math

import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from src_mindspore.heads.attention import AttentiveDense

REDUCTIONS = ("mean", "max", "mean+max")
ACTIVATIONS = ("None", "Sigmoid", "Softmax")


class GlobalPooling(nn.Cell):
    """Reduce a feature map over its positions.

    (N, C, H, W) float32 -> (N, C) for 'mean' and 'max', (N, 2C) for 'mean+max', mean first. A
    tuple of maps, of several backbones, is reduced map by map: the means of all, then the maxima.

    Args:
        reduction: 'mean', 'max' or 'mean+max'.

    Raises:
        ValueError: another reduction.
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {REDUCTIONS}. "
                             f"Received: reduction={reduction!r}")
        self.reduction = reduction
        self.reduce_max = ops.ReduceMax()

    def construct(self, x):
        maps = x if isinstance(x, tuple) else (x,)
        parts = ()
        if self.reduction != "max":
            for one in maps:
                parts = (*parts, ops.mean(one, (2, 3)))
        if self.reduction != "mean":
            for one in maps:
                parts = (*parts, self.reduce_max(one, (2, 3)))
        return parts[0] if len(parts) == 1 else ops.concat(parts, 1)


class FeatureNorm(nn.Cell):
    """Square root, then standardise with the training set's mean and deviation; learns nothing.

    Pooled ReLU features are skewed: most are near 0, a few large. The square root (the power
    normalisation of Perronnin et al., "Improving the Fisher Kernel", ECCV 2010) evens them, the
    standardisation gives every channel the same say at the start.

    (N, F) float32, >= 0 -> (N, F) float32 of about mean 0 and deviation 1 on train.
    """

    def __init__(self, features):
        super().__init__()
        self.mean = Parameter(Tensor(np.zeros(features, np.float32)), "mean", requires_grad=False)
        self.scale = Parameter(Tensor(np.ones(features, np.float32)), "scale", requires_grad=False)

    def fit(self, mean, deviation):
        """Set the statistics: two (F,) arrays of the square roots of the training features."""
        # A channel that never fires keeps a scale of 1 / FLOOR instead of dividing by zero.
        floor = 1e-3
        self.mean.set_data(Tensor(mean.astype(np.float32)))
        self.scale.set_data(Tensor((1 / (deviation + floor)).astype(np.float32)))

    def construct(self, x):
        return (ops.sqrt(ops.relu(x)) - self.mean) * self.scale


class MobileNetV2Head(nn.Cell):
    """Pool, normalise if asked, and classify.

    (N, input_channel, hw, hw) float32 -> (N, num_classes) float32: logits, or probabilities where
    an activation is set and the cell is not training (a softmax under a softmax loss trains
    twice-squashed).

    Args:
        input_channel: int, channels of the backbone's last map.
        hw: int, its height and width; used when reduction is None.
        num_classes: int >= 2.
        reduction: 'mean', 'max', 'mean+max' (side by side), or None: flatten every position.
        activation: 'None', 'Sigmoid' or 'Softmax'.
        weight_init: 'he' or 'ones' (the course's: all logits equal at the start).
        has_bias: bool; the course's head has none.
        normalise: bool, put a FeatureNorm before the Dense layer.
        seed: int, of the initial weights.
        attention: 'none', or the kind of a FeatureAttention before the Dense layer.

    Raises:
        ValueError: an unknown reduction, activation or weight_init.
    """

    def __init__(self, input_channel=1280, hw=7, num_classes=1000, reduction="mean",
                 activation="None", weight_init="he", has_bias=True, normalise=False, seed=0,
                 attention="none"):
        super().__init__()
        width = feature_width(input_channel, hw, reduction)
        self.pooling = GlobalPooling(reduction) if reduction else nn.Flatten()
        self.prepare = FeatureNorm(width) if normalise else nn.Identity()
        self.dense = dense_layer(width, num_classes, has_bias, weight_init, seed, attention)
        self.activation = activation_cell(activation)

    def construct(self, x):
        logits = self.dense(self.prepare(self.pooling(x)))
        return logits if self.training else self.activation(logits)


def feature_width(channels, hw, reduction):
    """Return how many values the Dense layer sees for one image.

    Raises:
        ValueError: an unknown reduction.
    """
    if reduction is None:
        return channels * hw * hw
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {(*REDUCTIONS, None)}. "
                         f"Received: reduction={reduction!r}")
    return 2 * channels if reduction == "mean+max" else channels


def activation_cell(name):
    """Return the Cell of an activation on logits: 'None', 'Sigmoid' or 'Softmax'.

    Raises:
        ValueError: another name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {ACTIVATIONS}. Received: activation={name!r}")
    return {"None": nn.Identity(), "Sigmoid": nn.Sigmoid(), "Softmax": nn.Softmax(axis=1)}[name]


def dense_layer(inputs, outputs, has_bias, weight_init, seed, attention="none"):
    """Return the Dense layer that learns, the same for the same seed whatever was made before.

    Args:
        inputs, outputs: int.
        has_bias: bool.
        weight_init, seed: as for `initial_weight`.
        attention: 'none', or the kind of a FeatureAttention that learns with it.
    """
    # MindSpore's default bias is drawn from a stream that all cells of a process share.
    dense = nn.Dense(inputs, outputs, has_bias=has_bias, bias_init="zeros",
                     weight_init=initial_weight(weight_init, inputs, outputs, seed))
    return dense if attention == "none" else AttentiveDense(dense, attention)


def initial_weight(name, inputs, outputs, seed):
    """Return a (outputs, inputs) float32 Tensor.

    'he' is uniform in +-sqrt(1/inputs), what He et al. (arXiv:1502.01852) give for a linear layer
    with a = sqrt(5); drawn by NumPy, so that it depends on the seed alone.
    """
    if name == "ones":
        return Tensor(np.ones((outputs, inputs), np.float32))
    if name != "he":
        raise ValueError(f"weight_init must be 'he' or 'ones'. Received: weight_init={name!r}")
    bound = 1 / math.sqrt(inputs)
    values = np.random.default_rng(seed).uniform(-bound, bound, (outputs, inputs))
    return Tensor(values.astype(np.float32))
