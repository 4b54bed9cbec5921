"""Memory does not grow with the data: the parts of the street on ten times as much."""
import os
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from easydict import EasyDict

from src_mindspore.data.threads import map_in_order

SETTINGS = {"epochs": 2, "batch_size": 500, "optimizer": "momentum", "lr_init": 0.0, "lr_max": 0.1,
            "lr_end": 0.0, "warmup_epochs": 0, "decay_type": "cosine", "decay_rate": 0.1,
            "decay_steps": 3, "momentum": 0.9, "weight_decay": 1e-4, "label_smoothing": 0.0,
            "loss": "cross_entropy", "class_weights": "none", "sampler": "none",
            "sampler_power": 0.5, "lookahead": 0,
            "dropout": 0.0, "seed": 1, "memory_limit_mb": 1}
WIDTH = 64


def peak_of(function):
    """Return the most memory, in bytes, that Python and NumPy held at once in a call."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def train_from_disk(count, folder):
    """Train a head on `count` rows that are made when they are read."""
    from src_mindspore.features.cache import MappedRows
    from src_mindspore.heads.linear import MobileNetV2Head
    from src_mindspore.training.loop import HeadTrainer
    from src_mindspore.training.rows import Split, root_statistics
    rows = MappedRows(lambda number: np.random.default_rng(number).random((500, WIDTH), np.float32),
                      [500] * (count // 500), slice(None))
    head = MobileNetV2Head(WIDTH, 1, 5, normalise=True)
    head.prepare.fit(*root_statistics(rows))
    split = Split(rows, (np.arange(count) % 5).astype(np.int32))
    trainer = HeadTrainer(head, split, split, EasyDict(SETTINGS, features_path=str(folder)))
    assert len(list(trainer.run())) == 2


def test_training_from_disk_needs_the_memory_of_its_blocks(mindspore, tmp_path):
    few = peak_of(lambda: train_from_disk(10_000, tmp_path))
    many = peak_of(lambda: train_from_disk(100_000, tmp_path))
    # 90,000 rows more are 23 MB; labels, order and losses are some bytes a row.
    assert many - few < 90_000 * WIDTH * 4 / 8
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
def test_rows_on_disk_keep_no_file_open(tmp_path):
    from src_mindspore.features.cache import CacheWriter, FeatureCache
    with CacheWriter(tmp_path, {"split": "train"}) as writer:
        for number in range(40):
            writer.write(np.full((2, 3), number, np.float32), np.zeros(2, np.int32),
                         np.zeros((2, 2), np.int32))
        writer.finish([])
    before = len(os.listdir("/proc/self/fd"))
    rows = FeatureCache(writer.folder).features(memory_limit_bytes=1)
    np.testing.assert_array_equal(rows[np.arange(80)][:, 0], np.repeat(np.arange(40), 2))
    assert len(os.listdir("/proc/self/fd")) == before


def test_threads_run_ahead_no_further_than_told():
    started, lock = [], threading.Lock()

    def work(item):
        with lock:
            started.append(item)
        return item * item
    with ThreadPoolExecutor(3) as pool:
        results = map_in_order(pool, work, range(100), ahead=5)
        for item in range(100):
            assert next(results) == item * item
            assert len(started) <= item + 7
        assert list(results) == []


def test_error_of_a_thread_arrives_and_the_rest_is_not_begun():
    started = []

    def work(item):
        started.append(item)
        return 1 / (3 - item)
    with ThreadPoolExecutor(1) as pool:
        results = map_in_order(pool, work, range(1000), ahead=4)
        assert next(results) == 1 / 3
        with pytest.raises(ZeroDivisionError):
            list(results)
    assert max(started) < 10
