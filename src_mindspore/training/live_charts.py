"""Live charts: a run's figures as TensorBoard events, beside history.csv.

    python train_head.py --tensorboard true
    tensorboard --logdir results/runs        # any viewer of event files

The loop hands every validation to charts; where they are off, these are a null object that draws
nothing (Woolf, "Null Object", Pattern Languages of Program Design 3, 1998), so the loop asks
nothing.
"""
import contextlib
import logging
from pathlib import Path

import numpy as np
from PIL import Image

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import PreprocessSpec, resize_and_crop

FOLDER = "tensorboard"
THUMBNAIL, MOST_PHOTOS = 112, 32
# Pixels of the side of a confusion matrix while a run goes on.
MATRIX = 512


class NoCharts:
    """Charts that are off: every call does nothing."""

    def epoch(self, row, confusion):
        """Take one line of the history and what was mistaken for what."""

    def pictures(self, paths, epoch):
        """Take pictures of the finished run."""

    def photos(self, name, paths):
        """Take some photos, as the model reads them."""

    def close(self):
        """Write what is left."""


class TensorBoardCharts:
    """Writes event files into a folder.

    A run that goes on writes a further file; viewers join them by the number of the epoch.

    Args:
        folder: Path.

    Raises:
        ImportError: tensorboardX is not installed.
    """

    def __init__(self, folder):
        # Its writer warns about NumPy types that it converts rightly.
        logging.getLogger("tensorboardX.x2num").setLevel(logging.ERROR)
        from tensorboardX import SummaryWriter
        self.writer = SummaryWriter(str(folder), flush_secs=5)

    def epoch(self, row, confusion):
        """Take one line of the history: loss and accuracies of train and val, the learning rate;
        and val's confusion matrix, without words: its colours are those of the one in the report.

        Args:
            row: dict with epoch (int; in part of an epoch a float, with the step beside it) and
                numbers by name.
            confusion: function () -> (C, C) int, photos by their class and the named one; it is
                called here alone, so that charts that are off cost nothing.
        """
        # Imported here: a head in cross-validation needs no Matplotlib.
        from src_mindspore.evaluation.plots import cell_colours
        step = int(row.get("step", row["epoch"]))
        for name, value in row.items():
            split, _, measure = name.partition("_")
            tag = f"{measure}/{split}" if split in ("train", "val") else name
            if name != "step":
                self.writer.add_scalar(tag, float(value), step)
        colours = np.rint(cell_colours(confusion())[..., :3] * 255).astype(np.uint8)
        side = max(1, MATRIX // len(colours))
        self.writer.add_image("confusion/val", colours.repeat(side, 0).repeat(side, 1), step,
                              dataformats="HWC")
        self.writer.flush()

    def pictures(self, paths, epoch):
        """Take pictures of the finished run.

        Args:
            paths: dict from name to Path of a PNG; missing files are left out.
            epoch: int, the epoch they show.
        """
        for name, path in paths.items():
            if Path(path).exists():
                with Image.open(path) as picture:
                    pixels = np.asarray(picture.convert("RGB"))
                self.writer.add_image(name, pixels, int(epoch), dataformats="HWC")

    def photos(self, name, paths):
        """Take some photos, as thumbnails side by side.

        Args:
            name: str, without spaces: viewers replace them.
            paths: list of Path.
        """
        spec = PreprocessSpec(THUMBNAIL, THUMBNAIL, THUMBNAIL, "area")
        images = np.stack([resize_and_crop(load_rgb(path), spec) for path in paths[:MOST_PHOTOS]])
        self.writer.add_images(name, images, 0, dataformats="NHWC")

    def close(self):
        """Write what is left and close the file."""
        self.writer.close()


@contextlib.contextmanager
def charts_of(config, folder):
    """Yield the charts a configuration asks for, closed at the end.

    Args:
        config: the configuration; tensorboard is read.
        folder: Path of the run.
    """
    charts = TensorBoardCharts(Path(folder) / FOLDER) if config.tensorboard else NoCharts()
    try:
        yield charts
    finally:
        charts.close()
