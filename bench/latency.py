"""How soon a hand-in answers: cold start, then p50 and p99 of predict.

    .venv/bin/python -m bench.latency --ckpt results/latest/best.ckpt [--photos 200] [--starts 5]

A hand-in is written from the checkpoint and imported in a fresh process --starts times: from the
start of Python to its first answer, then --photos answers one by one. The median of the starts is
shown. 500 ms a photo is what a system has to keep that sorts garbage on a belt.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

from bench.machine import machine_and_day
from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_table

LIMIT_MS = 500
ASK = """import json, sys, time
import numpy as np
import main
rng = np.random.default_rng(0)
photos = [rng.integers(0, 256, (224, 224, 3), np.uint8) for _ in range(16)]
main.predict(photos[0])
answered = time.time()
seconds = []
for number in range(int(sys.argv[1])):
    started = time.perf_counter()
    main.predict(photos[number % len(photos)])
    seconds.append(time.perf_counter() - started)
print(json.dumps([answered, *(float(x) for x in np.percentile(seconds, (50, 99)))]))
"""


def main(argv):
    """Write the hand-in, ask it, print the table."""
    parser = Parser(prog="python -m bench.latency", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", default="results/latest/best.ckpt")
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--starts", type=int, default=5)
    args = parser.parse_args(argv)
    runtime.start()
    from src_mindspore.deploy.submission import write_submission
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = write_submission(args.ckpt, "RGB", f"{temporary}/hand-in")
        starts = [ask(folder, args.photos) for _ in range(args.starts)]
    print(machine_and_day())
    cold, p50, p99 = (statistics.median(values) for values in zip(*starts, strict=True))
    print(format_table(("measure", "ms"), [
        ("Python's start to the first answer", f"{1000 * cold:,.0f}"),
        ("p50 of predict", f"{1000 * p50:.1f}"), ("p99 of predict", f"{1000 * p99:.1f}"),
        ("limit", f"{LIMIT_MS}")]))


def ask(folder, photos):
    """Return (seconds to the first answer, p50, p99) of one fresh process."""
    started = time.time()
    result = subprocess.run([sys.executable, "-c", ASK, str(photos)], cwd=folder, text=True,
                            capture_output=True, check=False)
    if result.returncode:
        raise LabError(f"The hand-in failed: {result.stderr[-1500:]}")
    answered, p50, p99 = json.loads(result.stdout.splitlines()[-1])
    return answered - started, p50, p99


if __name__ == "__main__":
    run_as_script(main)
