"""A gallery of the worst mistakes: the photos themselves show why a model errs."""
import cv2
import numpy as np

from src_mindspore.data.decode import BadImage, load_rgb
from src_mindspore.evaluation.plots import saved_figure
from src_mindspore.evaluation.tables import format_percent, shorten

COLUMNS = 4
THUMBNAIL = 230  # pixels of the longer side
CAPTION_WIDTH = 40  # columns of text below a photo
CELL_WIDTH, CELL_HEIGHT, PHOTO, TITLE = 2.7, 3.2, 2.5, 0.5  # inches
GREY = 190
RIGHT, WRONG, PLAIN = "#1a7a3c", "#b3261e", "#555555"

WORDS = {
    "en": {
        "mistakes": "{total} mistakes in {n} photos, the most certain first ({shown} shown)",
        "one mistake": "1 mistake in {n} photos",
        "none": "No mistake in {n} photos; the {shown} least certain right answers",
        "truth": "truth: {name}", "predicted": "predicted: {name} {share}",
        "unreadable": "cannot be read",
    },
    "zh": {
        "mistakes": "{n} 张图片中有 {total} 张预测错误；显示 {shown} 张，按置信度从高到低排列",
        "one mistake": "{n} 张图片中有 1 张预测错误",
        "none": "{n} 张图片全部预测正确；以下是置信度最低的 {shown} 张",
        "truth": "真实：{name}", "predicted": "预测：{name} {share}",
        "unreadable": "无法读取",
    },
}


def plot_mistakes(predictions, path, language="en", most=24):
    """Draw the worst mistakes, the highest probability on a wrong class first.

    Without a mistake the least certain right answers are drawn, and the title says so. A photo
    that cannot be read is a grey box.

    Args:
        predictions: Predictions; photos of unknown class are left out.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
        most: int, the largest number of photos.

    Raises:
        LabError: see `Predictions.require_truth`.
    """
    predictions.require_truth()
    chosen, title = _choose(predictions, WORDS[language], most)
    plot_photos(predictions.root, [(predictions.paths[i], _caption(predictions, i, language))
                                   for i in chosen], title, path, language)


def plot_photos(root, cells, title, path, language="en"):
    """Draw photos in a grid, each with lines of text below it.

    Args:
        root: Path that the photos are relative to.
        cells: sequence of (file, lines), where lines are (text, colour), at most three.
        title: str.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    width, height = COLUMNS * CELL_WIDTH, -(-len(cells) // COLUMNS) * CELL_HEIGHT + TITLE
    with saved_figure(path, width, height) as figure:
        figure.text(0, 1 - 0.2 / height, title, fontsize=12, va="center")
        for place, (file, lines) in enumerate(cells):
            row, column = divmod(place, COLUMNS)
            bottom = height - TITLE - row * CELL_HEIGHT - PHOTO
            axes = figure.add_axes((column * CELL_WIDTH / width, bottom / height,
                                    PHOTO / width, PHOTO / height))
            axes.set(xticks=(), yticks=())
            axes.spines[:].set_color("#d0d0d0")
            _draw(axes, root / file, lines, language)


def _choose(predictions, words, most):
    known = predictions.labelled
    wrong = np.flatnonzero(known & (predictions.predicted != predictions.labels))
    right = np.flatnonzero(known & (predictions.predicted == predictions.labels))
    n = int(known.sum())
    if len(wrong):
        shown = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:most]
        key = "one mistake" if len(wrong) == 1 else "mistakes"
        return shown, words[key].format(total=len(wrong), n=n, shown=len(shown))
    shown = right[np.argsort(predictions.confidence[right], kind="stable")][:most]
    return shown, words["none"].format(n=n, shown=len(shown))


def _caption(predictions, i, language):
    """Return the lines below a photo: its file, the truth and the prediction."""
    words = WORDS[language]
    names = predictions.classes.in_language(language)
    truth, predicted = predictions.labels[i], predictions.predicted[i]
    share = format_percent(predictions.confidence[i])
    predicted_width = CAPTION_WIDTH - len("predicted: 100.0 %") + 1
    return (
        (shorten(predictions.paths[i], CAPTION_WIDTH, keep_end=True), PLAIN),
        (words["truth"].format(name=shorten(names[truth], CAPTION_WIDTH - len("truth: "))), RIGHT),
        (words["predicted"].format(name=shorten(names[predicted], predicted_width), share=share),
         RIGHT if truth == predicted else WRONG),
    )


def _draw(axes, file, lines, language):
    try:
        image = _thumbnail(load_rgb(file))
    except BadImage:
        image = np.full((THUMBNAIL, THUMBNAIL, 3), GREY, np.uint8)
        axes.text(THUMBNAIL / 2, THUMBNAIL / 2, WORDS[language]["unreadable"], ha="center",
                  va="center")
    height, width = image.shape[:2]
    axes.imshow(image)
    # The same square for every photo keeps the captions in line.
    axes.set_xlim((width - THUMBNAIL) / 2, (width + THUMBNAIL) / 2)
    axes.set_ylim((height + THUMBNAIL) / 2, (height - THUMBNAIL) / 2)
    for line, (text, colour) in enumerate(lines):
        axes.annotate(text, (0, 0), xycoords="axes fraction", xytext=(0, -10 - 12 * line),
                      textcoords="offset points", fontsize=8, color=colour)


def _thumbnail(image):
    height, width = image.shape[:2]
    scale = THUMBNAIL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size,
                      interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
