"""The bench of several processes: what counts of a run's history."""
import pytest

from bench import workers
from src_mindspore.errors import LabError


def test_the_first_stretch_compiles_and_does_not_count(tmp_path):
    (tmp_path / "history.csv").write_text("images_per_second\n1.0\n20.0\n22.0\n30.0\n")
    assert workers.rate_of(tmp_path) == 22
    (tmp_path / "history.csv").write_text("images_per_second\n1.0\n")
    with pytest.raises(LabError, match="take more photos or a smaller --batch_size"):
        workers.rate_of(tmp_path)


def test_a_run_that_fails_is_told(tmp_path):
    with pytest.raises(LabError, match=r"(?s)run of 1 processes failed.*no data folder"):
        workers.train(1, tmp_path / "nowhere", 32, tmp_path)
