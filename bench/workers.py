"""Images a second of one process and of several that train one network together.

    .venv/bin/python -m bench.workers [--counts 1,2] [--batch_size 32] [--data FOLDER]

Each trains the CNN from scratch for one epoch, at 100x100 pixels, on the same photos (drawn ones
unless --data names others). The first steps, which compile, do not count; of the stretches after
them the median does. One process computes on all cores too: what several bring is what one leaves
idle.
"""
import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.machine import machine_and_day
from src_mindspore.configuration import Parser
from src_mindspore.data.drawn import draw_dataset
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_table

ROOT = Path(__file__).parents[1]
STEPS = 4  # of a stretch


def rate_of(folder):
    """Return the images a second of a run's folder, without the first stretch: float.

    Raises:
        LabError: there is no second one.
    """
    with open(Path(folder) / "history.csv", newline="", encoding="utf-8-sig") as file:
        rates = [float(row["images_per_second"]) for row in csv.DictReader(file)]
    if len(rates) < 2:
        raise LabError(f"{folder} has {len(rates)} stretch of {STEPS} steps; take more photos or "
                       "a smaller --batch_size.")
    return statistics.median(rates[1:])


def train(count, data, batch_size, results):
    """Train an epoch in `count` processes; returns the run's folder."""
    name = f"of-{count}"
    script = ["train_network.py", "--preset", "cnn_scratch", "--dataset_path", data, "--epochs",
              "1", "--batch_size", batch_size, "--validate_every", STEPS, "--results_path",
              results, "--run_name", name]
    launcher = ["-m", "src_mindspore.launch", count, "--logs", Path(results) / "logs"]
    done = subprocess.run([sys.executable, *map(str, [*(launcher if count > 1 else ()), *script])],
                          cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"The run of {count} processes failed: {done.stdout[-500:]}"
                       f"{done.stderr[-500:]}")
    return Path(results) / "runs" / name


def main(argv):
    """Train with each number of processes, print the table."""
    parser = Parser(prog="python -m bench.workers", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1,2", metavar="N,N")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--data", metavar="FOLDER")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench-") as results:
        data = args.data or draw_dataset(Path(results) / "drawn", train_per_class=20,
                                         val_per_class=1, seed=1, progress=False)
        rates = {count: rate_of(train(count, Path(data).resolve(), args.batch_size, results))
                 for count in map(int, args.counts.split(","))}
    print(machine_and_day())
    first = next(iter(rates.values()))
    print(format_table(("processes", "images/s", "ratio"),
                       [(str(count), f"{rate:.1f}", f"{rate / first:.2f}")
                        for count, rate in rates.items()]))


if __name__ == "__main__":
    run_as_script(main)
