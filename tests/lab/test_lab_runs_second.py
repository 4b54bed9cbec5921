"""The second half of the notebooks: each solution runs from top to bottom.

Two files, so that two workers can share them.
"""
import pytest
from running import check_solution

from lab.source import source_names

NAMES = [name for name in source_names() if name >= "05"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_solutions_run(name, weights_path, monkeypatch):
    check_solution(name, monkeypatch)
