"""Time and peak memory of the street on 1,000, 10,000 and 100,000 pictures.

    .venv/bin/python -m bench.growth --work /tmp/growth
    .venv/bin/python -m bench.growth --work /tmp/growth --sizes 1000,10000

The pictures are drawn: --unique different ones for training and 260 for validation. A larger size
is made of hard links to these, so pictures repeat; every link is scanned, read, decoded, augmented
by its own path and inferred like a photo of its own, only drawing and disk space are saved. Every
size runs train_head.py in a process of its own, with the same small memory limit, so that the
features of 10,000 and of 100,000 pictures both stay on disk. A size that is done is not repeated;
one that was interrupted goes on, and its times are then left out.
"""
import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.machine import machine_and_day
from src_mindspore.configuration import Parser
from src_mindspore.data.drawn import draw_dataset
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_table
from src_mindspore.files import write_json

CLASSES = 26
VAL_PER_CLASS = 10
# A smaller input and fewer epochs than the preset's, so that 100,000 pictures take minutes: they
# decide how long a picture or an epoch takes, not how time and memory grow.
FLAGS = {"preset": "recommended", "image_height": 64, "image_width": 64, "repeat": 1, "epochs": 8,
         "feature_dtype": "float16", "memory_limit_mb": 32}


def main(argv):
    """Measure every size that is not measured yet and print the table."""
    parser = Parser(prog="python -m bench.growth", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, metavar="FOLDER")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--unique", type=int, default=2600, help="different training pictures")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    work = Path(args.work)
    if args.measure:
        return measure(work, args.measure, args.engine)
    if not re.fullmatch(r"\d+(,\d+)*", args.sizes):
        raise LabError(f"--sizes is {args.sizes!r}; expected integers with commas between.")
    started = time.perf_counter()
    drawn = draw_dataset(work / "drawn", max(2, args.unique // CLASSES), VAL_PER_CLASS, CLASSES)
    print(f"drawing: {time.perf_counter() - started:.0f} s")
    sizes = [int(size) for size in args.sizes.split(",")]
    figures = [figures_of(work, drawn, size, args.engine) for size in sizes]
    print("\n" + machine_and_day())
    print(table(figures))
    return 0


def figures_of(work, drawn, size, engine):
    """Return the figures of one size, measuring them where that is not done."""
    path = work / f"growth_{size}.json"
    if not path.exists():
        link_pictures(drawn, work / str(size) / "pictures", size)
        result = subprocess.run([sys.executable, "-m", "bench.growth", "--work", str(work),
                                 "--measure", str(size), "--engine", engine], check=False)
        if result.returncode:
            raise LabError(f"The run on {size} pictures failed; see above. The same command goes "
                           "on from there.")
    return json.loads(path.read_text())


def link_pictures(drawn, folder, size):
    """Make a data folder of `size` training pictures out of hard links to the drawn ones."""
    for source in sorted((drawn / "val").rglob("*.jpg")):
        _link(source, folder / source.relative_to(drawn))
    # Class by class in turn, so that every size is balanced.
    classes = [sorted(c.glob("*.jpg")) for c in sorted((drawn / "train").iterdir())]
    for number in range(size):
        pictures = classes[number % len(classes)]
        source = pictures[number // len(classes) % len(pictures)]
        _link(source, folder / "train" / source.parent.name / f"{number:06d}.jpg")
    shutil.copyfile(drawn / "drawn.json", folder / "drawn.json")  # reports say what they are


def _link(source, target):
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def measure(work, size, engine):
    """Run the street on one size in this process and write its figures."""
    import train_head

    folder = work / str(size)
    begun = folder / "begun"
    interrupted = begun.exists()
    begun.touch()
    flags = {**FLAGS, "engine": engine, "dataset_path": folder / "pictures",
             "results_path": folder / "results", "features_path": folder / "features"}
    started = time.perf_counter()
    train_head.main([f"--{name}={value}" for name, value in flags.items()])
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time()
    run, = (folder / "results" / "runs").glob("*/result.json")
    result = json.loads(run.read_text())
    cache = max((sum(f.stat().st_size for f in c.glob("*.npy")), c)
                for c in (folder / "features").iterdir() if (c / "manifest.json").exists())
    write_json(work / f"growth_{size}.json", {
        "size": size, "seconds": None if interrupted else seconds,
        "cpu_seconds": None if interrupted else cpu_seconds,
        "laps": None if interrupted else result["seconds"], "peak_mb": peak_mb(),
        "cache_kb": cache[0] / size / 1000, "top1": result["top1"], "n": result["n"]})
    return 0


def peak_mb():
    """Return the peak of this process's memory in MB."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(figures):
    """Return the figures as text: one line a size."""
    headers = ("pictures", "peak memory, MB", "to the size before", "total, s", "processor, s",
               "scan, images/s", "features, images/s", "training, s", "cache, KB an image",
               "val top-1")
    rows = []
    for number, row in enumerate(figures):
        laps = row["laps"]
        before = figures[number - 1]["peak_mb"] if number else None
        rows.append((
            f"{row['size']:,}", f"{row['peak_mb']:,.0f}",
            f"{row['peak_mb'] / before:.3f}" if before else None,
            *([f"{row['seconds']:,.0f}", f"{row['cpu_seconds']:,.0f}",
               f"{row['size'] / max(laps['scan'], 0.1):,.0f}",
               f"{row['size'] / laps['features']:,.0f}", f"{laps['training']:,.1f}"]
              if laps else [None] * 5),
            f"{row['cache_kb']:.2f}", f"{row['top1']:.1%} of {row['n']}"))
    return format_table(headers, rows)


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
