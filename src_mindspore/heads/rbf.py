"""A head that compares a photo with training photos: an RBF network on frozen features.

Broomhead and Lowe, "Multivariable Functional Interpolation and Adaptive Networks", 1988; the
whitening is the Nystroem map of Williams and Seeger, NIPS 2000, which makes a linear classifier on
it the same as one in the kernel's own space. What is learnt is still one Dense layer.
"""
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from src_mindspore.heads.linear import (
    GlobalPooling,
    activation_cell,
    dense_layer,
    feature_width,
)

# Scale of the mapped features: with it a learning rate of about 0.1 to 1 is right.
FEATURE_SCALE = 10.0
# Directions of the kernel with less than this part of the largest eigenvalue are noise.
EIGENVALUE_FLOOR = 1e-6


class UnitRoot(nn.Cell):
    """Square root, then length 1: (N, F) float32, >= 0 -> (N, F) float32.

    The inner product of two such vectors is their Bhattacharyya similarity, from 0 to 1
    ("RootSIFT", Arandjelovic and Zisserman, CVPR 2012).
    """

    def construct(self, x):
        root = ops.sqrt(ops.relu(x))
        return root / ops.sqrt(ops.sum(root * root, 1, keepdim=True) + 1e-12)


def unit_roots(pooled):
    """Return UnitRoot of (N, F) pooled features, in float64 and NumPy."""
    root = np.sqrt(np.maximum(pooled.astype(np.float64), 0))
    root /= np.sqrt((root**2).sum(axis=1, keepdims=True) + 1e-12)
    return root


def scaled_gamma(roots, gamma):
    """Return gamma, given in units of one over the mean squared distance from the mean, as the
    factor of squared distances of (N, F) unit roots.
    """
    variance = ((roots - roots.mean(axis=0))**2).sum(axis=1).mean()
    return gamma / max(variance, 1e-12)


class KernelMap(nn.Cell):
    """Similarity to `centres` training photos: exp(-gamma * squared distance of the unit roots).

    (N, F) float32 -> (N, centres) float32, from 0 to 1.

    Args:
        features: int, F.
        centres: int.
    """

    def __init__(self, features, centres):
        super().__init__()
        self.root = UnitRoot()
        self.centres = Parameter(Tensor(np.zeros((centres, features), np.float32)), "centres",
                                 requires_grad=False)
        self.gamma = Parameter(Tensor(np.ones((), np.float32)), "gamma", requires_grad=False)
        self.matmul = ops.MatMul(transpose_b=True)

    def take(self, roots, gamma):
        """Take (centres, F) unit roots as centres, and gamma as `scaled_gamma` returns it."""
        self.centres.set_data(Tensor(roots.astype(np.float32)))
        self.gamma.set_data(Tensor(np.float32(gamma)))

    def similarity(self, x):
        """Return the kernel of (N, F) pooled features."""
        return ops.exp(2 * self.gamma * (self.matmul(self.root(x), self.centres) - 1))

    def construct(self, x):
        return self.similarity(x)


class RBFMap(KernelMap):
    """Similarity to `centres` training photos, whitened to `width` values.

    (N, F) float32 -> (N, width) float32.

    Args:
        features, centres: as for KernelMap.
        width: int <= centres.
    """

    def __init__(self, features, centres, width):
        super().__init__(features, centres)
        self.whiten = Parameter(Tensor(np.zeros((centres, width), np.float32)), "whiten",
                                requires_grad=False)

    def fit(self, pooled, gamma):
        """Take training photos as centres and compute the whitening.

        Args:
            pooled: (centres, F) float32 features of distinct training photos.
            gamma: float, see `scaled_gamma`.
        """
        root = unit_roots(pooled)
        scaled = scaled_gamma(root, gamma)
        kernel = np.exp(2 * scaled * (root @ root.T - 1))
        values, vectors = np.linalg.eigh(kernel)
        values, vectors = values[::-1], vectors[:, ::-1]
        # The sign of an eigenvector is arbitrary; fixing it makes the map reproducible.
        signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
        width = self.whiten.shape[1]
        whiten = vectors * signs / np.sqrt(np.maximum(values, EIGENVALUE_FLOOR * values[0]))
        self.whiten.set_data(Tensor((FEATURE_SCALE * whiten[:, :width]).astype(np.float32)))
        self.take(root, scaled)

    def construct(self, x):
        return ops.matmul(self.similarity(x), self.whiten)


class RBFHead(nn.Cell):
    """Pool, compare with training photos, and classify.

    (N, input_channel, h, w) float32 -> (N, num_classes) float32: logits, or probabilities where
    an activation is set and the cell is not training.

    Args:
        input_channel, num_classes, reduction, activation, has_bias, weight_init, seed, attention:
            as for MobileNetV2Head, but reduction may not be None.
        centres, width: as for RBFMap.
    """

    def __init__(self, input_channel, num_classes, centres, width, reduction="mean",
                 activation="None", has_bias=True, weight_init="he", seed=0, attention="none"):
        super().__init__()
        self.pooling = GlobalPooling(reduction)
        self.prepare = RBFMap(feature_width(input_channel, 1, reduction), centres, width)
        self.dense = dense_layer(width, num_classes, has_bias, weight_init, seed, attention)
        self.activation = activation_cell(activation)

    def construct(self, x):
        logits = self.dense(self.prepare(self.pooling(x)))
        return logits if self.training else self.activation(logits)
