"""Every solution notebook runs from top to bottom on the drawn set, in English.

A file of its own, so that another worker can run the photos meanwhile.
"""
import pytest
from running import run_solution

from lab.source import source_names
from lab.start import DRAWN_VARIABLE


@pytest.mark.slow
@pytest.mark.parametrize("name", source_names())
def test_solutions_run_on_drawn_pictures(name, weights_path, monkeypatch):
    monkeypatch.setenv(DRAWN_VARIABLE, "1")
    text = run_solution(name, "en")
    assert "missing from" not in text
    assert "drawn-lab" in text
