"""Stopping follows from the history alone, so a resumed run does as an unbroken one."""
from src_mindspore.training.early_stopping import should_stop, without_gain


def rows(*top1, loss=None):
    return [{"epoch": i, "val_top1": v, "val_loss": (loss or [1] * len(top1))[i]}
            for i, v in enumerate(top1)]


def test_rows_without_a_gain_are_counted_from_the_best():
    assert without_gain([]) == 0
    assert without_gain(rows(0.1)) == 0
    assert without_gain(rows(0.1, 0.3, 0.2, 0.3)) == 2
    assert without_gain(rows(0.3, 0.3, loss=[1, 0.9])) == 0


def test_training_stops_after_so_many_rows():
    assert not should_stop(rows(.3, .2), 2)
    assert should_stop(rows(.3, .2, .2), 2)
    assert not should_stop(rows(*[.3] * 50), 0)
