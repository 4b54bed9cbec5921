"""Threads over many items with bounded memory."""
import collections
import contextlib
import queue
import threading


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


@contextlib.contextmanager
def made_ahead(items, ahead):
    """Give an iterator of the same items, made by a thread while earlier ones are used.

    Args:
        items: iterable; an exception of it comes out where its next item would have.
        ahead: int >= 1, items that may wait.

    Yields:
        iterator. When the context ends, the thread stops after the item it is making.
    """
    waiting = queue.Queue(ahead)
    ended = threading.Event()

    def offer(kind, value):
        while not ended.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put((kind, value), timeout=0.1)
                return

    def make():
        try:
            for item in items:
                offer("item", item)
                if ended.is_set():
                    break
            offer("end", None)
        except BaseException as error:  # all of them: the reader would wait for ever
            offer("error", error)
        finally:
            if hasattr(items, "close"):
                items.close()  # a generator's own threads end with it

    def taken():
        while True:
            kind, value = waiting.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        ended.set()
        thread.join()
