"""Evaluate a model: any checkpoint or MindIR, on any split or folder, with intervals and pictures.

    python evaluate.py --ckpt results/latest/best.ckpt
    python evaluate.py --mindir results/latest/best.mindir --split val
    python evaluate.py --ckpt my_course.ckpt --data ./my_photos --json metrics.json
    python evaluate.py --ckpt results/latest/best.ckpt --tta flip
    python evaluate.py --ckpt results/latest/best.ckpt --tta crops --tta_views 8
"""
import argparse
import sys
import time
from pathlib import Path

from config import config
from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script


def main(argv):
    """Predict, measure, picture; print where to look."""
    args = parse(argv)
    runtime.start()
    from src_mindspore.data.tta import TTASpec
    from src_mindspore.evaluation.accelerate import accelerate
    from src_mindspore.evaluation.metrics import evaluate
    from src_mindspore.evaluation.photos_of_model import photos_for
    from src_mindspore.evaluation.predict import check_colour_order, predict
    from src_mindspore.evaluation.summary import print_result, write_evaluation
    from src_mindspore.model import load_mindir, load_model

    model = load_mindir(args.mindir) if args.mindir else load_model(args.ckpt, args.batch_size)
    model = accelerate(model, args.engine, Path(config.features_path) / "engines")
    root, paths, labels, skipped, split = photos_for(
        model.classes, args.data, args.split, args.bad_images, Path(config.results_path) / "splits")
    tta = TTASpec(args.tta, args.tta_views, args.tta_average)
    predictions = predict(model, root, paths, labels, tta, args.batch_size)
    out = Path(args.out or Path(config.results_path) / "evaluations"
               / time.strftime(f"%Y%m%d-%H%M%S-{root.name}"))
    result = None
    if (labels >= 0).any():
        result = {**evaluate(predictions),
                  "colour_order": check_colour_order(model, predictions, tta),
                  "split": split, "tta": args.tta, "tta_spec": tta.to_dict(),
                  "model_sha256": model.sha256,
                  "engine": model.engine.name if model.engine else "mindspore",
                  "skipped": [{"path": r.path, "reason": r.reason} for r in skipped]}
    write_evaluation(predictions, result, out, args.language, args.json)
    print_result(predictions, result, out, args.language, skipped)


def parse(argv):
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", metavar="FILE", help="checkpoint of a run, or of the course")
    parser.add_argument("--mindir", metavar="FILE", help="exported model; its .json beside it")
    parser.add_argument("--data", metavar="FOLDER", default=config.dataset_path,
                        help="data folder, class folders, or loose photos (default %(default)s)")
    parser.add_argument("--split", default="val", help="which split (default %(default)s)")
    parser.add_argument("--tta", choices=("none", "flip", "crops"), default="none",
                        help="flip: average with the mirrored photo; crops: with random views in "
                        "the geometry of its training")
    parser.add_argument("--tta_views", type=int, default=8, metavar="N",
                        help="crops: how many views, the plain one included (default %(default)s)")
    parser.add_argument("--tta_average", choices=("probabilities", "logits"),
                        default="probabilities", help="what is averaged (default %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="a further copy of the metrics")
    parser.add_argument("--out", metavar="FOLDER", help="where pictures and tables go")
    parser.add_argument("--language", choices=("en", "zh"), default=config.language)
    parser.add_argument("--bad_images", choices=("fail", "skip"), default="fail")
    parser.add_argument("--batch_size", type=int, default=config.eval_batch_size)
    parser.add_argument("--engine", choices=("auto", "mindspore", "openvino", "onnxruntime"),
                        default="mindspore", help="who answers (default %(default)s); photos on "
                        "which another engine is not sure are asked of MindSpore again")
    args = parser.parse_args(argv)
    if bool(args.ckpt) == bool(args.mindir):
        raise LabError("Name one model: --ckpt FILE (for example results/latest/best.ckpt) or "
                       "--mindir FILE.")
    if args.batch_size < 1:
        raise LabError(f"--batch_size is {args.batch_size}; expected an integer from 1.")
    if not 2 <= args.tta_views <= 1000:
        raise LabError(f"--tta_views is {args.tta_views}; expected an integer from 2 to 1000.")
    return args


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
