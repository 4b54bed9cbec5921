"""Features on a plane: photos that look alike to the backbone lie together.

Van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008, as scikit-learn computes it.
"""
import matplotlib
import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.evaluation.gallery import WRONG
from src_mindspore.evaluation.plots import saved_figure
from src_mindspore.evaluation.tables import shorten
from src_mindspore.heads.rbf import unit_roots

MARKERS = "osD^vPX"
WORDS = {"en": {"title": "{n} photos, perplexity {perplexity:g}: near means alike, far means "
                         "nothing", "marked": "named wrongly"},
         "zh": {"title": "{n} 张图片，困惑度 {perplexity:g}：近表示相像，远不说明什么",
                "marked": "预测错误"}}


def plane(features, perplexity=15, seed=0):
    """Lay features out on a plane with t-SNE.

    Args:
        features: (N, F) float, pooled, >= 0.
        perplexity: float > 1, about how many neighbours a photo is placed by.
        seed: int.

    Returns:
        (N, 2) float32.

    Raises:
        LabError: there are no more photos than the perplexity.
    """
    from sklearn.manifold import TSNE

    if len(features) <= perplexity:
        raise LabError(f"{len(features)} photos cannot be laid out with perplexity {perplexity}; "
                       "it must be less than the number of photos. Lower it, or take more photos.")
    return TSNE(perplexity=perplexity, init="pca", random_state=seed,
                n_jobs=1).fit_transform(unit_roots(features))


def plot_plane(points, labels, classes, path, language="en", wrong=None, perplexity=15):
    """Draw the plane: a colour and a marker for each class, its name at its middle.

    Args:
        points: (N, 2) float from `plane`.
        labels: (N,) int.
        classes: ClassNames.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
        wrong: (N,) bool, photos to circle, or None.
        perplexity: float, for the title.
    """
    words, names = WORDS[language], classes.in_language(language)
    colours = matplotlib.colormaps["hsv"](np.linspace(0, 1, len(classes), endpoint=False))
    with saved_figure(path, 9.5, 7) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        for label in np.unique(labels):
            mine = points[labels == label]
            axes.scatter(*mine.T, s=26, color=colours[label], marker=MARKERS[label % len(MARKERS)],
                         edgecolor="white", linewidth=0.4)
            # The photo in the midst of the class: a mean of two clusters would lie in neither.
            middle = mine[((mine[:, None] - mine)**2).sum(2).sum(1).argmin()]
            axes.annotate(shorten(names[label], 20), middle, xytext=(5, 5), fontsize=9,
                          textcoords="offset points", color=0.55 * colours[label][:3],
                          bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.7,
                                "linewidth": 0})
        if wrong is not None and np.any(wrong):
            axes.scatter(*points[wrong].T, s=130, facecolor="none", edgecolor=WRONG, linewidth=1.6,
                         label=words["marked"])
            axes.legend(loc="lower right")
        axes.set(xticks=(), yticks=())
        axes.set_title(words["title"].format(n=len(points), perplexity=perplexity), loc="left",
                       fontsize=11)
