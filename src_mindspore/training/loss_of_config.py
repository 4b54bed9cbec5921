"""The loss that a configuration asks for."""
import numpy as np

from src_mindspore.training.class_weights import class_weights, photos_of_classes
from src_mindspore.training.focal_loss import FocalLoss
from src_mindspore.training.joint_loss import JointLoss
from src_mindspore.training.losses import SoftmaxCrossEntropy, require_labels


def build_loss(config, labels, num_classes, photos=None):
    """Return the loss Cell for rows with these labels.

    Args:
        config: loss, label_smoothing, class_weights and the numbers of each are read.
        labels: (N,) int classes or (N, C) float soft labels of the rows to learn from; the class
            weights are computed from them.
        num_classes: int.
        photos: (N,) int, which photo each row shows; None: every row another one.

    Raises:
        LabError: labels that no loss can read, or weights of a class without photos.
    """
    labels = np.asarray(labels)
    require_labels(labels, num_classes)
    weights = None
    if config.class_weights != "none":
        photos = np.arange(len(labels)) if photos is None else photos
        counts = photos_of_classes(labels, photos, num_classes)
        weights = class_weights(config.class_weights, counts, config.effective_beta)
    if config.loss == "focal":
        return FocalLoss(num_classes, config.focal_gamma, config.label_smoothing, weights)
    if config.loss == "joint":
        return JointLoss(num_classes, config.joint_share, config.label_smoothing, weights)
    return SoftmaxCrossEntropy(num_classes, config.label_smoothing, weights)
