"""Attention over features: a Dense layer says how much each feature counts, for this photo.

The weights come from the features themselves and are multiplied onto them, as squeeze-and-excite
does with channels (Hu et al., CVPR 2018, arXiv:1709.01507), with one Dense layer. With a sigmoid
each feature is judged alone; with a softmax the features share a fixed sum.
"""
from mindspore import nn, ops


class FeatureAttention(nn.Cell):
    """Weigh features by what they say together: (N, F) float32 -> (N, F) float32.

    The weights are scaled so that equal ones leave the features as they are (softmax times F,
    sigmoid times 2), and begin equal: training starts from the classifier without attention.

    Args:
        features: int, F.
        kind: 'softmax' or 'sigmoid'.
    """

    def __init__(self, features, kind):
        super().__init__()
        self.score = nn.Dense(features, features, weight_init="zeros", bias_init="zeros")
        self.is_softmax = kind == "softmax"
        self.scale = float(features if self.is_softmax else 2)

    def weights(self, x):
        """Return the (N, F) float32 weights of (N, F) features; their mean is 1 with softmax."""
        score = self.score(x)
        shares = ops.softmax(score, 1) if self.is_softmax else ops.sigmoid(score)
        return self.scale * shares

    def construct(self, x):
        return x * self.weights(x)


class AttentiveDense(nn.Cell):
    """Attention, then a Dense layer: (N, F) float32 -> (N, C) float32 logits.

    Args:
        dense: nn.Dense.
        kind: as for FeatureAttention.

    Attributes:
        in_channels, out_channels: int, as of a Dense layer.
    """

    def __init__(self, dense, kind):
        super().__init__()
        self.in_channels, self.out_channels = dense.in_channels, dense.out_channels
        self.attention = FeatureAttention(dense.in_channels, kind)
        self.dense = dense

    def construct(self, x):
        return self.dense(self.attention(x))
