"""A plain folder of drawn pictures with class names of one's own, like a reader's folder."""
from pathlib import Path

import cv2

from src_mindspore.data.drawn import DONE, draw_image
from src_mindspore.errors import LabError
from src_mindspore.files import write_bytes, write_json


def draw_plain_folder(root, objects, per_class, seed=0):
    """Write `root/<name>/<00>.jpg` for every class, and `root/drawn.json`, so that reports say so.

    A folder that an earlier call made is drawn over; pictures that were added to it stay.

    Args:
        root: str or Path.
        objects: dict from class name to the number of the drawing, see `draw_image`.
        per_class: int, pictures of a class.
        seed: int >= 0.

    Returns:
        Path of `root`.

    Raises:
        LabError: the folder exists and is not an earlier call's, or cannot be written.
    """
    root = Path(root)
    if root.exists() and not (root / DONE).is_file():
        raise LabError(f"{root} was not drawn by this project (it has no {DONE}). Nothing was "
                       "changed; choose another folder.")
    write_json(root / DONE, {"objects": objects, "per_class": per_class, "seed": seed})
    for name, number in objects.items():
        for index in range(per_class):
            picture = draw_image(number, seed, index)
            write_bytes(root / name / f"{index:02d}.jpg",
                        cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes())
    return root
