"""Tiny photos that NumPy alone can name, and hand-ins made from a few lines."""
import numpy as np

from lab.grading.limits import Limits
from src_mindspore.data.classes import COURSE_CLASSES

PER_CLASS = 5
FOLDERS = [folder for folder, _, _ in COURSE_CLASSES]
ENGLISH = dict((folder, name) for folder, name, _ in COURSE_CLASSES)
CHINESE = dict((folder, name) for folder, _, name in COURSE_CLASSES)

NAMES = tuple(ENGLISH.values())

# Names a photo by the class colour that is nearest to the mean colour of its middle.
NEAREST_COLOUR = """
import numpy as np
COLOURS = np.array({colours})
NAMES = {names!r}
def predict(image):
    height, width = image.shape[:2]
    middle = image[height // 3:height - height // 3, width // 3:width - width // 3]
    mean = middle.reshape(-1, 3).mean(axis=0){change}
    return NAMES[int(((COLOURS - mean) ** 2).sum(axis=1).argmin())]
"""
SMALL = Limits(import_seconds=10, image_seconds=5, total_seconds=60, replay_seconds=30,
               cpu_seconds=30, memory_mb=300, scratch_mb=30, output_mb=5, processes=48)


def class_colours():
    return np.random.default_rng(3).integers(40, 216, (len(FOLDERS), 3))


def shuffled_folders():
    return list(np.random.default_rng(5).permutation(FOLDERS))


def honest(names=NAMES, change=""):
    """Return a main.py that names every photo rightly, but for other `names` or a `change`."""
    return NEAREST_COLOUR.format(colours=class_colours().tolist(),
                                 names=[str(name) for name in names], change=change)
