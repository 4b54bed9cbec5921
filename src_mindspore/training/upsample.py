"""Further, differently cropped passes of the classes that the confusion matrix shows weak.

Which classes are weak is asked of photos the head did not learn from: the confusion matrix is
out of fold. A class whose recall is below the mean of all gets further passes in proportion to
what it lacks; the weakest class gets as many as `--upsample` says.

This is oversampling, which Buda, Maki and Mazurowski find the best remedy in nearly all cases ("A
systematic study of the class imbalance problem in convolutional neural networks", Neural Networks
106, 2018, arXiv:1710.05381); but of the classes that are weak, be they small or not, and every
time as another view.
"""
import dataclasses

import numpy as np
from easydict import EasyDict

# Added to the seed of the augmentation: no seed of a configuration is so large, so the further
# passes repeat none of the others.
OTHER_STREAM = 2**32


def weak_passes(recall, most):
    """Return how many further passes each class gets.

    Args:
        recall: (C,) float in [0, 1]; nan where nothing is known, which gets none.
        most: int >= 0, of the weakest class.

    Returns:
        (C,) int.
    """
    lack = np.nan_to_num(np.nanmean(recall) - recall, nan=0.0).clip(0)
    if lack.max() == 0:
        return np.zeros(len(recall), int)
    return np.rint(most * lack / lack.max()).astype(int)


def recall_of(logits, labels, num_classes):
    """Return the (C,) float recall of every class; nan where a class has no photo.

    Args:
        logits: (N, C) float.
        labels: (N,) int.
        num_classes: int.
    """
    count = np.bincount(labels, minlength=num_classes)
    right = np.bincount(labels[logits.argmax(axis=1) == labels], minlength=num_classes)
    return np.where(count > 0, right / np.maximum(count, 1), np.nan)


def passes_of_weak(data, learnt, channels, num_classes, config, folds=3):
    """Find the weak classes by a cross-validation among some photos.

    Args:
        data: CrossvalData.
        learnt: (N,) bool, the photos that may be learnt from and asked about.
        channels: int, of the backbone.
        num_classes: int.
        config: the configuration; upsample is the number of passes of the weakest class.
        folds: int >= 2.

    Returns:
        (passes, recall): (C,) int, see `weak_passes`, and (C,) float, out of fold.
    """
    from src_mindspore.data.split import dealt_folds

    labels, photos = data.clean.labels, np.flatnonzero(learnt)
    fold_of = np.full(len(labels), -1)
    fold_of[photos] = dealt_folds(labels[photos], data.groups[photos], folds, config.seed)
    logits = np.zeros((len(labels), num_classes), np.float32)
    for fold in range(folds):
        ask = np.flatnonzero(fold_of == fold)
        trainer, _ = data.trainer_of(data.rows_of(learnt & (fold_of != fold)), ask, channels,
                                     num_classes, config)
        trainer.train_to_the_end()
        logits[ask] = trainer.logits(trainer.val)
    recall = recall_of(logits[photos], labels[photos], num_classes)
    return weak_passes(recall, config.upsample), recall


def upsampled(caches, photos, backbone, config):
    """Add the further passes that a configuration asks for to the features of train.

    Args:
        caches: dict with FeatureCache 'train' and others.
        photos: Photos.
        backbone: Backbone.
        config: the configuration; with upsample 0 the caches are returned as they are.

    Returns:
        dict like `caches`.

    Raises:
        LabError: see `crossval_data` and `extract`.
    """
    if not config.upsample:
        return caches
    from src_mindspore.evaluation.crossval import crossval_data
    from src_mindspore.features.stacked import StackedCache

    # Asked about before anything is upsampled.
    data = crossval_data(photos, backbone, EasyDict({**config, "upsample": 0}))
    names = photos.classes.folders
    passes, recall = passes_of_weak(data, np.ones(len(data.clean.labels), bool),
                                    backbone.channels, len(names), config)
    weak = np.flatnonzero(passes)
    print(f"upsample: {len(weak)} of {len(names)} classes are weak out of fold and get further "
          "passes: " + ", ".join(f"{names[c]} {passes[c]} (recall {recall[c]:.0%})"
                                 for c in weak[np.argsort(recall[weak], kind="stable")][:8])
          + (", ..." if len(weak) > 8 else ""))
    if not len(weak):
        return caches
    further, numbers = further_passes(passes, photos, backbone, config)
    keep = further.index[:, 1] < passes[further.labels]
    return {**caches, "train": StackedCache(caches["train"], further, numbers, keep)}


def further_passes(passes, photos, backbone, config):
    """Return the features of further passes of the weak classes.

    Args:
        passes: (C,) int, as of `weak_passes`.
        photos, backbone, config: as for `upsampled`.

    Returns:
        (FeatureCache, (P,) int): of the photos of classes with passes, max(passes) each; and
        which photo of train each is.
    """
    from src_mindspore.features.of_config import extract_further

    records = photos.splits["train"]
    numbers = np.flatnonzero(passes[[record.label for record in records]])
    weak = dataclasses.replace(photos, splits={"train": [records[n] for n in numbers]})
    return extract_further(weak, backbone, config, int(passes.max()), OTHER_STREAM), numbers
