"""From the configuration, or from what a checkpoint carries, to a head."""
import dataclasses

from src_mindspore.attention import BLOCKS
from src_mindspore.heads.hidden import HiddenHead
from src_mindspore.heads.linear import MobileNetV2Head, feature_width
from src_mindspore.heads.map_attention import MapAttentionHead
from src_mindspore.heads.rbf import RBFHead
from src_mindspore.heads.svd import SVDHead
from src_mindspore.heads.svm import SVMHead


@dataclasses.dataclass(frozen=True)
class HeadSpec:
    """What has to be known to build a head again: it travels in the checkpoint.

    Attributes:
        input_channel, hw, num_classes: int.
        kind: 'linear', 'rbf', 'svd', 'se', 'cbam', 'svm_linear' (a linear head fitted as an SVM),
            'svm_rbf' or 'hidden' (the two Dense layers of a CNN from scratch).
        reduction, activation, has_bias, normalise: as for MobileNetV2Head.
        centres, width: int, as for RBFMap; 0 for a linear head. A HiddenHead has a width. An SVM
            of kernels has none, and as many centres as it has support vectors, which is known when
            it is fitted.
        components: int, as for SVDMap; 0 for another head.
        attention: as for MobileNetV2Head; 'none' for an SVM.
    """

    input_channel: int
    hw: int
    num_classes: int
    kind: str = "linear"
    reduction: str | None = "mean"
    activation: str = "None"
    has_bias: bool = True
    normalise: bool = False
    centres: int = 0
    width: int = 0
    components: int = 0
    attention: str = "none"

    def build(self, weight_init="he", seed=0):
        """Return a new head of this kind, its initial weights drawn from the seed."""
        shape = {"input_channel": self.input_channel, "num_classes": self.num_classes,
                 "reduction": self.reduction, "activation": self.activation,
                 "has_bias": self.has_bias, "weight_init": weight_init, "seed": seed}
        if self.kind == "hidden":
            return HiddenHead(hw=self.hw, width=self.width, **shape)
        if self.kind in BLOCKS:
            return MapAttentionHead(self.kind, self.input_channel, self.hw, self.num_classes,
                                    self.activation, self.has_bias, weight_init, seed)
        if self.kind != "svm_rbf":
            shape["attention"] = self.attention
        if self.kind == "rbf":
            return RBFHead(centres=self.centres, width=self.width, **shape)
        if self.kind == "svd":
            return SVDHead(components=self.components, **shape)
        if self.kind == "svm_rbf":
            return SVMHead(centres=self.centres, **shape)
        return MobileNetV2Head(hw=self.hw, normalise=self.normalise, **shape)

    def of(self, head):
        """Return the spec of a fitted head: an SVM's support vectors are counted only then."""
        if self.kind != "svm_rbf":
            return self
        return dataclasses.replace(self, centres=head.prepare.centres.shape[0])

    def columns(self):
        """Return the slice of cached 'mean+max' features that this head reads."""
        if self.reduction == "max":
            return slice(self.input_channel, None)
        return slice(0, feature_width(self.input_channel, self.hw, self.reduction))

    def to_dict(self):
        """Return a JSON-able dict."""
        return dataclasses.asdict(self)


def head_spec(config, channels, num_classes, train_photos, hw=None):
    """Return the HeadSpec of a configuration.

    Args:
        config: the configuration.
        channels: int, of the backbone's last map.
        num_classes: int.
        train_photos: int, how many photos there are to learn from; bounds the centres of an RBF
            head.
        hw: int, side of the feature map; None: one position for 32 pixels, as nearly all have.
    """
    linear = HeadSpec(channels, hw or config.image_height // 32, num_classes, "linear",
                      config.reduction, config.activation, config.has_bias, config.normalise,
                      attention=config.attention)
    if config.head == "linear":
        return linear
    if config.head in BLOCKS:
        return dataclasses.replace(linear, kind=config.head, normalise=False)
    if config.head == "svd":
        return dataclasses.replace(linear, kind="svd", normalise=False,
                                   components=config.svd_components)
    if config.head == "svm_linear":
        return dataclasses.replace(linear, kind="svm_linear", normalise=True, has_bias=True)
    if config.head == "svm_rbf":
        return dataclasses.replace(linear, kind="svm_rbf", normalise=False, has_bias=True)
    centres = min(config.rbf_centres, train_photos)
    return dataclasses.replace(linear, kind="rbf", normalise=False, centres=centres,
                               width=min(config.rbf_width, centres))
