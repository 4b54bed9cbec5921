"""The ladder: from the course's starting point to the recommended preset, one change a rung.

    python -m src_mindspore.evaluation.ladder [--cv_seeds 1,2,3] [--json FILE] [--leaks drop]

Every rung is cross-validated on train alone (see crossval.py), so nothing is tuned or read on val.
The first two rungs are asked with red and blue exchanged, as a `predict` that is handed OpenCV's
BGR by a model trained on RGB.
"""
import argparse
import dataclasses
import sys

from config import KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, resolve
from src_mindspore.errors import run_as_script
from src_mindspore.evaluation.crossval import cross_validate, crossval_data, parse_seeds
from src_mindspore.evaluation.tables import format_table
from src_mindspore.files import write_json

SCHEDULE = {"epochs": 40, "lr_max": 0.03, "decay_type": "cosine", "weight_decay": 4e-5}
# Keys that say where things are rather than how to learn.
COMMON = ("dataset_path", "val_fraction", "bad_images", "leaks", "pretrained_ckpt",
          "features_path", "engine", "workers", "results_path")
# (name, preset, changes to it, asked in BGR)
RUNGS = (
    ("course_default, predict is handed BGR", "course_default", {}, True),
    ("+ schedule: 40 epochs, cosine from 0.03, decay 4e-5", "course_default", SCHEDULE, True),
    ("+ RGB: predict is handed what training saw", "course_default", SCHEDULE, False),
    ("+ optimizer: Adam", "course_default", {**SCHEDULE, "optimizer": "adam"}, False),
    ("+ repeat 8, weaker colour jitter (course_best)", "course_best", {}, False),
    ("recommended", "recommended", {}, False),
)


def main(argv):
    """Cross-validate every rung and print the table."""
    parser = Parser(prog="python -m src_mindspore.evaluation.ladder", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--cv_seeds", default="1,2,3")
    parser.add_argument("--json", metavar="FILE")
    # Only what no rung sets may be given; it holds for every rung.
    for name in COMMON:
        parser.add_argument(f"--{name}", metavar="X", help=KEYS[name].help)
    args = parser.parse_args(argv)
    common = {name: getattr(args, name) for name in COMMON if getattr(args, name) is not None}
    seeds = parse_seeds(args.cv_seeds)
    runtime.start()
    results = [climb(name, resolve(KEYS, PRESETS, preset, preset=preset,
                                   flags={**changes, **common}), bgr, seeds)
               for name, preset, changes, bgr in RUNGS]
    print("\n" + format_table(("rung", "top-1", "spread", "95 % interval", "n"), [
        (r["name"], f"{r['top1']:.1%}", f"{r['spread']:.1%}",
         f"{r['interval'][0]:.1%} to {r['interval'][1]:.1%}", r["n"]) for r in results]))
    if args.json:
        write_json(args.json, results)


def climb(name, config, bgr, seeds):
    """Cross-validate one rung.

    Args:
        name: str.
        config: the configuration.
        bgr: bool, ask with red and blue exchanged.
        seeds: list of int.

    Returns:
        dict of `cross_validate`, and the name.
    """
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.features.of_config import prepare_backbone

    print(f"\n--- {name}", flush=True)
    photos = prepare_photos(config)
    backbone = prepare_backbone(config)
    asked = backbone
    if bgr:
        swapped = dataclasses.replace(backbone.preprocess, channel_order="BGR")
        asked = dataclasses.replace(backbone, preprocess=swapped)
    data = crossval_data(photos, backbone, config, asked)
    return {"name": name, **cross_validate(data, backbone, photos.classes, config, 5, seeds)}


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
