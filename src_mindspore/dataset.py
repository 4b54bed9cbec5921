"""The course's dataset pipeline: `create_dataset(config)`, a mindspore.dataset of image and label.

    from src_mindspore.dataset import create_dataset
    train = create_dataset(config)                       # augmented, shuffled
    val = create_dataset(config, training=False)         # as `predict` sees a photo

Paths are opened and photos decoded, augmented and normalised by this package's own functions:
MindSpore's C++ readers fail on non-ASCII paths on some systems, and there is one preprocessing in
this project, not three. All randomness is drawn per photo from the seed, so the result does not
depend on the number of workers either.
"""
import dataclasses
import itertools
from pathlib import Path

import mindspore.dataset as ds
import numpy as np

from src_mindspore import runtime
from src_mindspore.backbones.checkpoint import read_checkpoint
from src_mindspore.backbones.registry import complete_contract, entry_of, spec_of
from src_mindspore.data.augment import AugmentSpec, augment, rng_for
from src_mindspore.data.decode import BadImage, load_rgb
from src_mindspore.data.folder import find_data, read_folder
from src_mindspore.data.preprocess import normalise, preprocess
from src_mindspore.errors import LabError


def create_dataset(config, training=True, buffer_size=1000, repeat=1):
    """Read train or val of a data folder as the course's lab does.

    Every epoch and every repetition augments anew; a dataset created again begins from the start
    and gives the same bytes. (An iterator reads ahead. For exact repetition read from one
    iterator, or use `create_dict_iterator(num_epochs=1)`.)

    Args:
        config: EasyDict or object with dataset_path, batch_size, eval_batch_size. Used where
            present: image_height, image_width, pretrained_ckpt (whose contract names mean and
            std), class_index, seed, resize, interpolation, the strengths of the
            augmentation, workers.
        training: bool. True: train, augmented, shuffled, the last short batch dropped (unless it
            is the only one). False: val, in order, every photo once.
        buffer_size: int >= 1, photos the shuffle draws from.
        repeat: int >= 1, how often the training photos are gone through.

    Returns:
        mindspore.dataset.Dataset: `image` (N, 3, H, W) float32, `label` (N,) int32.

    Raises:
        LabError: no such folder or split, a class that class_index lacks, or weights that cannot
            be read. A damaged photo stops the iteration with a message that names it.
    """
    split = "train" if training else "val"
    path = Path(_value(config, "dataset_path", ""))
    folder = read_folder(find_data(path) or path)
    files = folder.splits.get(split)
    if not files:
        raise LabError(f"{folder.root} has no photos in {split}; create_dataset expects "
                       f"{folder.root / split}/<class>/photo.jpg.")
    labels = _labels(config, folder)
    photos = _Photos(folder.root, [(file.path, labels[file.label]) for file in files], training,
                     buffer_size, _value(config, "seed", 1), preprocess_of(config),
                     augmentation_of(config))
    # MindSpore refuses more workers than cores.
    wanted = _value(config, "workers", 0) or runtime.usable_cores()
    workers = min(wanted, runtime.usable_cores())
    pipeline = ds.GeneratorDataset(_Order(photos), ["number", "pass"], shuffle=False,
                                   num_parallel_workers=1, python_multiprocessing=False)
    pipeline = pipeline.map(photos.read, ["number", "pass"], ["image", "label"],
                            num_parallel_workers=workers, python_multiprocessing=False)
    batch_size = _value(config, "batch_size", 32) if training \
        else _value(config, "eval_batch_size", 32)
    # In evaluation nothing is dropped: a photo that vanishes is missing from the score.
    pipeline = pipeline.batch(batch_size, num_parallel_workers=1,
                              drop_remainder=training and len(files) >= batch_size)
    return pipeline.repeat(repeat) if repeat > 1 else pipeline


def preprocess_of(config):
    """Return the PreprocessSpec of a configuration: geometry from its keys, mean, std and channel
    order from the contract of its pretrained_ckpt, ImageNet's where there is none."""
    entry = entry_of(_value(config, "backbone", "mobilenet_v2"))
    weights = _value(config, "pretrained_ckpt", "")
    spec = entry.default_preprocess
    if weights and Path(weights).exists():
        parameters, meta = read_checkpoint(weights)
        spec = spec_of(complete_contract(meta, parameters, entry), entry)
    return dataclasses.replace(
        spec, image_height=_value(config, "image_height", 224),
        image_width=_value(config, "image_width", 224), resize=_value(config, "resize", 256),
        interpolation=_value(config, "interpolation", "bilinear"))


def augmentation_of(config):
    """Return the AugmentSpec of a configuration; where it has no strengths, the course's."""
    course = AugmentSpec()
    ratio = _value(config, "crop_ratio", course.crop_ratio[1])
    strengths = {name: _value(config, name, getattr(course, name))
                 for name in ("flip", "brightness", "contrast", "saturation")}
    smallest = _value(config, "crop_scale_min", course.crop_scale[0])
    return AugmentSpec((smallest, 1.0), (1 / ratio, ratio), **strengths)


def _value(config, name, default):
    value = getattr(config, name, None)
    return default if value is None else value


def _labels(config, folder):
    """Return the label of each class folder: the course's class_index, else the sorted order."""
    index = dict(_value(config, "class_index", {}))
    labels = []
    for place, name in enumerate(folder.classes.folders):
        if index and name not in index:
            raise LabError(f"class_index has no entry for the class folder {name!r} of "
                           f"{folder.root}. Add it, or leave class_index empty: the sorted folder "
                           "names then count from 0.")
        labels.append(int(index[name]) if index else place)
    return labels


class _Photos:
    """The photos of a split and how one becomes a row."""

    def __init__(self, root, files, training, buffer_size, seed, spec, augmentation):
        self.root = root
        self.files = files
        self.training = training
        self.buffer_size = buffer_size
        self.seed = seed
        self.spec = spec
        self.augmentation = augmentation

    def read(self, number, number_of_pass):
        """Return (image (3, H, W) float32, label int32) of one photo in one pass."""
        path, label = self.files[int(number)]
        try:
            image = load_rgb(self.root / path)
        except BadImage as error:
            # MindSpore builds the error again from its text alone, which a BadImage cannot be.
            raise LabError(f"{error}. Repair or remove it; `python -m src_mindspore.data.audit "
                           f"{self.root}` lists all such files.") from None
        if self.training:
            view = augment(image, self.spec, self.augmentation,
                           rng_for(self.seed, path, int(number_of_pass)))
            return normalise(view, self.spec), np.int32(label)
        return preprocess(image, self.spec), np.int32(label)


class _Order:
    """Which photo comes when: an iterable that MindSpore goes through once an epoch."""

    def __init__(self, photos):
        self.photos = photos
        self.passes = itertools.count()

    def __len__(self):
        return len(self.photos.files)

    def __iter__(self):
        number_of_pass = next(self.passes)
        numbers = range(len(self))
        if self.photos.training:
            rng = np.random.default_rng([self.photos.seed, number_of_pass])
            numbers = shuffled(numbers, self.photos.buffer_size, rng)
        for number in numbers:
            yield np.int64(number), np.int64(number_of_pass)


def shuffled(items, buffer_size, rng):
    """Yield items in random order, each drawn from a buffer that holds `buffer_size` of them.

    What `Dataset.shuffle` does; with a buffer as large as the data every order is equally likely.

    Args:
        items: iterable.
        buffer_size: int >= 1; 1 keeps the order.
        rng: numpy Generator.
    """
    buffer = []
    for item in items:
        if len(buffer) < buffer_size:
            buffer.append(item)
            continue
        place = int(rng.integers(len(buffer)))
        yield buffer[place]
        buffer[place] = item
    rng.shuffle(buffer)
    yield from buffer
