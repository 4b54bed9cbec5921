"""Nearest neighbours in feature space: which known photos look alike to the backbone."""
import numpy as np

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import PreprocessSpec, resize_and_crop
from src_mindspore.evaluation.gallery import RIGHT, WRONG
from src_mindspore.evaluation.plots import saved_figure
from src_mindspore.evaluation.tables import shorten
from src_mindspore.heads.rbf import unit_roots

SIDE = 160  # pixels of a thumbnail
CELL, TEXT, GAP = 1.35, 0.3, 0.35  # inches
NAME_WIDTH = 17  # columns of a caption
WORDS = {
    "en": {"asked": "asked about", "near": "its nearest neighbours in train, the nearest first"},
    "zh": {"asked": "要问的照片", "near": "训练集中与它最近的照片，由近到远"},
}


def nearest(asked, known, count):
    """Find the most similar rows; similarity is the inner product of unit roots, as in RBFHead.

    Args:
        asked: (N, F) float, pooled features, >= 0.
        known: (M, F) float.
        count: int <= M.

    Returns:
        (numbers, similarity): (N, count) int rows of `known`, the most similar first, and their
        similarity, (N, count) float64 from 0 to 1.
    """
    similarity = unit_roots(asked) @ unit_roots(known).T
    numbers = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return numbers, np.take_along_axis(similarity, numbers, axis=1)


def plot_neighbours(asked, neighbours, root, classes, path, language="en"):
    """Draw photos, a row each, with their neighbours beside them.

    Args:
        asked: list of (path, label), relative to `root`; the label names the truth.
        neighbours: list of lists of (path, label, similarity).
        root: Path.
        classes: ClassNames.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.

    Raises:
        BadImage: a photo cannot be read.
    """
    words, names = WORDS[language], classes.in_language(language)
    columns = max(map(len, neighbours))
    width = (columns + 1) * CELL + GAP
    height = len(asked) * (CELL + TEXT) + TEXT
    with saved_figure(path, width, height) as figure:
        for left, key in ((0, "asked"), (CELL + GAP, "near")):
            figure.text(left / width, 1 - 0.5 * TEXT / height, words[key], fontsize=9, va="center")
        for row, ((file, truth), others) in enumerate(zip(asked, neighbours, strict=True)):
            bottom = height - TEXT - row * (CELL + TEXT) - CELL
            cells = [(file, shorten(names[truth], NAME_WIDTH), "black")] + [
                (other, f"{shorten(names[label], NAME_WIDTH - 5)} {similarity:.2f}",
                 RIGHT if label == truth else WRONG) for other, label, similarity in others]
            for column, (name, caption, colour) in enumerate(cells):
                left = column * CELL + (GAP if column else 0)
                axes = figure.add_axes((left / width, bottom / height, 0.95 * CELL / width,
                                        CELL / height))
                axes.set_axis_off()
                axes.imshow(resize_and_crop(load_rgb(root / name),
                                            PreprocessSpec(SIDE, SIDE, SIDE, "area")))
                axes.annotate(caption, (0, 0), xycoords="axes fraction", xytext=(0, -10),
                              textcoords="offset points", fontsize=8, color=colour)
