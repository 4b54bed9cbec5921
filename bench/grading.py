"""How long grading takes: real MindIR hand-ins and failing ones, 130 pictures each.

    .venv/bin/python -m bench.grading [--hand_ins 50] [--failing 10] [--jobs N]

One small model is trained on drawn pictures and exported once; every real hand-in is a copy of it,
so that each loads MindSpore and answers 130 photos three times (once for its score, twice for the
replays). The failing ones crash at once, answer nonsense, exit, or print without end.
"""
import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.machine import machine_and_day
from bench.street import draw
from lab import grade
from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.errors import run_as_script

FAILING = ("raise RuntimeError('no model')",
           "def predict(image):\n    return 'no class'",
           "import os\nos._exit(1)",
           "while True:\n    print('x' * 9999)")
TRAINING_PICTURES = 520  # a quarter as many are drawn for val: 130


def main(argv):
    """Make the hand-ins, grade them, print the time."""
    parser = Parser(prog="python -m bench.grading", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hand_ins", type=int, default=50)
    parser.add_argument("--failing", type=int, default=10, help="how many of them fail")
    parser.add_argument("--jobs", type=int, default=runtime.usable_cores())
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        data = draw(folder / "drawn", TRAINING_PICTURES)
        model = make_hand_in(data, folder)
        make_hand_ins(model, folder / "hand-ins", args.hand_ins, args.failing)
        started = time.perf_counter()
        grade.main([str(folder / "hand-ins"), "--data", str(data), "--out", str(folder / "out"),
                    "--jobs", str(args.jobs)])
        seconds = time.perf_counter() - started
    print(f"\n{machine_and_day()}\n{args.hand_ins} hand-ins, {args.failing} of them failing, "
          f"130 pictures each, {args.jobs} at once: {seconds:.0f} s")


def make_hand_in(data, folder):
    """Train on one pass of the pictures and write the submission; its folder."""
    import train_head
    from src_mindspore.deploy.submission import write_submission
    with open(os.devnull, "w", encoding="utf-8") as quiet, contextlib.redirect_stdout(quiet):
        train_head.main(["--dataset_path", str(data), "--repeat", "1", "--results_path",
                         str(folder / "results"), "--features_path", str(folder / "features")])
    return write_submission(folder / "results" / "latest" / "best.ckpt", "RGB", folder / "model")


def make_hand_ins(model, folder, total, failing):
    """Copy the real hand-in and write the failing ones."""
    for number in range(total - failing):
        shutil.copytree(model, folder / f"real {number:02}")
    for number in range(failing):
        place = folder / f"failing {number:02}"
        place.mkdir(parents=True)
        (place / "main.py").write_text(FAILING[number % len(FAILING)])


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
