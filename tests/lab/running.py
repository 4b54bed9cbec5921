"""Running the solutions of a notebook, and reading what they printed."""
from lab.build import LAB, execute, solution_edition
from lab.source import read_source

# Two kernels on two cores, nothing cached.
CELL_SECONDS = 180


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
