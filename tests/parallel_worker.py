"""What test_parallel.py does under msrun and alone: train the tests' small network, keep weights.

    python tests/parallel_worker.py OUT.npz
"""
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent / "training")]

from src_mindspore import runtime  # noqa: E402


def train_and_keep(path, workers):
    """Train, and write losses and weights of the first process to `path`."""
    from test_network_loop import make
    trainer = make(workers=workers, batch_size=8, epochs=2, dropout=0.3, spatial_dropout=0.25,
                   clip_norm=0.5, ema=0.9, validate_every=2)
    trainer.head.prepare[1].use_batch_statistics = False  # the head's BatchNorm is frozen too
    rows = list(trainer.run())
    if workers.is_first:
        np.savez(path, val_loss=[row["val_loss"] for row in rows],
                 train_loss=[row["train_loss"] for row in rows], **trainer.weights())


if __name__ == "__main__":
    runtime.start()
    from src_mindspore.parallel import join_workers
    train_and_keep(sys.argv[1], join_workers())
