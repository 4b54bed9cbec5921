"""Grad-CAM: where in a photo a model finds the evidence for a class.

    python -m src_mindspore.evaluation.gradcam --ckpt results/latest/best.ckpt photo.jpg
    python -m src_mindspore.evaluation.gradcam --ckpt results/latest/best.ckpt datasets/my_photos
    python -m src_mindspore.evaluation.gradcam --ckpt a.ckpt --layer features.13 --class Hats a.jpg
    python -m src_mindspore.evaluation.gradcam --mindir results/latest/best.mindir a.jpg b.jpg

Writes a picture for each photo (what the network saw, the heat for the prediction, the heat for
the truth where that is another class) and a contact sheet for each class, its mistakes first.
"""
import argparse
import sys
import time
from pathlib import Path

from config import config
from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script

SHEET = 24  # photos on the sheet of a class


def main(argv):
    """Explain photos; print where to look."""
    args = parse(argv)
    runtime.start()
    from tqdm import tqdm

    from src_mindspore.evaluation.explanation import class_named, explain, gradcam_of
    from src_mindspore.evaluation.explanation_plots import plot_explanation, plot_heat_sheet
    from src_mindspore.model import load_model

    model = load_model(args.ckpt or checkpoint_of(args.mindir))
    asked = None if args.wanted is None else class_named(model.classes, args.wanted)
    cam = gradcam_of(model, args.layer)
    root, paths, labels = photos_named(model.classes, args)
    out = Path(args.out or Path(config.results_path) / "gradcam"
               / time.strftime(f"%Y%m%d-%H%M%S-{root.name}"))
    sheets, wrong, written = {}, 0, set()
    names = model.classes.in_language(args.language)
    for one in tqdm(explain(model, cam, root, paths, labels, asked), desc="Grad-CAM", unit="img",
                    total=len(paths)):
        folder = model.classes.folders[one.label if one.label >= 0 else one.predicted]
        picture = out / folder / f"{Path(one.path).name}.png"
        if picture in written:  # two photos of one name, from two folders
            picture = picture.with_name(one.path.strip("/").replace("/", "_") + ".png")
        written.add(picture)
        plot_explanation(one, model.classes, picture, args.language)
        kept = sheets.setdefault(folder, [])
        kept.append(one)
        kept.sort(key=lambda e: (not e.is_wrong, e.probabilities[e.predicted]))
        del kept[SHEET:]
        wrong += one.is_wrong
        if len(paths) == 1:
            print(f"{one.path}: {names[one.predicted]} {one.probabilities[one.predicted]:.1%}")
    for folder, kept in sheets.items():
        plot_heat_sheet(kept, model.classes, out / f"sheet_{folder}.png",
                        names[model.classes.folders.index(folder)], args.language)
    known = int((labels >= 0).sum())
    print(f"{len(paths)} photos read behind {cam.parts.layer}"
          + (f", {wrong} of {known} named wrongly" if known else "")
          + f"; a picture of each and a sheet for {len(sheets)} classes: {out}")


def checkpoint_of(mindir):
    """Return the checkpoint that a MindIR was exported from, which stands beside it.

    Args:
        mindir: path of NAME.mindir or NAME_dynamic.mindir.

    Raises:
        LabError: it is not there, or is another one; says why the MindIR alone will not do.
    """
    from src_mindspore.files import read_json, sha256_of
    from src_mindspore.model import load_mindir, sidecar_of

    load_mindir(mindir)  # refuses a damaged file, or one without its sidecar
    sidecar = sidecar_of(mindir)
    checkpoint = sidecar.with_suffix(".ckpt")
    digest = read_json(sidecar).get("checkpoint_sha256")
    if digest and checkpoint.is_file() and sha256_of(checkpoint) == digest:
        print(f"{mindir} was exported from {checkpoint}, which is explained in its place")
        return checkpoint
    raise LabError(
        f"Grad-CAM needs the gradient at a feature map inside the network, and {mindir} is one "
        "compiled graph whose inner maps cannot be reached. Its checkpoint would do, but "
        f"{checkpoint} " + ("is another model's." if checkpoint.is_file() else "is not there.")
        + " Name the checkpoint of the same run with --ckpt.")


def photos_named(classes, args):
    """Return (root, paths, labels) of a folder, or of photos one by one.

    Raises:
        LabError: several folders, a photo that is not there, or see `photos_for`.
    """
    import numpy as np

    from src_mindspore.data.decode import BadImage, load_rgb
    from src_mindspore.evaluation.photos_of_model import photos_for

    named = [Path(name) for name in args.photos]
    if len(named) == 1 and not named[0].is_file():
        root, paths, labels, _, _ = photos_for(classes, named[0], args.split, args.bad_images,
                                               Path(config.results_path) / "splits")
        return root, paths, labels
    for path in named:
        if not path.is_file():
            raise LabError(f"{path} is not a photo{' but a folder' if path.is_dir() else ''}. "
                           "Name photos, or one folder and nothing else.")
        try:
            load_rgb(path)
        except BadImage as error:
            raise LabError(f"{error}. Leave it out, or repair it.") from error
    # A photo in a folder of one of the model's classes has that class, as everywhere here.
    labels = [classes.folders.index(path.resolve().parent.name)
              if path.resolve().parent.name in classes.folders else -1 for path in named]
    return Path(), tuple(str(path) for path in named), np.array(labels)


def parse(argv):
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", metavar="PHOTO|FOLDER",
                        help="photos, or one folder: of splits, of classes, or of photos alone")
    parser.add_argument("--ckpt", metavar="FILE", help="checkpoint of a run, or of the course")
    parser.add_argument("--mindir", metavar="FILE", help="exported model, its .json and the "
                        "checkpoint it was made from beside it")
    parser.add_argument("--layer", metavar="NAME", help="layer whose map is read, such as "
                        "features.13 (default: the last, which the head reads)")
    parser.add_argument("--class", dest="wanted", metavar="NAME", help="explain this class too, by "
                        "its folder or its English or Chinese name")
    parser.add_argument("--split", default="val", help="which split (default %(default)s)")
    parser.add_argument("--out", metavar="FOLDER", help="where the pictures go")
    parser.add_argument("--language", choices=("en", "zh"), default=config.language)
    parser.add_argument("--bad_images", choices=("fail", "skip"), default="fail")
    args = parser.parse_args(argv)
    if bool(args.ckpt) == bool(args.mindir):
        raise LabError("Name one model: --ckpt FILE (for example results/latest/best.ckpt) or "
                       "--mindir FILE.")
    return args


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
