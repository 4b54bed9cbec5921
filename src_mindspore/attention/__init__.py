"""Attention blocks: cells that weigh the channels and positions of a feature map by its content."""
from src_mindspore.attention.cbam import CBAM
from src_mindspore.attention.squeeze_excite import SqueezeExcite

# By the name a configuration has for them: each is built from a number of channels.
BLOCKS = {"se": SqueezeExcite, "cbam": CBAM}

__all__ = ["BLOCKS", "CBAM", "SqueezeExcite"]
