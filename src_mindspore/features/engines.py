"""Who computes features. MindSpore is the reference."""
import mindspore as ms
import numpy as np
from mindspore import nn

from src_mindspore.backbones.folding import fold_batchnorm
from src_mindspore.backbones.registry import BACKBONES, Backbone
from src_mindspore.heads.linear import GlobalPooling


class _Pooled(nn.Cell):
    def __init__(self, backbone, pooling):
        super().__init__(auto_prefix=False)
        self.backbone = backbone
        self.pooling = pooling

    def construct(self, x):
        return self.pooling(self.backbone(x))


class MindSporeEngine:
    """The backbone in graph mode, BatchNorm folded, pooled inside the graph.

    Args:
        backbone: Backbone.
        pooling: 'mean+max', or 'none' for whole feature maps.
        batch_size: int; shorter batches are padded to it, so that one graph serves all.
    """

    name = "mindspore"
    precision = "float32"

    def __init__(self, backbone: Backbone, pooling: str, batch_size: int):
        # Folding changes a cell for good, so it is done on a copy.
        copy = BACKBONES[backbone.name].build(backbone.padding)
        ms.load_param_into_net(copy, {p.name: p for p in backbone.cell.get_parameters()})
        fold_batchnorm(copy)
        pool = nn.Identity() if pooling == "none" else GlobalPooling(pooling)
        self.network = _Pooled(copy, pool).set_train(False)
        self.batch_size = batch_size

    def __call__(self, images):
        """Compute features.

        Args:
            images: (N, 3, H, W) float32, N <= batch_size.

        Returns:
            (N, 2 * channels) or (N, channels, H/32, W/32) float32.
        """
        count = len(images)
        if count < self.batch_size:
            padding = np.zeros((self.batch_size - count, *images.shape[1:]), np.float32)
            images = np.concatenate((images, padding))
        return self.network(ms.Tensor(images)).asnumpy()[:count]
