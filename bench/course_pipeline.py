"""The course's MindSpore dataset pipeline beside ours: speed, and how the views are distributed.

    .venv/bin/python -m bench.course_pipeline [--data FOLDER] [--images 520] [--views 4000]

The course's is made of MindSpore's own C++ operators, as its handout has it: ImageFolderDataset,
RandomCropDecodeResize, flip, RandomColorAdjust, Normalize, HWC2CHW. Ours is asked three times: as
`create_dataset`, and as extraction reads photos, in one pass and in eight. All have the strengths
of the course, the same files and as many threads as there are cores.

Where a crop lay is read from the view of a picture whose red grows to the right and whose green
grows downwards. Distributions are compared by the difference of means in units of the common
standard deviation, and by the two-sample Kolmogorov-Smirnov test.
"""
import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from bench.machine import machine_and_day
from bench.street import draw
from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, resolve
from src_mindspore.errors import run_as_script
from src_mindspore.evaluation.tables import format_table

# Larger than a view, not square, and no multiple of a JPEG block.
RAMP_HEIGHT, RAMP_WIDTH = 301, 401
PASSES = 8


def main(argv):
    """Measure speed and distributions and print both tables."""
    parser = Parser(prog="python -m bench.course_pipeline", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER")
    parser.add_argument("--images", type=int, default=520, help="drawn training pictures")
    parser.add_argument("--views", type=int, default=4000, help="views of each distribution")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    runtime.start()
    cv2.setNumThreads(1)  # as in extraction, where a thread makes a view
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        root = Path(args.data or draw(Path(temporary) / "drawn", args.images))
        pipelines = Pipelines(root)
        speeds = [{name: rate(make) for name, make in pipelines.candidates.items()}
                  for _ in range(args.rounds)]
        ramp = write_ramp(Path(temporary) / "ramp")
        rows = compare(*(geometry(views(ramp, pipelines.config, args.views))
                         for views in (course_geometry, our_geometry)))
        epochs = 1 + args.views // (len(pipelines.records) // 2)  # a short last batch is dropped
        rows += compare(*(colours(make(epochs), pipelines.spec, args.views)
                          for make in (pipelines.course, pipelines.create_dataset)))
    print("\n" + machine_and_day() + f"; {len(pipelines.records)} photos, views of 224 x 224")
    print(format_table(("pipeline", "views/s", "to the course's"), [
        (name, f"{statistics.median(s[name] for s in speeds):,.0f}",
         f"{statistics.median(s[name] / s[COURSE] for s in speeds):.2f}") for name in speeds[0]]))
    print(f"\n{args.views:,} views of each pipeline; sd: standard deviation")
    print(format_table(("quantity", "course, mean (sd)", "ours, mean (sd)",
                        "difference of means, sd", "KS distance", "p"), rows))


COURSE = "course, MindSpore's operators"


class Pipelines:
    """The pipelines over one data folder, with the course's strengths.

    Args:
        root: Path of the data folder.
    """

    def __init__(self, root):
        from src_mindspore.data.folder import read_folder
        from src_mindspore.data.scan import scan
        from src_mindspore.dataset import preprocess_of
        self.root, self.workers = root, runtime.usable_cores()
        self.config = resolve(KEYS, PRESETS, DEFAULT_PRESET, preset="course_default",
                              flags={"dataset_path": str(root), "include_clean": False})
        self.spec = preprocess_of(self.config)
        self.records = [r for r in scan(read_folder(root), progress=False) if r.split == "train"]
        self.candidates = {
            COURSE: self.course,
            "create_dataset": self.create_dataset,
            "extraction, one pass": lambda: self.extraction(1),
            f"extraction, {PASSES} passes": lambda: self.extraction(PASSES)}

    def course(self, epochs=1):
        """Yield batches (N, 3, H, W) float32 of the course's pipeline."""
        import mindspore.dataset as ds
        from mindspore.dataset import vision
        pipeline = ds.ImageFolderDataset(str(self.root / "train"), shuffle=True,
                                         num_parallel_workers=self.workers)
        pipeline = pipeline.map([
            *course_operators(self.config),
            vision.RandomColorAdjust(*(
                (1 - strength, 1 + strength) for strength in (
                    self.config.brightness, self.config.contrast, self.config.saturation))),
            vision.Normalize(list(self.spec.mean), list(self.spec.std)),
            vision.HWC2CHW()], "image", num_parallel_workers=self.workers)
        pipeline = pipeline.batch(self.config.batch_size, drop_remainder=True).repeat(epochs)
        for batch in pipeline.create_dict_iterator(num_epochs=1, output_numpy=True):
            yield batch["image"]

    def create_dataset(self, epochs=1):
        """Yield batches of this project's `create_dataset`."""
        from src_mindspore.dataset import create_dataset
        pipeline = create_dataset(self.config, repeat=epochs)
        for batch in pipeline.create_dict_iterator(num_epochs=1, output_numpy=True):
            yield batch["image"]

    def extraction(self, passes):
        """Yield batches as `features.extract` reads them, `passes` views of each photo."""
        from src_mindspore.features.extract import Views, read_batches
        from src_mindspore.features.of_config import augmentation_of
        views = Views(self.spec, passes, False, augmentation_of(self.config), self.config.seed)
        for images, _, _ in read_batches(self.records, self.root, views, self.config.batch_size,
                                         self.workers):
            yield images


def course_operators(config):
    """Return the course's operators from bytes to a cropped and perhaps flipped view."""
    from mindspore.dataset import vision
    size = (config.image_height, config.image_width)
    return [vision.RandomCropDecodeResize(size, scale=(config.crop_scale_min, 1.0),
                                          ratio=(1 / config.crop_ratio, config.crop_ratio)),
            vision.RandomHorizontalFlip(prob=0.5)]


def rate(make):
    """Return the views a second of one epoch, beginning with the pipeline's construction."""
    started = time.perf_counter()
    count = sum(len(images) for images in make())
    return count / (time.perf_counter() - started)


def write_ramp(folder):
    """Write the picture that tells where a crop lay; returns the Path of a class-folder root."""
    right = np.linspace(0, 255, RAMP_WIDTH)[None].repeat(RAMP_HEIGHT, 0)
    down = np.linspace(0, 255, RAMP_HEIGHT)[:, None].repeat(RAMP_WIDTH, 1)
    picture = np.rint(np.stack((right, down, np.full_like(right, 128)), 2)).astype(np.uint8)
    path = folder / "train" / "ramp" / "ramp.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    return path


def course_geometry(ramp, config, count):
    """Yield views (H, W, 3) uint8 of the ramp by the course's operators."""
    import mindspore.dataset as ds
    pipeline = ds.ImageFolderDataset(str(ramp.parents[1]), shuffle=False)
    pipeline = pipeline.map(course_operators(config), "image").repeat(count)
    for row in pipeline.create_dict_iterator(num_epochs=1, output_numpy=True):
        yield row["image"]


def our_geometry(ramp, config, count):
    """Yield views (H, W, 3) uint8 of the ramp by this project's augmentation without colours."""
    from src_mindspore.data.augment import augment, rng_for
    from src_mindspore.data.decode import load_rgb
    from src_mindspore.dataset import augmentation_of, preprocess_of
    picture, spec = load_rgb(ramp), preprocess_of(config)
    strengths = dataclasses.replace(augmentation_of(config), brightness=0, contrast=0,
                                    saturation=0)
    for number in range(count):
        yield augment(picture, spec, strengths, rng_for(config.seed, ramp.name, number))


def geometry(views):
    """Return {quantity: (N,)} of views of the ramp."""
    found = []
    for view in views:
        height, width = view.shape[:2]
        right, start_right = np.polyfit(np.arange(width), view[..., 0].mean(0), 1)
        down, start_down = np.polyfit(np.arange(height), view[..., 1].mean(1), 1)
        crop_width = abs(right) * width / 255 * (RAMP_WIDTH - 1)
        crop_height = down * height / 255 * (RAMP_HEIGHT - 1)
        middle = (start_right + right * (width - 1) / 2) / 255, \
            (start_down + down * (height - 1) / 2) / 255
        found.append((crop_width * crop_height / (RAMP_WIDTH * RAMP_HEIGHT),
                      np.log(crop_width / crop_height), *middle, right < 0))
    names = ("crop, part of the area", "crop, log of width : height", "middle, from the left",
             "middle, from the top", "flipped")
    return dict(zip(names, np.array(found, float).T, strict=True))


def colours(batches, spec, count):
    """Return {quantity: (count,)}: mean and deviation of each channel of views, in grey levels.

    Args:
        batches: iterable of (N, 3, H, W) float32. (Of one pipeline: begun anew, it would draw the
            same views again.)
        spec: PreprocessSpec that normalised them.
        count: int, views.
    """
    found = []
    for images in batches:
        levels = images.reshape(*images.shape[:2], -1)
        found.append(np.stack((levels.mean(2) * spec.std + spec.mean,
                               levels.std(2) * spec.std), 2))
        if sum(map(len, found)) >= count:
            break
    found = np.concatenate(found)[:count]
    return {f"{channel}, {what}, grey levels": found[:, place, part]
            for place, channel in enumerate(("red", "green", "blue"))
            for part, what in enumerate(("mean", "deviation"))}


def compare(course, ours):
    """Return the rows of the table: one a quantity."""
    from scipy.stats import ks_2samp
    rows = []
    for name, first in course.items():
        second = ours[name]
        deviation = np.sqrt((first.var() + second.var()) / 2)
        test = ks_2samp(first, second)
        rows.append((name, f"{first.mean():.3f} ({first.std():.3f})",
                     f"{second.mean():.3f} ({second.std():.3f})",
                     f"{(second.mean() - first.mean()) / deviation:+.3f}",
                     f"{test.statistic:.3f}", f"{test.pvalue:.2g}"))
    return rows


if __name__ == "__main__":
    run_as_script(main)
