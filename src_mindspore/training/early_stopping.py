"""Early stopping: training ends when validation no longer gets better."""
from src_mindspore.training.selection import rank


def without_gain(history):
    """Return how many of the last rows brought nothing better than what was before: int.

    Better is what the selection calls better: a higher top-1, or at the same a lower loss.

    Args:
        history: list of dicts with val_top1, val_loss and epoch.
    """
    if not history:
        return 0
    best = min(range(len(history)), key=lambda i: rank(history[i]))
    return len(history) - 1 - best


def should_stop(history, patience):
    """True where the last `patience` rows brought no gain; never with 0."""
    return bool(patience) and without_gain(history) >= patience
