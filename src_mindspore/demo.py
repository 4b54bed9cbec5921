"""The main job on whatever is there: the garbage photos, else the drawn data set.

    python -m src_mindspore.demo

What `make demo` runs. Any flag of train_head.py may follow.
"""
import sys
from pathlib import Path

import train_head
from config import config
from src_mindspore.data.drawn import draw_dataset
from src_mindspore.data.folder import find_data
from src_mindspore.errors import run_as_script

DRAWN = Path("datasets") / "drawn_26"
DRAWN_TRAIN, DRAWN_VAL = 40, 10


def main(argv):
    """Choose the data, then run train_head.py on it."""
    data = find_data(config.dataset_path)
    if data is None:
        print(f"no photos in {config.dataset_path} nor under LAB_DATA: drawing {DRAWN} instead")
        data = draw_dataset(DRAWN, DRAWN_TRAIN, DRAWN_VAL)
    train_head.main(["--dataset_path", str(data), *argv])


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
