"""Solution notebooks run from top to bottom on photos, in Chinese.

Those on a CNN from scratch and on fused backbones run on drawn pictures alone, until somebody has
timed them on all photos.
"""
import pytest
from running import run_solution

from lab.source import source_names

ON_DRAWN_PICTURES_ALONE = ("07_from_scratch", "09_fused_and_streaming")
NAMES = [name for name in source_names() if name not in ON_DRAWN_PICTURES_ALONE]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_solutions_run_on_photos(name, weights_path, lab_data):
    text = run_solution(name, "zh")
    assert "missing from" not in text
    assert "drawn-lab" not in text
