"""Speed and memory of the street beside the course's original procedure, as ratios in one run.

    make bench
    .venv/bin/python -m bench.street [--data FOLDER] [--images 520]
    .venv/bin/python -m bench.street --data FOLDER --preset best_single --passes 8

Both read the same pictures with the same weights, the right instruction set, one augmented pass,
40 epochs, batch 32, the course's head. Drawn pictures are used unless --data names a folder. With
--preset ours is that preset, whole, in as many passes and epochs as it has; --passes are then the
course's alone.
"""
import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.machine import machine_and_day
from config import KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, resolve
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_table

CLASSES = 26
PROCEDURES = ("course", "mindspore", "auto")


def main(argv):
    """Measure both procedures and print the table."""
    parser = Parser(prog="python -m bench.street", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER")
    parser.add_argument("--images", type=int, default=520, help="drawn training pictures")
    parser.add_argument("--passes", type=int, default=1, help="augmented passes")
    parser.add_argument("--preset", choices=list(PRESETS), help="ours, instead of the same work")
    parser.add_argument("--procedure", choices=PROCEDURES, help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.procedure:
        print(json.dumps(measure(args)))
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        data = args.data or draw(Path(temporary) / "drawn", args.images)
        figures = {name: in_a_process_of_its_own(
                       "--procedure", name, "--data", str(data), "--work",
                       str(Path(temporary) / name), "--passes", str(args.passes),
                       *(["--preset", args.preset] if args.preset else []))
                   for name in PROCEDURES}
    course, alone, auto = (figures[name] for name in PROCEDURES)
    print("\n" + machine_and_day())
    print(format_table(
        ("measure", "course", "ours, MindSpore", "ours, auto engine", "auto : course"),
        [(name, f"{course[name]:,.1f}", f"{alone[name]:,.1f}", f"{auto[name]:,.1f}",
          f"{auto[name] / course[name]:.2f}") for name in course]))


def in_a_process_of_its_own(*flags):
    """Run one procedure in a fresh process, so that its peak of memory is its own; its measures."""
    result = subprocess.run([sys.executable, "-m", "bench.street", *flags], stdout=subprocess.PIPE,
                            text=True, check=False)
    if result.returncode:
        raise LabError(f"The procedure {flags[1]} failed:\n{result.stdout[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def measure(args):
    """Measure one procedure here; dict of measures, the peak of memory of this process with it."""
    runtime.start()
    work = Path(args.work)
    if args.procedure == "course":
        figures = measure_course(settings(args.data, work, "mindspore", args.passes), work)
    elif args.preset:
        figures = measure_ours(resolve(KEYS, PRESETS, args.preset, preset=args.preset, flags={
            "dataset_path": args.data, "results_path": str(work), "engine": args.procedure,
            "features_path": str(work / "features")}))
    else:
        figures = measure_ours(settings(args.data, work, args.procedure, args.passes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**figures, "peak memory, MB": peak}


def draw(folder, images):
    """Draw about as many training pictures, and a quarter as many for validation."""
    from src_mindspore.data.drawn import draw_dataset

    each = max(2, images // CLASSES)
    return draw_dataset(folder, each, max(1, each // 4), CLASSES)


def settings(data, results, engine, passes):
    """Return the configuration both procedures are measured with."""
    return resolve(KEYS, PRESETS, "course_best", flags={
        "dataset_path": str(data), "results_path": str(results), "repeat": passes,
        "epochs": 40,
        "optimizer": "momentum", "engine": engine, "features_path": str(results / "features"),
        "pretrained_ckpt": "./results/weights/mobilenetv2_keras.ckpt"})


def measure_ours(config):
    """Run train_head.py's street; returns the measures by name."""
    import train_head

    results = Path(config.results_path)
    started = time.perf_counter()
    train_head.main([f"--{key}={config[key]}" for key in (
        "dataset_path", "results_path", "features_path", "repeat", "optimizer", "engine")]
        + ["--preset", config.preset])
    total = time.perf_counter() - started
    run = next((results / "runs").iterdir())
    laps = json.loads((run / "result.json").read_text())["seconds"]
    manifests = [json.loads(p.read_text()) for p in (results / "features").glob("*/manifest.json")]
    rows = sum(b["rows"] for m in manifests for b in m["batches"])
    train = max(sum(b["rows"] for b in m["batches"]) for m in manifests)
    size = sum(f.stat().st_size for f in (results / "features").glob("*/feature_*.npy"))
    return measures(rows, laps["features"], train * config.epochs, laps["training"], total,
                    size / rows)


def measure_course(config, folder):
    """Run the course's procedure; returns the measures by name."""
    from bench import course_procedure
    from src_mindspore.backbones.registry import load_backbone
    from src_mindspore.data.folder import read_folder
    from src_mindspore.deploy.mindir import export_mindir
    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.model import save_model
    from src_mindspore.weights.prepare import require_weights

    photos = read_folder(config.dataset_path)
    started = time.perf_counter()
    backbone = load_backbone(require_weights(config.pretrained_ckpt))
    batches, size = course_procedure.extract_features(backbone.cell, config.dataset_path,
                                                      folder / "features", config)
    extracted = time.perf_counter()
    network = course_procedure.train_head(backbone.cell, folder / "features", batches,
                                          len(photos.classes), config)
    trained = time.perf_counter()
    spec = HeadSpec(backbone.channels, 7, len(photos.classes), has_bias=False)
    save_model(folder / "best.ckpt", backbone, network.head, spec, photos.classes, 1.0, {})
    export_mindir(folder / "best.ckpt", folder, "best")
    total = time.perf_counter() - started
    rows = batches * config.batch_size
    shutil.rmtree(folder / "features")
    return measures(rows, extracted - started, rows * config.epochs, trained - extracted, total,
                    size / rows)


def measures(rows, extract_seconds, samples, train_seconds, total, cache_bytes):
    """Name the figures of one procedure."""
    return {"extraction, images/s": rows / extract_seconds,
            "head training, samples/s": samples / train_seconds,
            "photos to exported model, s": total,
            "cache, kB an image": cache_bytes / 1000}


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
