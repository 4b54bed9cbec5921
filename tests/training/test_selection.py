"""The rule that chooses an epoch."""
import itertools

from src_mindspore.training.selection import choose, rank


def row(epoch, top1, loss):
    return {"epoch": epoch, "val_top1": top1, "val_loss": loss}


def test_highest_accuracy_wins_over_any_loss():
    best, why = choose([row(1, 0.8, 0.1), row(2, 0.9, 5.0), row(3, 0.85, 0.2)])
    assert best["epoch"] == 2
    assert why == "epoch 2: it alone has the highest validation top-1"


def test_among_equal_accuracy_the_lowest_loss_wins():
    best, why = choose([row(1, 0.9, 0.5), row(2, 0.9, 0.3), row(3, 0.9, 0.4), row(4, 0.8, 0.1)])
    assert best["epoch"] == 2
    assert why.startswith("epoch 2: 3 of the saved epochs share the highest validation top-1")
    assert "lowest validation loss" in why


def test_among_equals_the_earliest_wins():
    best, why = choose([row(3, 0.9, 0.3), row(2, 0.9, 0.3), row(1, 0.9, 0.4)])
    assert best["epoch"] == 2
    assert "earliest" in why


def test_order_of_the_rows_does_not_matter():
    rows = [row(1, 0.9, 0.3), row(2, 0.9, 0.3), row(3, 0.9, 0.2), row(4, 0.7, 0.1)]
    assert {choose(list(order))[0]["epoch"] for order in itertools.permutations(rows)} == {3}


def test_rank_sorts_from_best_to_worst():
    rows = [row(1, 0.5, 0.1), row(2, 0.9, 0.3), row(3, 0.9, 0.2), row(4, 0.9, 0.2)]
    assert [r["epoch"] for r in sorted(rows, key=rank)] == [3, 4, 2, 1]
