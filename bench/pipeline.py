"""Processor time of the parts of the pipeline, and what scaled JPEG decoding would change.

    .venv/bin/python -m bench.pipeline [--data FOLDER] [--images 200] [--large 4] [--size 256]

Every part runs on one thread and is timed by the processor's clock, --rounds times; the median is
shown. The views are those of the recommended preset at --size pixels, of the JPEG files of the
folder's train split. Large photos are some of these enlarged to 1792 x 1792 with noise as of a
sensor (an enlarged photo has no detail that scaled decoding could lose); their features are those
of the preset's backbone.
"""
import argparse
import hashlib
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from bench.street import draw
from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, resolve
from src_mindspore.errors import run_as_script
from src_mindspore.evaluation.tables import format_table

BATCH = 16
LARGE = 1792
NOISE = 6  # standard deviation in grey levels


def main(argv):
    """Measure and print both tables."""
    parser = Parser(prog="python -m bench.pipeline", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER")
    parser.add_argument("--images", type=int, default=200, help="photos")
    parser.add_argument("--large", type=int, default=4, help="enlarged photos")
    parser.add_argument("--size", type=int, default=256, help="pixels of a side of a view")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    runtime.start()
    cv2.setNumThreads(1)
    from src_mindspore.features.of_config import prepare_backbone, train_views
    config = resolve(KEYS, PRESETS, DEFAULT_PRESET, preset="recommended",
                     flags={"image_height": args.size, "image_width": args.size})
    backbone = prepare_backbone(config)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        root = Path(args.data or draw(Path(temporary) / "drawn", args.images))
        paths = sorted(root.glob("train/*/*.jpg"))
        paths = paths[::max(1, len(paths) // args.images)][:args.images]
        shape, parts = time_parts(paths, train_views(config, backbone.preprocess), args.rounds)
        scaled = compare_scaled(paths[::max(1, len(paths) // args.large)][:args.large], backbone)
    print(runtime.describe()["processor"] + ", one thread, " + time.strftime("%Y-%m-%d"))
    print(f"{len(paths)} photos, the first {shape[1]} x {shape[0]}; views {args.size} x "
          f"{args.size}, median of {args.rounds} rounds")
    print(format_table(("part", "ms a photo"), [(n, f"{ms:.2f}") for n, ms in parts.items()]))
    print(f"\n{args.large} photos of {LARGE} x {LARGE}, decoded, then averaged to the input")
    print(format_table(("decoded at", "ms a photo", "mean, largest difference of a pixel",
                        "largest difference of a feature, relative", "smallest cosine"), scaled))


def time_parts(paths, views, rounds):
    """Return ((H, W) of the first photo, {part: milliseconds a photo})."""
    from src_mindspore.data.augment import augment, rng_for
    from src_mindspore.data.decode import decode, read_file, read_header
    from src_mindspore.data.preprocess import normalise
    data = [read_file(path) for path in paths]  # also into the page cache
    photos = [decode(item) for item in data]
    pairs = [(photo, str(path)) for photo, path in zip(photos, paths, strict=True)]

    def view(pair):
        photo, name = pair
        return augment(photo, views.preprocess, views.augmentation, rng_for(views.seed, name, 0))

    seen = [view(pair) for pair in pairs]
    batches = [seen[first:first + BATCH] for first in range(0, len(seen), BATCH)]
    stacked = [np.stack(batch) for batch in batches]
    parts = {"read": (read_file, paths), "SHA-256": (lambda d: hashlib.sha256(d).digest(), data),
             "header (Pillow)": (read_header, data), "header and decode (OpenCV)": (decode, data),
             "augment": (view, pairs), f"stack {BATCH}": (np.stack, batches),
             f"normalise {BATCH}": (lambda batch: normalise(batch, views.preprocess), stacked)}
    return photos[0].shape[:2], {name: statistics.median(
        milliseconds(function, items) for _ in range(rounds)) / len(paths)
        for name, (function, items) in parts.items()}


def milliseconds(function, items):
    """Processor time of this thread for a function of every item."""
    started = time.thread_time()
    for item in items:
        function(item)
    return 1000 * (time.thread_time() - started)


def compare_scaled(paths, backbone):
    """Return the rows of the table on decoding at a half and a quarter of the size."""
    from src_mindspore.data.preprocess import normalise, resize
    from src_mindspore.features.engines import MindSporeEngine
    engine = MindSporeEngine(backbone, "mean+max", len(paths))
    spec = backbone.preprocess
    files = [enlarge(path, number) for number, path in enumerate(paths)]
    rows, whole = [], None
    for name, flag in (("whole", cv2.IMREAD_COLOR), ("1/2", cv2.IMREAD_REDUCED_COLOR_2),
                       ("1/4", cv2.IMREAD_REDUCED_COLOR_4)):
        spent = milliseconds(lambda file, flag=flag: cv2.imdecode(file, flag), files) / len(files)
        pixels = np.stack([resize(cv2.cvtColor(cv2.imdecode(file, flag), cv2.COLOR_BGR2RGB),
                                  spec.image_height, spec.image_width, "area") for file in files])
        features = engine(normalise(pixels, spec))
        if whole is None:
            whole = pixels, features
            rows.append((name, f"{spent:.1f}", "", "", ""))
            continue
        pixel = np.abs(pixels.astype(int) - whole[0])
        cosine = (features * whole[1]).sum(1) / (
            np.linalg.norm(features, axis=1) * np.linalg.norm(whole[1], axis=1))
        difference = np.abs(features - whole[1]).max() / np.abs(whole[1]).max()
        rows.append((name, f"{spent:.1f}", f"{pixel.mean():.2f}, {pixel.max()}",
                     f"{difference:.2g}", f"{cosine.min():.5f}"))
    return rows


def enlarge(path, seed):
    """Return a photo as a JPEG file of LARGE squared with noise: 1-D uint8."""
    from src_mindspore.data.decode import load_rgb
    photo = cv2.resize(load_rgb(path), (LARGE, LARGE), interpolation=cv2.INTER_CUBIC)
    noisy = photo + np.random.default_rng(seed).normal(0, NOISE, photo.shape)
    bgr = cv2.cvtColor(np.clip(noisy, 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]


if __name__ == "__main__":
    run_as_script(main)
