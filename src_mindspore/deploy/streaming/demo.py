"""Val photos through Flink, with a live line, and the accuracy beside that of evaluate.py.

    make stream-demo       # a local Flink, photos over TCP at a steady rate
    make stream-cluster    # one JobManager, two TaskManagers, a watched folder, exactly-once files
"""
import argparse
import contextlib
import dataclasses
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

import src_mindspore.demo
from config import config
from src_mindspore.configuration import Parser
from src_mindspore.deploy.streaming import launch, machine
from src_mindspore.deploy.streaming.client import send_photos, warm_up
from src_mindspore.deploy.streaming.cluster import StandaloneCluster
from src_mindspore.deploy.streaming.gateway import Gateway
from src_mindspore.deploy.streaming.manifests import write_manifest
from src_mindspore.deploy.streaming.plots import latency_histogram
from src_mindspore.deploy.streaming.served import ENGINES, Served, freeze_model
from src_mindspore.deploy.streaming.settings import StreamSettings
from src_mindspore.deploy.streaming.watch import Figures, RowFiles
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_percent
from src_mindspore.files import write_json

PROJECT = Path(__file__).resolve().parents[3]
LIMIT_MS = 500
MANIFESTS = 5


def main(argv):
    """Stream the photos, then compare."""
    args = parse(argv)
    machine.require_java()
    flink_python = machine.require_flink(PROJECT / machine.FLINK_PYTHON)
    if not Path(args.ckpt).exists():
        print(f"there is no {args.ckpt} yet: training one first", flush=True)
        src_mindspore.demo.main([])
    out = Path(config.results_path, "streams", time.strftime("demo-%Y%m%d-%H%M%S")).resolve()
    folder = freeze_model(args.ckpt, args.engine, out / "models")
    root, paths, labels = photos_of(Served(folder), args.data)
    photos = [str(root / path) for path in paths] * args.passes
    socket = not args.cluster
    settings = StreamSettings(
        source="socket" if socket else "watch", manifests="" if socket else str(out / "manifests"),
        root=os.path.realpath(out / "spool" if socket else root), model=str(folder),
        rows="" if socket else str(out / "rows"), format="jsonl", state=str(out / "state"),
        project=str(PROJECT), python=os.path.abspath(sys.executable),
        flink_python=str(flink_python), parallelism=args.parallelism)
    figures = Figures(LIMIT_MS)
    through = through_socket if socket else through_cluster
    rows = through(settings, photos, args.rate, figures, out)
    print(f"in all:\n{figures.line(over_all=True)}", flush=True)
    latency_histogram(figures.latencies(), LIMIT_MS, out / "latency.png")
    report(args.ckpt, root, paths, labels, rows, figures, out,
           Served(folder).record["engine"])


def parse(argv):
    """Read the command line."""
    parser = Parser(prog="python -m src_mindspore.deploy.streaming.demo", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", metavar="FILE", default="results/latest/best.ckpt")
    parser.add_argument("--data", metavar="FOLDER", default=config.dataset_path)
    parser.add_argument("--engine", choices=("auto", *ENGINES), default="auto")
    parser.add_argument("--parallelism", type=int, default=1, metavar="N")
    parser.add_argument("--rate", type=float, default=10, metavar="R",
                        help="photos a second; 0: as fast as they go (default %(default)s)")
    parser.add_argument("--passes", type=int, default=1, metavar="N",
                        help="how often the photos are sent")
    parser.add_argument("--cluster", action="store_true",
                        help="a standalone cluster and files instead of a local Flink and TCP")
    args = parser.parse_args(argv)
    if args.parallelism < 1 or args.passes < 1 or args.rate < 0:
        raise LabError("--parallelism and --passes are at least 1, --rate at least 0.")
    return args


def photos_of(served, data):
    """Return (root, paths, labels) of val: of the data the model was trained on, or of the drawn.

    Raises:
        LabError: the model does not know the classes of the photos.
    """
    from src_mindspore.data.folder import find_data
    from src_mindspore.evaluation.photos_of_model import photos_for
    data = data if find_data(data) else src_mindspore.demo.DRAWN
    root, paths, labels, _, _ = photos_for(served.classes, data, "val", "skip",
                                           Path(config.results_path) / "splits")
    return root, paths, labels


def through_socket(settings, photos, rate, figures, out):
    """Send the photos over TCP to a local Flink; return their rows in order."""
    rows = {}
    with contextlib.ExitStack() as stack:
        gateway = Gateway(settings.root)
        stack.callback(gateway.close)
        settings = dataclasses.replace(settings, lines_port=gateway.lines_port,
                                       rows_port=gateway.rows_port)
        print("starting Flink ...", flush=True)
        job = launch.start_local(settings)
        stack.callback(job.end)
        job.wait_until_running()
        warm_up(gateway.connect(), settings.parallelism, job.check)
        gateway.on_row = figures.add
        gateway.open()
        # Reading before sending keeps the disk out of the rate.
        data = [Path(photo).read_bytes() for photo in photos]
        with ticking(figures):
            for row in send_photos(gateway.port, data, rate, job.check):
                rows[row["sequence"]] = row
    return [rows[number] for number in range(len(photos))]


def through_cluster(settings, photos, rate, figures, out):
    """Put manifests into a watched folder of a cluster, stop it; return the rows in order."""
    entries = [(str(number), photo) for number, photo in enumerate(photos)]
    Path(settings.manifests).mkdir(parents=True)
    rows, files = {}, RowFiles(settings.rows)
    print("starting one JobManager and two TaskManagers ...", flush=True)
    with StandaloneCluster(out / "cluster", settings.flink_python) as cluster:
        print(f"the cluster is up: http://{cluster.address}", flush=True)
        job = launch.submit(settings, cluster.address)
        try:
            job.wait_until_running()
            print("the job runs", flush=True)
            with ticking(figures):
                for first in range(MANIFESTS):
                    part = entries[first::MANIFESTS]
                    write_manifest(Path(settings.manifests) / f"{first}.txt", part)
                    limit = time.monotonic() + (len(part) / rate if rate else 0)
                    while time.monotonic() < limit or \
                            (first == MANIFESTS - 1 and len(rows) < len(photos)):
                        job.ended()
                        for row in files.new_rows():
                            figures.add(row)
                            rows[row["id"]] = row
                        time.sleep(0.1)
            print(f"\nstopped with a savepoint: {job.stop()}", flush=True)
        finally:
            job.end()
    print("every process of the cluster is ended", flush=True)
    return [rows[str(number)] for number in range(len(photos))]


@contextlib.contextmanager
def ticking(figures):
    """Show the live line once a second inside."""
    over = threading.Event()

    def show():
        while not over.wait(1 if sys.stdout.isatty() else 5):
            print(figures.line(), end="\r" if sys.stdout.isatty() else "\n", flush=True)

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def report(ckpt, root, paths, labels, rows, figures, out, engine):
    """Compare with evaluate.py's predictions; write summary.json; print where to look.

    Raises:
        LabError: the stream's accuracy differs from that of evaluate.py.
    """
    from src_mindspore import runtime
    runtime.start()
    from src_mindspore.evaluation.metrics import wilson_interval
    from src_mindspore.evaluation.predict import predict
    from src_mindspore.model import load_mindir, load_model
    model = (load_mindir if Path(ckpt).suffix == ".mindir" else load_model)(ckpt)
    expected = predict(model, root, paths, labels, progress=False).predicted
    streamed = np.array([-1 if row["label"] is None else row["label"] for row in rows])
    streamed = streamed.reshape(-1, len(paths))
    right, right_plain = int((streamed[0] == labels).sum()), int((expected == labels).sum())
    low, high = wilson_interval(right, len(labels))
    same = int((streamed == expected).all(axis=0).sum())
    latencies = figures.latencies()
    summary = {"photos": len(paths), "rows": len(rows), "correct": right,
               "correct_evaluate": right_plain, "same_predictions": same,
               "engine": engine, "errors": figures.errors, "over_limit": figures.over,
               "limit_ms": LIMIT_MS, "images_per_second": round(figures.mean_rate(), 1),
               **{f"p{q}_ms": round(float(np.percentile(latencies, q)), 1) for q in (50, 95, 99)},
               "max_ms": round(float(latencies.max()), 1)}
    write_json(out / "summary.json", summary)
    print(f"accuracy of the stream: {right} of {len(labels)} "
          f"({format_percent(right / len(labels))}, 95 % interval {format_percent(low)} to "
          f"{format_percent(high)}); evaluate.py: "
          f"{right_plain}; the same prediction for {same} of {len(paths)} photos\n"
          f"latencies: {out / 'latency.png'}\nfigures:   {out / 'summary.json'}")
    if right != right_plain:
        raise LabError(f"The stream named {right} photos correctly, evaluate.py {right_plain}; "
                       "they should agree. Compare the engines: --engine mindspore.")


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
