"""Classify a stream of photos on Apache Flink.

    python -m src_mindspore.deploy.streaming --list photos.txt --root FOLDER
    python -m src_mindspore.deploy.streaming --watch MANIFESTS --root FOLDER --ckpt FILE
    python -m src_mindspore.deploy.streaming --listen 9099

A manifest names one photo a line (`path` or `id<TAB>path`); rename it into the watched folder when
it is whole. A client of --listen sends four bytes of length and the photo, and gets a line of JSON.
Rows are kept in files either way.
`make stream-env` makes Flink's environment. docs/streaming.md tells the rest.
"""
import argparse
import contextlib
import functools
import os
import sys
import time
from pathlib import Path

from config import config
from src_mindspore.configuration import Parser
from src_mindspore.deploy.alone import alone
from src_mindspore.deploy.streaming import launch, machine
from src_mindspore.deploy.streaming.client import warm_up
from src_mindspore.deploy.streaming.gateway import Gateway
from src_mindspore.deploy.streaming.manifests import read_manifest
from src_mindspore.deploy.streaming.resume import command_to_resume, state_to_resume
from src_mindspore.deploy.streaming.row_log import RowLog
from src_mindspore.deploy.streaming.served import ENGINES, freeze_model
from src_mindspore.deploy.streaming.settings import StreamSettings
from src_mindspore.deploy.streaming.watch import Figures, ModelWatch, RowFiles
from src_mindspore.errors import LabError, run_as_script

PROJECT = Path(__file__).resolve().parents[3]


def main(argv):
    """Start the stream, show it, end it."""
    args = parse(argv)
    out = Path(args.out or Path(config.results_path) / "streams"
               / time.strftime("%Y%m%d-%H%M%S")).resolve()
    resume = state_to_resume(args.resume, out / "state")
    figures = Figures(args.limit_ms)
    with contextlib.ExitStack() as stack:
        settings = prepare(args, out, stack)
        files = RowFiles(settings.rows) if settings.rows else None
        log = None
        looks = [ModelWatch.of(args.ckpt, settings.model).look]
        if args.listen:
            gateway = make_gateway(settings, args.listen)
            stack.callback(gateway.close)
            looks.append(gateway.look)
            log = RowLog(rows_of(settings), args.format, args.checkpoint_seconds)
            stack.callback(log.close)
        else:
            for _ in files.new_rows():
                pass  # of the stream that is resumed
        print("starting Flink ...", flush=True)
        job = launch.submit(settings, args.cluster, resume) if args.cluster else \
            launch.start_local(settings, resume)
        stack.callback(end, job)
        job.wait_until_running()
        if args.listen:
            warm_up(gateway.connect(), args.parallelism, job.check)
            # Grey pictures stand in no file; clients are served from here on, all of them do.
            gateway.on_row = functools.partial(keep_and_count, log, figures)
            gateway.open()
        print("running: " + (f"clients may connect to 127.0.0.1:{args.listen}; " if args.listen
                             else "") + f"rows appear in {rows_of(settings)}; Ctrl-C stops it"
              + ("" if args.listen else " with a savepoint"), flush=True)
        try:
            follow(job, figures, files, log, looks)
        except KeyboardInterrupt:
            stop(job, args, out)
        for row in files.new_rows() if files else ():
            figures.add(row)
        print(f"{figures.line(over_all=True)}\nrows: {rows_of(settings)}")


def rows_of(settings):
    """Return the Path of the folder of rows, whoever writes them: Flink's sink or the gateway."""
    return Path(settings.state).parent / "rows"


def keep_and_count(log, figures, row):
    """Note an answer before its client gets it."""
    log.add(row)
    figures.add(row)


def make_parser():
    """Return the parser of the command line."""
    parser = Parser(prog="python -m src_mindspore.deploy.streaming", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", metavar="FILE", default="results/latest/best.ckpt",
                        help="checkpoint or MindIR (default %(default)s)")
    parser.add_argument("--list", metavar="FILE", help="one manifest; the stream ends after it")
    parser.add_argument("--watch", metavar="FOLDER", help="a folder into which manifests come")
    parser.add_argument("--listen", metavar="PORT", type=int, default=0,
                        help="photos over TCP, on 127.0.0.1")
    parser.add_argument("--root", metavar="FOLDER", default=config.dataset_path,
                        help="paths are relative to it, and nothing outside it is read "
                        "(default %(default)s)")
    parser.add_argument("--out", metavar="FOLDER",
                        help="rows, checkpoints, the copy of the model (default "
                        "results/streams/<time>)")
    parser.add_argument("--engine", choices=("auto", *ENGINES), default="auto",
                        help="who computes; auto: the fastest that agrees with MindSpore")
    parser.add_argument("--parallelism", type=int, default=1, metavar="N", help="model processes")
    parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="of the rows")
    parser.add_argument("--checkpoint_seconds", type=float, default=1.0, metavar="S",
                        help="rows become visible so often (default %(default)s)")
    parser.add_argument("--limit_ms", type=float, default=500, metavar="MS",
                        help="slower images are counted (default %(default)s)")
    parser.add_argument("--cluster", metavar="HOST:PORT", default="",
                        help="REST address of a JobManager; without it Flink runs here")
    parser.add_argument("--resume", metavar="URI", default="",
                        help="savepoint or checkpoint to go on from, also with another --ckpt; "
                        "last: the newest of --out")
    return parser


def parse(argv):
    """Read the command line."""
    args = make_parser().parse_args(argv)
    if sum(map(bool, (args.list, args.watch, args.listen))) != 1:
        raise LabError("Name one source of photos: --list FILE, --watch FOLDER or --listen PORT.")
    if not 1 <= args.parallelism <= 128:
        raise LabError(f"--parallelism is {args.parallelism}; expected 1 to 128.")
    if not 0.1 <= args.checkpoint_seconds <= 3600:
        raise LabError(f"--checkpoint_seconds is {args.checkpoint_seconds:g}; expected 0.1 to "
                       "3600.")
    if args.cluster and not args.cluster.rpartition(":")[2].isdigit():
        raise LabError(f"--cluster is {args.cluster!r}; expected HOST:PORT, for example "
                       "127.0.0.1:8081.")
    return args


def prepare(args, out, stack):
    """Check the machine and the photos, freeze the model; return StreamSettings.

    Args:
        args: Namespace from `parse`.
        out: Path, absolute, of the stream's folder.
        stack: ExitStack, which holds the folder's lock from here on.

    Raises:
        LabError: Java or Flink is missing, a port is taken, a folder is absent, another stream
            writes into the folder, the model cannot be served.
    """
    machine.require_java()
    flink_python = machine.require_flink(PROJECT / machine.FLINK_PYTHON)
    if args.listen:
        machine.require_port(args.listen, "photos over TCP", "--listen")
    root = (out / "spool") if args.listen else find_root(args.root)
    if args.list:
        read_manifest(args.list, root)
    if args.watch and not Path(args.watch).is_dir():
        raise LabError(f"There is no folder {args.watch} to watch. Make it, then rename manifests "
                       "into it.")
    stack.enter_context(alone(out, f"Another stream writes into {out} now. Stop it first, or "
                              "choose another --out."))
    if not args.listen and not args.resume and any((out / "rows").glob("*")):
        raise LabError(f"{out / 'rows'} holds rows of an earlier stream; new ones would stand "
                       "beside them. Choose another --out, or go on with --resume last.")
    model = freeze_model(args.ckpt, args.engine, out / "models")
    return StreamSettings(
        source="list" if args.list else "watch" if args.watch else "socket",
        manifests=str(Path(args.list or args.watch).resolve()) if not args.listen else "",
        root=os.path.realpath(root), model=str(model),
        rows="" if args.listen else str(out / "rows"), state=str(out / "state"),
        # To a gateway Flink speaks JSON; --format is that of the files, whoever writes them.
        format="jsonl" if args.listen else args.format,
        project=str(PROJECT), python=os.path.abspath(sys.executable),
        flink_python=str(flink_python), parallelism=args.parallelism,
        checkpoint_seconds=args.checkpoint_seconds,
        **({"lines_port": machine.free_port(), "rows_port": machine.free_port()}
           if args.listen else {}))


def find_root(path):
    """Return the folder of photos; see `data.folder.find_data`."""
    from src_mindspore.data.folder import find_data
    root = find_data(path)
    if root is None:
        raise LabError(f"There is no folder {path}. --root names the folder that holds the photos; "
                       "nothing outside it is read.")
    return root


def make_gateway(settings, port):
    """Return the Gateway that the settings name; clients wait until it is opened."""
    for left in Path(settings.root).glob("*"):
        left.unlink()  # photos of clients that are gone with the gateway of an earlier stream
    return Gateway(settings.root, port, settings.lines_port, settings.rows_port)


def follow(job, figures, files, log, looks):
    """Show the live line until the job has ended.

    Args:
        job: Job.
        figures: Figures.
        files: RowFiles to count, or None where a gateway counts.
        log: RowLog of a gateway, or None.
        looks: list of functions () -> str, a sentence when there is something to tell, else ''.
    """
    terminal = sys.stdout.isatty()
    listed = shown = 0.0
    while not job.ended():
        # Once a second: of a stream that has run for days there are many files to list.
        if files and time.monotonic() - listed > 1:
            listed = time.monotonic()
            for row in files.new_rows():
                figures.add(row)
        if log:
            log.tick()
        if time.monotonic() - shown > (1 if terminal else 10):
            shown = time.monotonic()
            print(figures.line(), end="\r" if terminal else "\n", flush=True)
            for note in filter(None, (look() for look in looks)):
                print(f"\nnote: {note}", flush=True)
        time.sleep(0.2)


def stop(job, args, out):
    """Stop; with files, by a savepoint, and say how to go on."""
    if args.listen:
        print("\nstopped", flush=True)
        return
    print("\nstopping with a savepoint ...", flush=True)
    place = job.stop()
    print("stopped; go on, also with another --ckpt:\n  "
          + command_to_resume(make_parser(), args, out, place), flush=True)


def end(job):
    """End what the command started; say what runs on without it."""
    if note := job.end():
        print(f"\nnote: {note}", flush=True)


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
