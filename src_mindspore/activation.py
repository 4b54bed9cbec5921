"""What a network's last activation did, undone; NumPy alone, for processes without MindSpore."""
import numpy as np


def undo_activation(outputs, activation):
    """Return logits that lead to these outputs.

    Args:
        outputs: (N, C) float32.
        activation: 'None', 'Sigmoid' or 'Softmax' (whose logits are known up to a constant).

    Returns:
        (N, C) float32.
    """
    if activation == "None":
        return outputs
    # A probability that was rounded to 0 or 1 would become an infinite logit.
    limits = np.finfo(np.float32)
    outputs = np.maximum(outputs, limits.tiny)
    if activation == "Softmax":
        return np.log(outputs)
    return np.log(outputs) - np.log1p(-np.minimum(outputs, 1 - limits.epsneg))
