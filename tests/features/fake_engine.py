"""An engine that needs no network: features are simple statistics of the pixels."""
import time
from types import SimpleNamespace

import numpy as np

from src_mindspore.data.augment import AugmentSpec
from src_mindspore.data.folder import read_folder
from src_mindspore.data.preprocess import PreprocessSpec
from src_mindspore.data.scan import scan
from src_mindspore.features.extract import Views, extract

SPEC = PreprocessSpec(32, 32, 36, "area")
VIEWS = Views(SPEC, repeat=3, include_clean=True, augmentation=AugmentSpec(), seed=4)


class FakeEngine:
    """Mean and maximum of every channel, and of its upper half; or 2x2 maps of means.

    Args:
        batch_size: int.
        maps: bool, answer (N, 3, 2, 2) maps instead of (N, 12) rows.
        at_call: function (number of the call, from 0), called before anything is computed.
    """

    name = "fake"
    precision = "float32"
    revision = 1

    def __init__(self, batch_size=8, maps=False, at_call=lambda number: None):
        self.batch_size = batch_size
        self.maps = maps
        self.at_call = at_call
        self.calls = 0

    def __call__(self, images):
        self.at_call(self.calls)
        self.calls += 1
        if self.maps:
            return images.reshape(len(images), 3, 2, 16, 2, 16).mean((3, 5))
        upper = images[:, :, :16]
        return np.concatenate([images.mean((2, 3)), images.max((2, 3)), upper.mean((2, 3)),
                               upper.max((2, 3))], axis=1)


def fake_backbone(weights="aa"):
    """Something with the contract of a Backbone."""
    return SimpleNamespace(contract=lambda: {"architecture": "fake", "padding": "same",
                                             "source": "tests", "weights_sha256": weights})


def train_records(root):
    """FileRecords of the train split."""
    return [r for r in scan(read_folder(root), progress=False) if r.split == "train"]


def extract_fake(root, features_path, engine=None, records=None, views=VIEWS, **options):
    """Extract the train split of a data folder with a FakeEngine; returns FeatureCache."""
    return extract(records or train_records(root), root, "train",
                   options.pop("backbone", fake_backbone()), engine or FakeEngine(), views,
                   features_path, progress=False, **{"workers": 1, **options})


def files_of(folder):
    """{name: bytes} of what a cache consists of: its arrays and its manifest."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())
            if path.suffix in (".npy", ".json") and not path.name.startswith(".")}


if __name__ == "__main__":
    import sys
    extract_fake(sys.argv[1], sys.argv[2],
                 FakeEngine(at_call=lambda number: time.sleep(0.3 if number else 0)))
