"""Which epoch is the best: one rule, and a sentence that says what decided."""


def rank(row):
    """Sort key of an epoch: highest val top-1, then lowest val loss, then earliest epoch.

    Args:
        row: dict with val_top1, val_loss and epoch.
    """
    return (-row["val_top1"], row["val_loss"], row["epoch"])


def choose(rows):
    """Choose among the epochs whose heads were kept.

    Args:
        rows: list of dicts with epoch, val_top1 (0 to 1) and val_loss; not empty.

    Returns:
        (row, sentence): the chosen one, and which part of the rule decided.
    """
    best = min(rows, key=rank)
    ties = [r for r in rows if r["val_top1"] == best["val_top1"]]
    if len(ties) == 1:
        why = "it alone has the highest validation top-1"
    elif sum(r["val_loss"] == best["val_loss"] for r in ties) == 1:
        why = (f"{len(ties)} of the saved epochs share the highest validation top-1, it has the "
               "lowest validation loss of them")
    else:
        why = (f"{len(ties)} of the saved epochs share the highest validation top-1, it is the "
               "earliest of the lowest loss")
    return best, f"epoch {best['epoch']}: {why}"
