"""Threads over many items with bounded memory."""
import collections


def map_in_order(pool, function, items, ahead=256):
    """Yield function(item) in order, computed by threads, at most `ahead` items before their turn.

    `Executor.map` makes a future of every item at once: 150 MB for 100,000 photos before the first
    is read.

    Args:
        pool: ThreadPoolExecutor.
        function: function of one item.
        items: iterable.
        ahead: int.
    """
    waiting = collections.deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
