"""Feature maps as pictures: what the channels of some layers answer to one photo."""
import numpy as np

from src_mindspore.evaluation.plots import saved_figure

CELL, NAME = 1.35, 1.35  # inches
WORDS = {"en": {"photo": "input", "map": "{channels} channels\nof {height} x {width}"},
         "zh": {"photo": "输入", "map": "{channels} 个通道\n每个 {height} x {width}"}}


def liveliest(feature_map, count):
    """Return the channels that vary most over the positions: (count,) int, the liveliest first.

    Args:
        feature_map: (K, h, w) float.
        count: int.
    """
    return np.argsort(-feature_map.std(axis=(1, 2)), kind="stable")[:count]


def plot_feature_maps(image, maps, path, language="en", channels=6):
    """Draw a photo and, a row for each layer, the channels that vary most.

    Args:
        image: (H, W, 3) uint8 RGB.
        maps: dict from the layer's name to its (K, h, w) float map.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
        channels: int, of a layer.
    """
    words = WORDS[language]
    rows = len(maps)
    width, height = CELL * (channels + 1.2) + NAME, CELL * rows
    with saved_figure(path, width, height) as figure:
        axes = figure.add_axes((0, (height - CELL) / height, CELL / width, 0.96 * CELL / height))
        axes.imshow(image)
        axes.set_axis_off()
        axes.annotate(words["photo"], (0, 0), xycoords="axes fraction", xytext=(0, -12),
                      textcoords="offset points", fontsize=9)
        for row, (name, feature_map) in enumerate(maps.items()):
            bottom = (height - (row + 1) * CELL) / height
            count, high, wide = feature_map.shape
            figure.text((CELL * 1.2) / width, bottom + 0.5 * CELL / height,
                        f"{name}\n" + words["map"].format(channels=count, height=high, width=wide),
                        fontsize=9, va="center")
            for column, channel in enumerate(liveliest(feature_map, channels)):
                axes = figure.add_axes(((CELL * (1.2 + column) + NAME) / width, bottom,
                                        0.96 * CELL / width, 0.96 * CELL / height))
                axes.imshow(feature_map[channel], cmap="viridis", interpolation="nearest")
                axes.set_axis_off()
