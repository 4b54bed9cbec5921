"""The street needs little memory, however it is cut into batches."""
import subprocess
import sys
from pathlib import Path

import pytest

from src_mindspore.data.drawn import draw_dataset

ROOT = Path(__file__).parents[1]
# The peak of the process's own memory: unlike getrusage it does not inherit the parent's.
MEASURE = """
import re, sys
import train_head
train_head.main(sys.argv[1:])
print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(),
                    reason="peak memory is read from /proc, which this system does not have")
def test_a_run_on_300_pictures_stays_under_2_gb(weights_path, tmp_path):
    data = draw_dataset(tmp_path / "data", 20, 5, classes=12, seed=3, progress=False)
    argv = ["--dataset_path", data, "--results_path", tmp_path / "results", "--features_path",
            tmp_path / "features", "--pretrained_ckpt", weights_path, "--repeat", "1", "--epochs",
            "2", "--warmup_epochs", "0"]
    run = subprocess.run([sys.executable, "-c", MEASURE, *map(str, argv)], cwd=ROOT, text=True,
                         capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "12 classes, 240 train, 60 val" in run.stdout
    peak_kb = int(run.stdout.split("peak ")[1])
    assert 100_000 < peak_kb < 2_000_000
