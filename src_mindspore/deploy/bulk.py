"""Predict millions of photos into Parquet files; killed, the same command goes on.

    python -m src_mindspore.deploy.bulk FOLDER --ckpt results/latest/best.ckpt --out OUT
    python -m src_mindspore.deploy.bulk MANIFEST.txt --root PHOTOS --ckpt FILE --out OUT
    python -m src_mindspore.deploy.bulk FOLDER --ckpt FILE --out OUT --ray --actors 2
    python -m src_mindspore.deploy.bulk FOLDER --ckpt FILE --out OUT --ray 10.0.0.1:6379

FOLDER: every photo below it. MANIFEST.txt: a path a line, relative to --root. Each is answered by
one row of OUT/predictions/*.parquet: class, probability, the five likeliest, the hash of the model;
or why there is no answer. --engine as in evaluate.py. docs/bulk.md says more.
"""
import argparse
import functools
import time
from pathlib import Path

from tqdm import tqdm

from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.deploy.alone import alone
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.files import sha256_of, write_json
from src_mindspore.ray_units import add_ray_flags, check_ray_flags, run_units


def main(argv):
    """List what there is to predict, predict what is missing, count everything."""
    args = parse(argv)
    try:
        from src_mindspore.deploy.bulk_job import prepare_job
        from src_mindspore.deploy.bulk_parts import count
    except ImportError as error:
        raise LabError(f"Bulk prediction writes Parquet, and pyarrow cannot be used: {error}. Run "
                       "`make env`, then use .venv/bin/python.") from None
    if not Path(args.ckpt).is_file():
        raise LabError(f"There is no model {args.ckpt}; expected a checkpoint or a MindIR, for "
                       "example results/latest/best.ckpt.")
    with alone(Path(args.out), f"Another process is predicting into {args.out} now. Wait until it "
               "has finished, or choose another --out."):
        job = prepare_job(args.input, args.root, args.out, sha256_of(args.ckpt), args.part_rows)
        start = time.monotonic()
        done = predict(job, args)
        seconds = time.monotonic() - start
        with tqdm(total=job.rows, desc="count", unit="row", mininterval=0.5) as bar:
            counts = count(job, bar.update)
        write_json(job.out / "summary.json", {"model_sha256": job.model_sha256, **counts})
    show(job, counts, done, seconds)


def predict(job, args):
    """Predict the parts that are missing; return how many rows that were."""
    from src_mindspore.deploy.bulk_parts import is_whole
    with tqdm(total=job.rows, desc="check", unit="row", mininterval=0.5, leave=False) as bar:
        missing = []
        for part in range(job.parts):
            if not is_whole(job, part):
                missing.append(part)
            bar.update(job.rows_of(part))
    todo = sum(map(job.rows_of, missing))
    if todo < job.rows:
        print(f"{job.rows - todo:,} rows are predicted already")
    if not missing:
        return 0
    with tqdm(total=job.rows, initial=job.rows - todo, desc="predict", unit="img",
              mininterval=0.5) as bar:
        what = str(job.out), str(Path(args.ckpt).absolute()), args.batch_size, args.engine
        if args.ray:
            run_units("parts", missing, make_worker, what, args.ray, args.actors,
                      lambda result: bar.update(result["rows"]))
        else:
            predictor = make_worker(*what, bar.update)
            for part in missing:
                predictor(part)
    return todo


def make_worker(out, model, batch_size, engine, progress=lambda rows: None):
    """Return what predicts the parts, in an actor or here.

    Args:
        out: str, the job's folder.
        model: str, the model's file.
        batch_size: int.
        engine: str, see `evaluation.accelerate`.
        progress: function, called with the number of rows just done.

    Returns:
        PartPredictor.
    """
    runtime.start()
    from src_mindspore.deploy.bulk_parts import PartPredictor, load
    # Below the job's folder, because that is what all machines share.
    return PartPredictor(out, functools.partial(load, model, batch_size, engine,
                                                Path(out) / "engines"), batch_size, progress)


def show(job, counts, done, seconds):
    """Print what was counted, and where it is."""
    if done:
        print(f"{done:,} rows in {seconds:.1f} s: {done / seconds:.1f} a second")
    errors = counts["rows"] - counts["predicted"]
    print(f"counted: {counts['rows']:,} rows, each exactly once; {counts['predicted']:,} "
          f"predicted, {errors:,} without an answer")
    for kind, number in counts["errors"].items():
        print(f"  {kind}: {number:,}")
    for example in counts["examples"][:3]:
        print(f"    {example}")
    print(f"predictions: {job.out / 'predictions'} ({job.parts:,} Parquet files); counts: "
          f"{job.out / 'summary.json'}")


def parse(argv):
    """Read the command line."""
    parser = Parser(prog="python -m src_mindspore.deploy.bulk", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="FOLDER|MANIFEST")
    parser.add_argument("--ckpt", required=True, metavar="FILE",
                        help="a whole network: .ckpt, or .mindir with its sidecar")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="a folder of its own")
    parser.add_argument("--root", metavar="FOLDER", help="no photo outside it is read (default: "
                        "FOLDER, or the folder of MANIFEST)")
    parser.add_argument("--part_rows", type=int, default=4096, metavar="N",
                        help="rows of a Parquet file, the unit of work (default %(default)s)")
    parser.add_argument("--batch_size", type=int, default=32, metavar="N",
                        help="photos the network takes at once (default %(default)s)")
    parser.add_argument("--engine", choices=("auto", "mindspore", "openvino", "onnxruntime"),
                        default="auto", help="who computes; auto: the fastest that agrees with "
                        "MindSpore. Photos of which it is not sure are asked of MindSpore again")
    add_ray_flags(parser)
    args = parser.parse_args(argv)
    for name in ("part_rows", "batch_size"):
        if getattr(args, name) < 1:
            raise LabError(f"--{name} is {getattr(args, name)}; expected an integer from 1.")
    check_ray_flags(args)
    return args


if __name__ == "__main__":
    run_as_script(main)
