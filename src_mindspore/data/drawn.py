"""The drawn set: the course's 26 classes drawn by this code, for where no photos are.

    python -m src_mindspore.data.drawn OUT [--train_per_class 40] [--val_per_class 10]
        [--classes 26] [--seed 0] [--size 224] [--contact_sheet FILE.png]

Image i of a class of a split under a seed is a function of these four and of the version
alone: it does not depend on how many images are drawn, in which order, or by how many workers.
What is measured on drawn images says nothing about photos; `is_drawn` lets reports say so.
"""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from src_mindspore.data.classes import COURSE_CLASSES
from src_mindspore.data.drawn_food import FOOD
from src_mindspore.data.drawn_hazardous import HAZARDOUS
from src_mindspore.data.drawn_recyclable import RECYCLABLE
from src_mindspore.data.drawn_residual import RESIDUAL
from src_mindspore.data.drawn_scene import draw_scene
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.files import explain_os_error, read_json, write_bytes, write_json

# To be raised whenever an image of any (seed, split, class, index) changes.
GENERATOR_VERSION = 1
# In the order of COURSE_CLASSES.
DRAWINGS = RECYCLABLE + RESIDUAL + HAZARDOUS + FOOD
SPLITS = ("train", "val")
# Below this side clutter and grain would be finer than the drawing code can make them.
_SMALLEST_SCENE = 128
DONE, _BEGUN = "drawn.json", ".drawing.json"
_TEMPORARY = ".tmp-drawn-"
_REPORT_EVERY = 8


def draw_image(class_index, seed, index, split="train", size=224):
    """Return one drawn image.

    Args:
        class_index: int, 0 to 25, position in COURSE_CLASSES.
        seed: int >= 0.
        index: int >= 0, the number of the image in its class and split.
        split: "train" or "val".
        size: int, 32 to 2048, side in pixels.

    Returns:
        (size, size, 3) uint8 RGB, a pure function of the arguments.

    Raises:
        LabError: an argument is outside its range.
    """
    _check("class_index", class_index, 0, len(DRAWINGS) - 1)
    _check("seed", seed, 0)
    _check("index", index, 0)
    _check("size", size, 32, 2048)
    if split not in SPLITS:
        raise LabError(f"split is {split!r}. Expected one of {', '.join(SPLITS)}.")
    scene = max(size, _SMALLEST_SCENE)
    rng = np.random.default_rng([seed, SPLITS.index(split), class_index, index])
    picture = draw_scene(DRAWINGS[class_index], rng, scene)
    if scene != size:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return picture


def draw_dataset(root, train_per_class, val_per_class, classes=26, seed=0, size=224, workers=None,
                 progress=True):
    """Write a drawn set as `root/{train,val}/<folder>/<00000>.jpg`, last `root/drawn.json`.

    A set that is complete is left alone; one that was interrupted is completed.

    Args:
        root: str or Path of a folder that is new, empty or an earlier call's with these settings.
        train_per_class, val_per_class: int, at least 1 and at least 0.
        classes: int, 1 to 26, the first so many of COURSE_CLASSES.
        seed: int >= 0.
        size: int, 32 to 2048, side in pixels.
        workers: int >= 1, processes; default one a core. The files do not depend on it.
        progress: bool, show a bar on stderr.

    Returns:
        Path of `root`.

    Raises:
        LabError: a value is outside its range, the folder holds something else, or the disk is
            full. Files that are not this function's own are never touched.
    """
    _check("train_per_class", train_per_class, 1)
    _check("val_per_class", val_per_class, 0)
    _check("classes", classes, 1, len(DRAWINGS))
    _check("seed", seed, 0)
    _check("size", size, 32, 2048)
    if workers is not None:
        _check("workers", workers, 1)
    root = Path(root)
    settings = {"generator_version": GENERATOR_VERSION, "seed": int(seed), "classes": int(classes),
                "train_per_class": int(train_per_class), "val_per_class": int(val_per_class),
                "size": int(size)}
    if _is_complete(root, settings):
        return root
    write_json(root / _BEGUN, settings)
    wanted = classes * (train_per_class + val_per_class)
    if workers is None:
        # A process takes as long to start as some dozens of images to draw.
        workers = max(1, min(os.cpu_count() or 1, wanted // 64))
    with tqdm(total=wanted, unit="image", desc="drawing", disable=not progress) as bar:
        if workers == 1:
            _draw_share(root, settings, 0, 1, bar.update)
        else:
            _draw_in_processes(root, settings, workers, bar)
    write_json(root / DONE, {**settings, "images": wanted})
    (root / _BEGUN).unlink(missing_ok=True)
    return root


def is_drawn(root):
    """Return whether `root` is a complete drawn set or a folder in one, as reports must say."""
    root = Path(root).resolve()
    return any((folder / DONE).is_file() for folder in (root, *list(root.parents)[:2]))


def draw_contact_sheet(path, per_class=6, seed=0):
    """Write a PNG with `per_class` training images of every class beside its English name.

    Args:
        path: str or Path of the PNG.
        per_class: int, 1 to 50.
        seed: int >= 0.

    Raises:
        LabError: a value is outside its range, or the file cannot be written.
    """
    _check("per_class", per_class, 1, 50)
    _check("seed", seed, 0)
    side, margin, rows = 128, 220, (len(DRAWINGS) + 1) // 2
    column = margin + per_class * side
    sheet = np.full((rows * side, 2 * column, 3), 255, np.uint8)
    for index, (folder, name, _) in enumerate(COURSE_CLASSES):
        y, x = index % rows * side, index // rows * column
        for text, row in ((name, 58), (folder, 82)):
            cv2.putText(sheet, text, (x + 8, y + row), cv2.FONT_HERSHEY_SIMPLEX, 0.52, (0, 0, 0), 1,
                        cv2.LINE_AA)
        for i in range(per_class):
            tile = cv2.resize(draw_image(index, seed, i), (side - 4, side - 4),
                              interpolation=cv2.INTER_AREA)
            left = x + margin + i * side
            sheet[y + 2:y + side - 2, left + 2:left + side - 2] = tile[..., ::-1]
    write_bytes(path, cv2.imencode(".png", sheet)[1].tobytes())


def _check(name, value, low, high=None):
    allowed = f"{low} to {high}" if high is not None else f"{low} or more"
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        raise LabError(f"{name} is {value!r}. Expected a whole number, {allowed}. Change it and "
                       "run the same command again.")


def _is_complete(root, settings):
    """Return whether `root` holds this very set; raise LabError if it holds something else."""
    if not root.exists():
        return False
    if not root.is_dir():
        raise LabError(f"{root} is a file. Expected a folder for the drawn set; choose another "
                       "name.")
    for name in (DONE, _BEGUN):
        if (root / name).is_file():
            found = read_json(root / name)
            known = {key: found.get(key) for key in settings} if isinstance(found, dict) else {}
            if known == settings:
                return name == DONE
            changed = ", ".join(f"{key} {known.get(key)} instead of {value}" for key, value
                                in settings.items() if known.get(key) != value)
            raise LabError(f"{root} holds a drawn set with other settings: {changed}. Nothing was "
                           "changed; choose another folder, or delete this one yourself.")
    # A first call killed while writing its very first file leaves only a temporary one.
    if any(not entry.name.startswith(".tmp-") for entry in root.iterdir()):
        raise LabError(f"{root} is not empty and was not written by this command (it has no "
                       f"{DONE}). Expected a new or empty folder for the drawn set; choose "
                       "another one. Nothing was changed.")
    return False


def _draw_share(root, settings, share, shares, report):
    """Write the images whose running number is `share` modulo `shares`, except existing ones.

    Args:
        report: function called with the number of images finished since its last call.

    Raises:
        LabError: a file cannot be written.
    """
    number = done = 0
    for split in SPLITS:
        for class_index in range(settings["classes"]):
            folder = root / split / COURSE_CLASSES[class_index][0]
            count = settings[f"{split}_per_class"]
            try:
                if count:
                    folder.mkdir(parents=True, exist_ok=True)
                for index in range(count):
                    number += 1
                    if number % shares != share:
                        continue
                    path = folder / f"{index:05d}.jpg"
                    if not path.exists():
                        _write_image(path, class_index, settings, index, split)
                    done += 1
                    if done == _REPORT_EVERY:
                        report(done)
                        done = 0
            except OSError as error:
                raise explain_os_error(error, error.filename or folder) from error
    report(done)


def _write_image(path, class_index, settings, index, split):
    seed = settings["seed"]
    picture = draw_image(class_index, seed, index, split, settings["size"])
    # A stream of its own: the quality of the file must not shift the draws of the picture.
    rng = np.random.default_rng([seed, SPLITS.index(split), class_index, index, 1])
    quality = int(rng.integers(60, 96))
    jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    # No fsync: an image lost to a power cut is drawn again. The name depends on the image, so
    # that a file left by a killed process is overwritten and renamed when the set is completed.
    temporary = path.with_name(f"{_TEMPORARY}{path.name}")
    try:
        temporary.write_bytes(jpeg.tobytes())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _draw_in_processes(root, settings, workers, bar):
    """Run `_draw_share` in `workers` interpreters of their own.

    Not `multiprocessing`: forking a process in which MindSpore runs its threads can hang, and
    spawning imports the caller's main script again.
    """
    project = Path(__file__).resolve().parents[2]
    paths = [str(project), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    code = "from src_mindspore.data.drawn import _worker_main; _worker_main()"
    children = []
    lock = threading.Lock()

    def follow(child):
        for line in child.stdout:
            with lock:
                bar.update(int(line))
        errors = child.stderr.read()
        if child.wait():
            raise LabError(errors.strip() or f"A drawing process ended with code "
                           f"{child.returncode}. The same command goes on from there.")

    try:
        for share in range(workers):
            task = json.dumps({"root": str(root), "settings": settings, "share": share,
                               "shares": workers})
            children.append(subprocess.Popen([sys.executable, "-c", code, task], text=True,
                                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                             env=environment))
        with ThreadPoolExecutor(workers) as threads:
            try:
                for ended in as_completed([threads.submit(follow, child) for child in children]):
                    ended.result()
            except BaseException:
                for child in children:
                    child.terminate()
                raise
    finally:
        for child in children:
            child.terminate()
            child.wait()
            child.stdout.close()
            child.stderr.close()


def _worker_main():
    """Draw the share described by the JSON in the first argument; print counts, or one error."""
    task = json.loads(sys.argv[1])
    # One process a core already: threads inside OpenCV would only get in each other's way.
    cv2.setNumThreads(1)
    try:
        _draw_share(Path(task["root"]), task["settings"], task["share"], task["shares"],
                    lambda count: print(count, flush=True))
    except LabError as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, BrokenPipeError):
        # The parent was stopped; it says so itself.
        os._exit(1)


def main(argv):
    """Run the command line given as a list of str."""
    parser = argparse.ArgumentParser(prog="python -m src_mindspore.data.drawn",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("out", metavar="OUT", help="new folder for the drawn set")
    parser.add_argument("--train_per_class", type=int, default=40)
    parser.add_argument("--val_per_class", type=int, default=10)
    parser.add_argument("--classes", type=int, default=26, help="1 to 26")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=224, help="side in pixels, 32 to 2048")
    parser.add_argument("--workers", type=int, default=None, help="processes, default one a core")
    parser.add_argument("--contact_sheet", metavar="FILE.png", help="also write an overview")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    root = draw_dataset(args.out, args.train_per_class, args.val_per_class, args.classes, args.seed,
                        args.size, args.workers)
    seconds = time.perf_counter() - start
    images = args.classes * (args.train_per_class + args.val_per_class)
    print(f"{root}: {images} images in {seconds:.1f} s, {images / max(seconds, 1e-9):.0f} images/s "
          "(images that were already there are counted)")
    if args.contact_sheet:
        draw_contact_sheet(args.contact_sheet, seed=args.seed)
        print(f"contact sheet: {args.contact_sheet}")


if __name__ == "__main__":
    run_as_script(main)
