"""From the configuration, or from what a checkpoint carries, to a head."""
import dataclasses

from src_mindspore.heads.linear import MobileNetV2Head, feature_width


@dataclasses.dataclass(frozen=True)
class HeadSpec:
    """What has to be known to build a head again: it travels in the checkpoint.

    Attributes:
        input_channel, hw, num_classes: int.
        reduction, activation, has_bias, normalise: as for MobileNetV2Head.
    """

    input_channel: int
    hw: int
    num_classes: int
    reduction: str | None = "mean"
    activation: str = "None"
    has_bias: bool = True
    normalise: bool = False

    def build(self, weight_init="he", seed=0):
        """Return a new head of this kind."""
        return MobileNetV2Head(**dataclasses.asdict(self), weight_init=weight_init, seed=seed)

    def columns(self):
        """Return the slice of cached 'mean+max' features that this head reads."""
        if self.reduction == "max":
            return slice(self.input_channel, None)
        return slice(0, feature_width(self.input_channel, self.hw, self.reduction))

    def to_dict(self):
        """Return a JSON-able dict."""
        return dataclasses.asdict(self)


def head_spec(config, channels, num_classes):
    """Return the HeadSpec of a configuration."""
    return HeadSpec(channels, config.image_height // 32, num_classes, config.reduction,
                    config.activation, config.has_bias, config.normalise)
