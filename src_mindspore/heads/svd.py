"""A head that keeps the strongest directions of the features: truncated SVD, then a Dense layer.

Eckart and Young, "The approximation of one matrix by another of lower rank", 1936; on joined deep
features it removes what the backbones say twice. The projection is a fixed matrix, so in the
exported network it is one more Dense layer.
"""
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from scipy.linalg import eigh

from src_mindspore.errors import LabError
from src_mindspore.heads.linear import (
    GlobalPooling,
    activation_cell,
    dense_layer,
    feature_width,
)

CHUNK_ROWS = 4096


def right_singular_vectors(rows, components):
    """Return the strongest right singular vectors of X and the scale of what they keep.

    They are the eigenvectors of X^T X, which is summed over chunks: rows on disk stay there.

    Args:
        rows: (N, F) float32 array or rows on disk, not centred.
        components: int from 1 to min(N, F).

    Returns:
        (V, scale): (F, components) float64, signs fixed by the largest entry, and
        ||XV||_F / sqrt(N), the root mean square length of a projected row.

    Raises:
        LabError: more components than rows or than values of a row.
    """
    count, width = rows.shape
    if not 1 <= components <= min(count, width):
        raise LabError(f"svd_components is {components}, but the training features have {count} "
                       f"rows of {width} values; expected at most {min(count, width)}. Lower "
                       "--svd_components.")
    gram = np.zeros((width, width))
    for first in range(0, count, CHUNK_ROWS):
        part = rows[np.arange(first, min(first + CHUNK_ROWS, count))].astype(np.float64)
        gram += part.T @ part
    values, vectors = eigh(gram, subset_by_index=(width - components, width - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(components)])
    return vectors * signs, float(np.sqrt(max(values.sum(), 0) / count))


class SVDMap(nn.Cell):
    """Project on the strongest directions: (N, F) float32 -> (N, components) float32.

    Args:
        features, components: int.
    """

    def __init__(self, features, components):
        super().__init__()
        self.projection = Parameter(Tensor(np.zeros((features, components), np.float32)),
                                    "projection", requires_grad=False)

    def fit(self, rows):
        """Fit on training rows alone; see `right_singular_vectors`."""
        vectors, scale = right_singular_vectors(rows, self.projection.shape[1])
        self.projection.set_data(Tensor((vectors / max(scale, 1e-12)).astype(np.float32)))

    def construct(self, x):
        return ops.matmul(x, self.projection)


class SVDHead(nn.Cell):
    """Pool, project, and classify.

    (N, input_channel, h, w) float32 -> (N, num_classes) float32: logits, or probabilities where
    an activation is set and the cell is not training.

    Args:
        input_channel, num_classes, reduction, activation, has_bias, weight_init, seed, attention:
            as for MobileNetV2Head, but reduction may not be None.
        components: int, as for SVDMap.
    """

    def __init__(self, input_channel, num_classes, components, reduction="mean",
                 activation="None", has_bias=True, weight_init="he", seed=0, attention="none"):
        super().__init__()
        self.pooling = GlobalPooling(reduction)
        self.prepare = SVDMap(feature_width(input_channel, 1, reduction), components)
        self.dense = dense_layer(components, num_classes, has_bias, weight_init, seed, attention)
        self.activation = activation_cell(activation)

    def construct(self, x):
        logits = self.dense(self.prepare(self.pooling(x)))
        return logits if self.training else self.activation(logits)
