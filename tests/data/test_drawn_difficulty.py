"""The drawn set is neither trivial nor hopeless: what a head on the frozen backbone reaches.

Difficulty was set with this very backbone, so the figure says nothing about photos.
"""
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from src_mindspore.data.drawn import draw_image
from src_mindspore.data.preprocess import normalise, resize_and_crop
from src_mindspore.features.engines import MindSporeEngine

CLASSES, TRAIN, VAL = 26, 25, 10


@pytest.mark.slow
def test_a_head_on_the_frozen_backbone_reaches_90_to_99_percent(weights_path):
    from src_mindspore.backbones.registry import load_backbone

    backbone = load_backbone(weights_path)
    engine = MindSporeEngine(backbone, "mean+max", 32)

    def features(split, each):
        pictures = [draw_image(c, 7, i, split) for c in range(CLASSES) for i in range(each)]
        pixels = np.stack([resize_and_crop(p, backbone.preprocess) for p in pictures])
        rows = np.concatenate([engine(normalise(pixels[i:i + 32], backbone.preprocess))
                               for i in range(0, len(pixels), 32)])
        return np.sqrt(rows[:, :backbone.channels]), np.repeat(np.arange(CLASSES), each)

    head = LogisticRegression(C=1.0, max_iter=300).fit(*features("train", TRAIN))
    accuracy = head.score(*features("val", VAL))
    assert 0.90 <= accuracy <= 0.99
