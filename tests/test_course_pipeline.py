"""The measuring stick of bench.course_pipeline: it finds the crop that was made."""
import cv2
import numpy as np
import pytest

from bench.course_pipeline import RAMP_HEIGHT, RAMP_WIDTH, compare, geometry, write_ramp
from src_mindspore.data.decode import load_rgb


@pytest.mark.parametrize("flipped", [False, True])
def test_the_crop_is_read_from_the_view(flipped, tmp_path):
    top, left, height, width = 40, 100, 150, 200
    crop = load_rgb(write_ramp(tmp_path))[top:top + height, left:left + width]
    view = cv2.resize(crop, (224, 224), interpolation=cv2.INTER_LINEAR)
    found = geometry([view[:, ::-1] if flipped else view])
    expected = (height * width / (RAMP_HEIGHT * RAMP_WIDTH), np.log(width / height),
                (left + (width - 1) / 2) / (RAMP_WIDTH - 1),
                (top + (height - 1) / 2) / (RAMP_HEIGHT - 1), flipped)
    np.testing.assert_allclose(np.ravel(list(found.values())), expected, atol=0.01)


def test_a_shift_is_told_from_noise():
    rng = np.random.default_rng(0)
    rows = compare({"same": rng.normal(size=2000), "shifted": rng.normal(size=2000)},
                   {"same": rng.normal(size=2000), "shifted": rng.normal(0.3, size=2000)})
    differences, chances = ([float(row[column]) for row in rows] for column in (3, 5))
    assert abs(differences[0]) < 0.1
    assert differences[1] == pytest.approx(0.3, abs=0.1)
    assert chances[0] > 0.01
    assert chances[1] < 1e-6
