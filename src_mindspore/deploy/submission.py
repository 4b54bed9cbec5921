"""The folder a course hands in: main.py with `predict(image)`, and everything it loads.

    python -m src_mindspore.deploy.submission --ckpt results/latest/best.ckpt --channels RGB
    python -m src_mindspore.deploy.submission --ckpt FILE --channels RGB --tta flip

The 2021 text of the course hands OpenCV's BGR to `predict`, the current one Pillow's RGB. The two
cost 11 to 14 points when they are mixed up, so the order is chosen here, in the open.
"""
import argparse
import dataclasses
import tempfile
from pathlib import Path

from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.data import augment, preprocess, tta
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.files import read_json, write_bytes, write_json, write_text

TEMPLATE = Path(__file__).parent / "templates" / "main.py.txt"
MODEL_FILES = ("model.mindir", "model.json")
# The preprocessing travels as copies of its own files, not as code written again.
COPIES = {"lab_preprocess.py": preprocess, "lab_augment.py": augment, "lab_tta.py": tta}
PLAIN = tta.TTASpec()


def write_submission(checkpoint, channels, folder, views=PLAIN):
    """Write a self-contained submission.

    Args:
        checkpoint: a whole network.
        channels: 'RGB' or 'BGR', what `predict` will be handed.
        folder: where to write; may exist only if it holds an earlier submission.
        views: TTASpec, what `predict` asks the model about; every view costs its time.

    Returns:
        Path of the folder.

    Raises:
        LabError: not a whole network, the folder holds other files, views are crops and the
            model does not know how it was trained, or logits of a model that answers with
            probabilities are to be averaged.
    """
    from src_mindspore.deploy.mindir import export_mindir
    from src_mindspore.evaluation.predict import require_augmentation

    folder = Path(folder)
    known = {"main.py", *COPIES, *MODEL_FILES, "__pycache__"}
    try:
        others = {f.name for f in folder.iterdir()} - known if folder.exists() else set()
    except OSError as error:
        raise LabError(f"{folder} is not a folder that can be written to: {error.strerror}. Choose "
                       "another --out.") from error
    if others:
        raise LabError(f"{folder} holds other files ({sorted(others)[0]}, ...). Choose another "
                       "--out, so that nothing of yours is handed in or overwritten.")
    with tempfile.TemporaryDirectory() as temporary:
        export_mindir(checkpoint, Path(temporary), "model")
        meta = read_json(Path(temporary) / "model.json")
        require_augmentation(views, meta.get("augmentation"))
        if meta["output"] != "logits":
            if views.kind != "none" and views.average == "logits":
                raise LabError("--tta_average is logits, but this model answers with "
                               f"{meta['output']}. Leave it at probabilities, or train with "
                               "--activation None.")
            # Its answers are probabilities already; their plain mean is the mean of those.
            views = dataclasses.replace(views, average="logits")
        write_bytes(folder / "model.mindir", (Path(temporary) / "model.mindir").read_bytes())
    for name, module in COPIES.items():
        text = Path(module.__file__).read_text(encoding="utf-8")
        for target, other in COPIES.items():
            text = text.replace(f"from {other.__name__} import", f"from {target[:-3]} import")
        write_text(folder / name, text)
    write_text(folder / "main.py", TEMPLATE.read_text(encoding="utf-8"))
    # Last, because main.py refuses a model that this file does not describe.
    write_json(folder / "model.json", {**meta, "predict_receives": channels,
                                       "tta": views.to_dict()})
    return folder


def main(argv):
    """Read the command line and write the submission."""
    parser = Parser(prog="python -m src_mindspore.deploy.submission", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", required=True, metavar="FILE")
    parser.add_argument("--channels", choices=("RGB", "BGR"), required=True,
                        help="the order of the image that predict is handed")
    parser.add_argument("--out", default="results/submission", metavar="FOLDER")
    parser.add_argument("--tta", choices=tta.KINDS, default="none",
                        help="views that predict averages, as in evaluate.py")
    parser.add_argument("--tta_views", type=int, choices=range(2, 65), default=8, metavar="N")
    parser.add_argument("--tta_average", choices=tta.AVERAGES, default="probabilities",
                        help="what is averaged (default %(default)s)")
    args = parser.parse_args(argv)
    runtime.start()
    folder = write_submission(args.ckpt, args.channels, args.out,
                              tta.TTASpec(args.tta, args.tta_views, args.tta_average))
    print(f"{folder} is ready: main.py with predict(image) for {args.channels} images.\n"
          f"try it: cd {folder} && python -c \"import cv2, main; "
          "print(main.predict(cv2.imread('PHOTO.jpg')"
          f"{'[:, :, ::-1]' if args.channels == 'RGB' else ''}))\"")


if __name__ == "__main__":
    run_as_script(main)
