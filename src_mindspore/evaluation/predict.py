"""Asking a model about photos: read, preprocess, infer in batches, with progress."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.special import log_softmax, logsumexp
from scipy.stats import binomtest
from tqdm import tqdm

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import normalise, resize_and_crop
from src_mindspore.evaluation.predictions import Predictions
from src_mindspore.runtime import usable_cores

TTA = ("none", "flip")
COLOUR_CHECK_PHOTOS = 200
COLOUR_CHECK_P_VALUE = 0.01


def predict(model, root, paths, labels, tta="none", batch_size=32, progress=True, swap=False):
    """Predict photos with the one preprocessing.

    Args:
        model: Model.
        root: Path; paths are relative to it.
        paths: sequence of N str.
        labels: (N,) int, positions in the model's classes, -1 where unknown.
        tta: 'none', or 'flip': the mean of the probabilities of the photo and its mirror image.
        batch_size: int.
        progress: bool.
        swap: bool, exchange red and blue (to find photos stored in the wrong order).

    Returns:
        Predictions, logits divided by the model's temperature; with tta the logits are
        logarithms of mean probabilities.

    Raises:
        LabError: a photo cannot be read.
    """
    def pixels(path):
        image = resize_and_crop(load_rgb(root / path), model.preprocess)
        return image[..., ::-1] if swap else image

    out = []
    with ThreadPoolExecutor(usable_cores()) as pool, \
            tqdm(total=len(paths), desc="predict", unit="img", disable=not progress) as bar:
        for first in range(0, len(paths), batch_size):
            images = np.stack(list(pool.map(pixels, paths[first:first + batch_size])))
            out.append(_logits(model, images, tta))
            bar.update(len(images))
    return Predictions(tuple(paths), np.asarray(labels), np.concatenate(out), model.classes, root)


def _logits(model, images, tta):
    logits = model.logits(normalise(images, model.preprocess)) / model.temperature
    if tta == "none":
        return logits
    mirrored = model.logits(normalise(images[:, :, ::-1], model.preprocess)) / model.temperature
    both = np.stack([log_softmax(part.astype(np.float64), axis=1) for part in (logits, mirrored)])
    return logsumexp(both, axis=0) - np.log(2)


def check_colour_order(model, predictions, tta="none"):
    """See whether the photos would be named better with red and blue exchanged.

    Training on RGB and being asked about BGR costs a dozen points and shows nowhere else.

    Args:
        model: Model.
        predictions: Predictions of the photos as they are.
        tta: as they were predicted.

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
