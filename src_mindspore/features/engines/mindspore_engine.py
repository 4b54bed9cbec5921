"""The reference: MindSpore itself."""
import functools

import mindspore as ms
from mindspore import nn

from src_mindspore.backbones.folding import fold_batchnorm
from src_mindspore.backbones.registry import entry_of
from src_mindspore.features.engines.base import NetworkEngine
from src_mindspore.heads.linear import GlobalPooling


class _Pooled(nn.Cell):
    def __init__(self, backbone, pooling):
        super().__init__(auto_prefix=False)
        self.backbone = backbone
        self.pooling = pooling

    def construct(self, x):
        return self.pooling(self.backbone(x))


class MindSporeEngine(NetworkEngine):
    """The backbone in graph mode, BatchNorm folded, pooled inside the graph.

    The network is made when it is first needed: where everything is cached, it never is.

    Args:
        backbone: Backbone.
        pooling: 'mean+max', or 'none' for whole feature maps.
        batch_size: int.
    """

    def __init__(self, backbone, pooling, batch_size):
        name = backbone.name.replace(":", "-")
        super().__init__(f"{name}-{backbone.sha256[:16]}-{backbone.padding}-{pooling}",
                         backbone.preprocess.input_shape, batch_size)
        self.backbone = backbone
        self.pooling = pooling

    @functools.cached_property
    def network(self):
        """The pooled network; Cell (N, 3, H, W) -> (N, F) in evaluation mode."""
        # Folding changes a cell for good, so it is done on a copy.
        copy = entry_of(self.backbone.name).build(self.backbone.padding)
        ms.load_param_into_net(copy, {p.name: p for p in self.backbone.cell.get_parameters()})
        fold_batchnorm(copy)
        pool = nn.Identity() if self.pooling == "none" else GlobalPooling(self.pooling)
        return _Pooled(copy, pool).set_train(False)
