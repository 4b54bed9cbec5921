"""Every solution notebook runs from top to bottom on photos, in Chinese."""
import pytest
from running import run_solution

from lab.source import source_names


@pytest.mark.slow
@pytest.mark.parametrize("name", source_names())
def test_solutions_run_on_photos(name, weights_path, lab_data):
    text = run_solution(name, "zh")
    assert "missing from" not in text
    assert "drawn-lab" not in text
