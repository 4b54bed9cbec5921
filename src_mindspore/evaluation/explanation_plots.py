"""Pictures of explanations: the heat laid over the photo, alone and on a sheet."""
import cv2
import matplotlib
import numpy as np

from src_mindspore.evaluation.gallery import RIGHT, WRONG
from src_mindspore.evaluation.plots import saved_figure
from src_mindspore.evaluation.tables import format_percent, shorten

COLOURS = "turbo"
STRENGTH = 0.65  # part of the hottest pixel that is colour and not photo
PANEL, CAPTION = 2.9, 0.62  # inches
CAPTION_WIDTH = 36  # columns of text
TILE, TILE_TEXT, COLUMNS = 1.55, 0.5, 4
TITLE = 0.45
NEUTRAL = "#444444"

WORDS = {
    "en": {"seen": "what the network sees", "predicted": "predicted: {name} {share}",
           "truth": "truth: {name} {share}", "both": "predicted, and true: {name} {share}",
           "asked": "asked for: {name} {share}", "cold": "nothing here speaks for it",
           "sheet": "{name}: where the evidence for the prediction lies"},
    "zh": {"seen": "网络看到的图片", "predicted": "预测：{name} {share}",
           "truth": "真实：{name} {share}", "both": "预测正确：{name} {share}",
           "asked": "指定类别：{name} {share}", "cold": "图中没有支持它的依据",
           "sheet": "{name}：预测的依据在哪里"},
}


def overlay(image, heat, largest=None):
    """Lay heat over a photo: cold places show the photo, hot ones are coloured.

    Args:
        image: (H, W, 3) uint8 RGB.
        heat: (h, w) float >= 0; resized bilinearly to the photo.
        largest: float, the heat drawn as hottest; None: the largest of this map.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    largest = float(heat.max()) if largest is None else largest
    if largest <= 0:
        return image.copy()
    share = cv2.resize(heat.astype(np.float32) / largest, (width, height),
                       interpolation=cv2.INTER_LINEAR).clip(0, 1)
    colours = 255 * matplotlib.colormaps[COLOURS](share)[..., :3]
    weight = STRENGTH * share[..., None]
    return np.rint((1 - weight) * image + weight * colours).astype(np.uint8)


def plot_explanation(explanation, classes, path, language="en"):
    """Draw a photo and, beside it, the heat for the prediction, the truth and what was asked for.

    Args:
        explanation: Explanation.
        classes: ClassNames of the model.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words, names = WORDS[language], classes.in_language(language)
    panels = [(explanation.image, f"{shorten(explanation.path, CAPTION_WIDTH, keep_end=True)}\n"
               f"{words['seen']}", NEUTRAL)]
    for label, heat in explanation.heats.items():
        kind, colour = _kind(explanation, label)
        text = _caption(words[kind], names[label], explanation.probabilities[label])
        if heat.max() <= 0:
            text += "\n" + words["cold"]
        panels.append((overlay(explanation.image, heat), text, colour))
    width, height = PANEL * len(panels), PANEL + CAPTION
    with saved_figure(path, width, height) as figure:
        for number, (picture, text, colour) in enumerate(panels):
            axes = figure.add_axes((number / len(panels), CAPTION / height, 0.97 / len(panels),
                                    PANEL / height))
            axes.set_axis_off()
            axes.imshow(picture)
            axes.annotate(text, (0, 0), xycoords="axes fraction", xytext=(0, -5),
                          textcoords="offset points", va="top", fontsize=9, color=colour)


def plot_heat_sheet(explanations, classes, path, title="", language="en"):
    """Draw many photos, each beside the heat for its prediction.

    Args:
        explanations: list of Explanation.
        classes: ClassNames of the model.
        path: str or Path of the PNG.
        title: str above the sheet, such as the name of the class.
        language: 'en' or 'zh'.
    """
    words, names = WORDS[language], classes.in_language(language)
    columns = min(COLUMNS, len(explanations))
    cell = 2 * TILE + 0.15
    width = columns * cell
    height = -(-len(explanations) // columns) * (TILE + TILE_TEXT) + TITLE
    with saved_figure(path, width, height) as figure:
        if title:
            figure.text(0, 1 - 0.2 / height, words["sheet"].format(name=title), fontsize=12,
                        va="center")
        for place, one in enumerate(explanations):
            row, column = divmod(place, columns)
            bottom = height - TITLE - row * (TILE + TILE_TEXT) - TILE
            axes = figure.add_axes((column * cell / width, bottom / height, 2 * TILE / width,
                                    TILE / height))
            axes.set_axis_off()
            axes.imshow(np.concatenate((one.image, overlay(one.image, one.heats[one.predicted])),
                                       axis=1))
            kind, colour = _kind(one, one.predicted)
            lines = [(_caption(words[kind], names[one.predicted],
                               one.probabilities[one.predicted]), colour)]
            if one.is_wrong:
                lines.append((_caption(words["truth"], names[one.label],
                                       one.probabilities[one.label]), RIGHT))
            else:
                lines.append((shorten(one.path, CAPTION_WIDTH + 6, keep_end=True), NEUTRAL))
            for line, (text, shade) in enumerate(lines):
                axes.annotate(text, (0, 0), xycoords="axes fraction", xytext=(0, -10 - 11 * line),
                              textcoords="offset points", fontsize=8, color=shade)


def _kind(explanation, label):
    """Return (key of WORDS, colour) of a class of an explanation."""
    if label == explanation.predicted:
        if label == explanation.label:
            return "both", RIGHT
        return "predicted", WRONG if explanation.is_wrong else NEUTRAL
    return ("truth", RIGHT) if label == explanation.label else ("asked", NEUTRAL)


def _caption(template, name, probability):
    room = CAPTION_WIDTH - len("predicted, and true: 100.0 %") + 8
    return template.format(name=shorten(name, room), share=format_percent(probability))
