"""MindSpore as pip installs it, run by bench.extraction in a process of its own.

The network as the course has it, BatchNorm not folded, with every instruction set the processor
has: on AVX-512 MindSpore's convolutions are then many times slower, which is why this project
limits them. So one batch is enough. It prints the seconds of the second one, by the clock and of
the processor.
"""
import os
import sys
import time

import numpy as np


def main(weights, batch, side):
    """Ask about one batch of ready tensors twice."""
    os.environ["ONEDNN_MAX_CPU_ISA"] = "DEFAULT"
    import mindspore as ms

    from src_mindspore.backbones.registry import load_backbone
    ms.set_context(mode=ms.GRAPH_MODE)
    network = load_backbone(weights).cell
    images = ms.Tensor(np.random.default_rng(0).uniform(-1, 1, (batch, 3, side, side)), ms.float32)
    for _ in range(2):
        started, before = time.perf_counter(), time.process_time()
        network(images).asnumpy()
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - before
    print(seconds, cpu_seconds)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
