"""Items made by a thread while earlier ones are used."""
import threading
import time

import pytest

from src_mindspore.data.threads import made_ahead


def wait_until(condition):
    """Wait at most 10 s; returns the condition's last answer."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_items_come_in_order():
    with made_ahead(iter(range(100)), 3) as items:
        assert list(items) == list(range(100))


def test_at_most_so_many_wait():
    made = []
    with made_ahead((made.append(n) for n in range(100)), 2) as items:
        next(items)
        # One was taken, two wait, one is in the maker's hand.
        assert wait_until(lambda: len(made) == 4)
        time.sleep(0.1)
        assert len(made) == 4


def test_error_comes_out_where_the_item_would_have():
    def broken():
        yield 1
        raise ValueError("the second")
    with made_ahead(broken(), 5) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="the second"):
            next(items)


def test_leaving_early_ends_the_thread_and_closes_the_generator():
    closed = []

    def forever():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)
    before = threading.active_count()
    with made_ahead(forever(), 2) as items:
        next(items)
    assert closed == [True]
    assert threading.active_count() == before
