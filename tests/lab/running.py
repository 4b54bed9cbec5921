"""Running the solutions of a notebook, and reading what they printed."""
import os

from lab.build import LAB, execute, solution_edition
from lab.source import read_source
from lab.start import DRAWN_VARIABLE

# Two kernels on two cores, nothing cached.
CELL_SECONDS = 180
# The others take minutes on all photos, and run on drawn pictures as their readers without photos
# run them.
ON_PHOTOS = ("01_first_model", "05_your_own")


def check_solution(name, monkeypatch):
    """Run a notebook's solutions from top to bottom, and see that they read the intended data:
    photos where LAB_DATA names some and the notebook is quick on them, else drawn pictures; those
    with odd numbers in Chinese, the others in English.
    """
    drawn = not os.environ.get("LAB_DATA") or name not in ON_PHOTOS
    if drawn:
        monkeypatch.setenv(DRAWN_VARIABLE, "1")
    text = run_solution(name, "zh" if int(name[:2]) % 2 else "en")
    assert "missing from" not in text
    assert ("drawn-lab" in text) == drawn


def run_solution(name, language):
    """Run a notebook's solutions from top to bottom in the folder where the reader opens it.

    Returns:
        str, what its cells printed.
    """
    notebook = solution_edition(read_source(name), language)
    execute(notebook, LAB / "solutions" / language, CELL_SECONDS)
    return printed(notebook)


def outputs_of(notebook):
    """Return the outputs of all cells."""
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def printed(notebook):
    """Return what all cells printed, as one str."""
    return "".join(o.get("text", "") for o in outputs_of(notebook) if o.output_type == "stream")
