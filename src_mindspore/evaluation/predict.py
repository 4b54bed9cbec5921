"""Asking a model about photos: read, preprocess, infer in batches, with progress."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.stats import binomtest
from tqdm import tqdm

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.tta import TTASpec
from src_mindspore.errors import LabError
from src_mindspore.evaluation.predictions import Predictions
from src_mindspore.runtime import usable_cores

PLAIN = TTASpec()
COLOUR_CHECK_PHOTOS = 200
COLOUR_CHECK_P_VALUE = 0.01


def predict(model, root, paths, labels, tta=PLAIN, batch_size=32, progress=True, swap=False):
    """Predict photos with the one preprocessing.

    Args:
        model: Model.
        root: Path; paths are relative to it.
        paths: sequence of N str.
        labels: (N,) int, positions in the model's classes, -1 where unknown.
        tta: TTASpec.
        batch_size: int.
        progress: bool.
        swap: bool, exchange red and blue (to find photos stored in the wrong order).

    Returns:
        Predictions, logits divided by the model's temperature; where tta averages
        probabilities the logits are their logarithms.

    Raises:
        LabError: a photo cannot be read, or the model does not know how it was trained.
    """
    augmentation = model.augmentation
    require_augmentation(tta, augmentation)

    def inputs_of(path):
        image = load_rgb(root / path)
        return tta.inputs_of(np.ascontiguousarray(image[..., ::-1]) if swap else image,
                             model.preprocess, augmentation)

    out = []
    with ThreadPoolExecutor(usable_cores()) as pool, \
            tqdm(total=len(paths), desc="predict", unit="img", disable=not progress) as bar:
        for first in range(0, len(paths), batch_size):
            views = np.stack(list(pool.map(inputs_of, paths[first:first + batch_size])), axis=1)
            out.append(tta.combine(np.stack([
                model.logits(inputs) / model.temperature for inputs in views])))
            bar.update(views.shape[1])
    return Predictions(tuple(paths), np.asarray(labels), np.concatenate(out), model.classes, root)


def require_augmentation(tta, augmentation):
    """Refuse crops as in training for a model that does not say how it was trained.

    Args:
        tta: TTASpec.
        augmentation: dict or None, as `Model.augmentation`.

    Raises:
        LabError: as said.
    """
    if tta.kind == "crops" and augmentation is None:
        raise LabError("--tta crops repeats the crops of training, but this model does not say "
                       "which they were: it was trained without augmentation, by an earlier "
                       "version or by a course notebook, or its members were trained with "
                       "different ones. Take --tta flip, or train it again.")


def check_colour_order(model, predictions, tta=PLAIN):
    """See whether the photos would be named better with red and blue exchanged.

    Training on RGB and being asked about BGR costs a dozen points and shows nowhere else.

    Args:
        model: Model.
        predictions: Predictions of the photos as they are.
        tta: TTASpec they were predicted with.

    Returns:
        dict: n, correct, correct_swapped (int) and suspicious (bool: exchanged, more photos are
        named correctly, and the probability of the true class rises for more of them than chance
        explains, p < 0.01 in the exact sign test).
    """
    known = np.flatnonzero(predictions.labels >= 0)
    # Evenly spread, so that every class is asked about.
    sample = known[np.linspace(0, len(known) - 1, min(len(known), COLOUR_CHECK_PHOTOS)).astype(int)]
    labels = predictions.labels[sample]
    swapped = predict(model, predictions.root, [predictions.paths[i] for i in sample], labels,
                      tta, progress=False, swap=True)
    right = int((predictions.predicted[sample] == labels).sum())
    right_swapped = int((swapped.predicted == labels).sum())
    # Probabilities tell much sooner than predictions do: a good model names most photos correctly
    # in either order.
    rise = swapped.probabilities[np.arange(len(sample)), labels] \
        - predictions.probabilities[sample, labels]
    better, worse = int((rise > 0).sum()), int((rise < 0).sum())
    p_value = binomtest(better, better + worse, alternative="greater").pvalue \
        if better + worse else 1.0
    return {"n": len(sample), "correct": right, "correct_swapped": right_swapped,
            "suspicious": bool(p_value < COLOUR_CHECK_P_VALUE and right_swapped > right)}
