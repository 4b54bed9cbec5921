"""Build the notebooks from their sources.

    python -m lab.build                              # every notebook, all four editions
    python -m lab.build 01_first_model               # one
    python -m lab.build --execute 01_first_model     # and run its solutions on the drawn set

lab/src/NN_name.py becomes lab/{zh,en}/NN_name.ipynb for the reader (without solutions and tests)
and lab/solutions/{zh,en}/NN_name.ipynb, which keeps the outputs of its last execution as long as
its cells stay the same.
"""
import base64
import hashlib
import io
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from PIL import Image

from lab.kernel import KernelClient
from lab.source import (
    in_language,
    read_source,
    source_names,
    without_markers,
    without_solution,
)
from lab.start import DRAWN_VARIABLE, LANGUAGES, STATIC_VARIABLE
from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.files import write_text

LAB = Path(__file__).parent
LARGEST_PNG = 200_000  # bytes
JPEG_QUALITY = 85
PLACEHOLDER = {"zh": "...  # 在这里写你的代码", "en": "...  # your code here"}


def student_edition(source, language):
    """Return the notebook a reader opens: placeholders for solutions, no tests, no outputs.

    Args:
        source: Source.
        language: 'zh' or 'en'.

    Returns:
        nbformat.NotebookNode.
    """
    return _notebook(source, language, "student")


def solution_edition(source, language):
    """Return the notebook with solutions and tests, not executed; arguments as above."""
    return _notebook(source, language, "solution")


def student_text(cell, language):
    """Return what the student edition shows of a source's code Cell."""
    return without_solution(in_language(cell.text, language), PLACEHOLDER[language])


def _notebook(source, language, edition):
    cells, used = [], set()
    for cell in source.cells:
        if cell.language not in ("", language) or (cell.is_tests and edition == "student"):
            continue
        if cell.kind == "markdown":
            built = nbformat.v4.new_markdown_cell(cell.text)
        elif edition == "student":
            built = nbformat.v4.new_code_cell(student_text(cell, language))
        else:
            built = nbformat.v4.new_code_cell(without_markers(in_language(cell.text, language)))
        if cell.tags:
            built.metadata["tags"] = list(cell.tags)
        if cell.exercise:
            built.metadata.update({"id": cell.exercise, "points": cell.points})
        built.id = _unused(_cell_id(cell, built.source), used)
        cells.append(built)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.nbformat_minor = 5
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "lab": {"name": source.name, "language": language, "edition": edition}})
    return notebook


def _cell_id(cell, text):
    """Ids follow from the content, so that a cell keeps its own when others come and go."""
    if cell.exercise:
        return f"exercise-{cell.exercise}"
    return f"{cell.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _unused(name, used):
    number, candidate = 2, name
    while candidate in used:
        candidate, number = f"{name}-{number}", number + 1
    used.add(candidate)
    return candidate


def path_of(name, language, edition, folder=LAB):
    """Return the Path of a built notebook; edition is 'student' or 'solution'."""
    middle = Path("solutions", language) if edition == "solution" else Path(language)
    return Path(folder) / middle / f"{name}.ipynb"


def skeleton(notebook):
    """Return what a source decides of a notebook: everything but outputs and their counts."""
    return [(cell.cell_type, cell.id, cell.source,
             {key: cell.metadata[key] for key in ("tags", "id", "points") if key in cell.metadata})
            for cell in notebook.cells]


def execute(notebook, folder, timeout):
    """Run a notebook from top to bottom in a kernel of its own; its outputs are filled in.

    Args:
        notebook: nbformat.NotebookNode, changed in place.
        folder: Path the kernel starts in.
        timeout: int, seconds a cell may take.

    Raises:
        LabError: a cell fails or takes too long; says which.
    """
    try:
        KernelClient(notebook, folder, timeout).execute()
    except (CellExecutionError, CellTimeoutError) as error:
        name = notebook.metadata.lab.name
        raise LabError(f"The solution of {name} ({notebook.metadata.lab.language}) does not run: "
                       f"{error}") from error


def shrink_pictures(notebook):
    """Keep large pictures of an executed notebook as JPEG: photos take a fifth of the room."""
    for output in (o for cell in notebook.cells for o in cell.get("outputs", ())):
        data = output.get("data", {})
        png = base64.b64decode(data.get("image/png", ""))
        if len(png) <= LARGEST_PNG:
            continue
        with Image.open(io.BytesIO(png)) as picture:
            jpeg = io.BytesIO()
            flat = Image.new("RGB", picture.size, "white")
            flat.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
            flat.save(jpeg, "JPEG", quality=JPEG_QUALITY, optimize=True)
        data["image/jpeg"] = base64.b64encode(jpeg.getvalue()).decode()
        del data["image/png"]
        shown = output.get("metadata", {})
        if "image/png" in shown:
            shown["image/jpeg"] = shown.pop("image/png")


def build(name, folder=LAB, run=False, timeout=600, sources=None):
    """Build the four notebooks of a source.

    Args:
        name: str, such as '01_first_model'.
        folder: Path that the notebooks go into.
        run: bool, execute the solutions; otherwise their old outputs are kept where no cell
            changed, and dropped where one did.
        timeout: int, seconds a cell may take.
        sources: Path of the sources, default `folder`/src.

    Returns:
        bool, True where the solutions have outputs that belong to their cells.

    Raises:
        LabError: see `read_source` and `execute`.
    """
    source = read_source(name, sources or Path(folder) / "src")
    current = True
    for language in LANGUAGES:
        _write(student_edition(source, language), path_of(name, language, "student", folder))
        path = path_of(name, language, "solution", folder)
        notebook = solution_edition(source, language)
        if run:
            path.parent.mkdir(parents=True, exist_ok=True)
            execute(notebook, path.parent, timeout)
            shrink_pictures(notebook)
        elif _same_cells(path, notebook):
            continue
        else:
            current = False
        _write(notebook, path)
    return current


def _same_cells(path, notebook):
    try:
        return skeleton(nbformat.read(path, as_version=4)) == skeleton(notebook)
    except (OSError, ValueError, nbformat.ValidationError):
        return False


def _write(notebook, path):
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook) + "\n")


def main(argv):
    """Build the notebooks that the command line names, or all."""
    parser = Parser(prog="python -m lab.build",
                    description="Build the notebooks from lab/src.")
    parser.add_argument("names", nargs="*", metavar="NN_name", help="default: every notebook")
    parser.add_argument("--execute", action="store_true",
                        help="run the solutions, on the drawn set, and keep their outputs")
    parser.add_argument("--timeout", type=int, default=600, help="seconds a cell may take")
    args = parser.parse_args(argv)
    if args.execute:
        # What is committed shows no photo of others, and no widget that needs a kernel.
        os.environ.update({DRAWN_VARIABLE: "1", STATIC_VARIABLE: "1"})
    for name in args.names or source_names():
        started = time.perf_counter()
        current = build(Path(name).stem, run=args.execute, timeout=args.timeout)
        print(f"{name}: built" + (f" and executed in {time.perf_counter() - started:.0f} s"
                                  if args.execute else "")
              + ("" if current else "; its solutions have no outputs, run with --execute"))


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
