"""Run a reader's notebook and put the hidden tests of its source behind every exercise.

What goes wrong in the reader's cells is a finding, not an exception: it is kept with the cell and
the line, and the cells after it run all the same.
"""
import ast
import dataclasses
import re

import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError
from tqdm import tqdm

from lab.build import student_text
from lab.kernel import KernelClient
from lab.source import code_alone, in_language, without_markers

TIMED_OUT = "LabTimeout"
# A kernel that does not add two numbers in this time after an interrupt will not come back.
PROBE_SECONDS = 20
ANSI = re.compile(r"\x1b\[[0-9;]*m")
PLACE = re.compile(r"Cell In\s?\[(\d+)\], line (\d+)")

SOLVED, WRONG, EMPTY, MISSING, BROKEN, UNCHECKED = (
    "solved", "wrong", "empty", "missing", "broken", "unchecked")


@dataclasses.dataclass(frozen=True)
class Mistake:
    """What stopped a cell.

    Attributes:
        kind: str, the exception's name; TIMED_OUT for a cell that took too long.
        text: str, what the exception says.
        cell: int, place of the cell in the notebook, from 1; 0 where it is not the reader's.
        line: int, line in that cell, from 1; 0 where it is not known.
        code: str, that line.
    """

    kind: str
    text: str
    cell: int
    line: int = 0
    code: str = ""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of one exercise.

    Attributes:
        exercise: str, its id.
        points: int, what it is worth.
        state: SOLVED, WRONG, EMPTY (not answered), MISSING (no such cell), BROKEN (its cell stops)
            or UNCHECKED (the kernel was lost before).
        mistake: Mistake or None; for WRONG its text is the hint.
        changed: str, a given line that is no longer in the cell, '' where all are.
        copies: int, how many cells carry its id.
    """

    exercise: str
    points: int
    state: str
    mistake: Mistake | None = None
    changed: str = ""
    copies: int = 1

    @property
    def reached(self):
        """The points that count."""
        return self.points if self.state == SOLVED else 0


def examine(notebook, source, language, folder, timeout, progress=True):
    """Run a notebook with the hidden tests.

    Args:
        notebook: nbformat.NotebookNode, the reader's; its outputs are replaced.
        source: Source.
        language: 'zh' or 'en', of the reader's edition.
        folder: Path the kernel starts in.
        timeout: int, seconds a cell may take.
        progress: bool, show the progress on stderr.

    Returns:
        (verdicts, mistakes): list of Verdict in the source's order; list of Mistake of cells that
        are no exercises.
    """
    pairs = {cell.exercise: (cell, tests) for cell, tests in source.exercises()}
    places = _places(notebook, pairs)
    exercise_at = {found[0]: name for name, found in places.items() if found}
    verdicts, mistakes = {}, []
    with Examination(notebook, folder, timeout) as running:
        for place, cell in enumerate(tqdm(notebook.cells, disable=not progress, unit="cell",
                                          desc=source.name)):
            if cell.cell_type != "code":
                continue
            mistake = running.run(place)
            name = exercise_at.get(place)
            if name is None:
                mistakes += [mistake] if mistake else []
                continue
            exercise, tests = pairs[name]
            state = EMPTY if is_empty(cell.source, student_text(exercise, language)) else SOLVED
            if state == SOLVED and mistake:
                state = BROKEN
            elif state == SOLVED:
                mistake = running.test(without_markers(in_language(tests.text, language)))
                state = WRONG if mistake else SOLVED
            if running.is_lost and state in (SOLVED, EMPTY):
                state = UNCHECKED
            verdicts[name] = Verdict(
                name, exercise.points, state, mistake if state in (WRONG, BROKEN) else None,
                changed_line(cell.source, student_text(exercise, language)), len(places[name]))
    return [verdicts.get(name, Verdict(name, exercise.points, MISSING))
            for name, (exercise, _) in pairs.items()], mistakes


def _places(notebook, names):
    """Return a dict from exercise to the positions of the code cells that carry its id."""
    places = {name: [] for name in names}
    for position, cell in enumerate(notebook.cells):
        # The cell's own id helps where a tool has dropped the metadata.
        name = cell.metadata.get("id") or cell.get("id", "").removeprefix("exercise-")
        if name in places and cell.cell_type == "code":
            places[name].append(position)
    return places


def is_empty(text, given):
    """True where a reader's cell holds no more code than the exercise it was given as."""
    try:
        return code_alone(text) == code_alone(given)
    except SyntaxError:
        return text.split() == given.split()


def changed_line(text, given):
    """Return the first given line of code that a reader's cell no longer has, or ''."""
    kept = {line.strip() for line in text.splitlines()}
    for line in map(str.strip, given.splitlines()):
        if line and not line.startswith(("#", "...")) and line not in kept:
            return line
    return ""


class Examination:
    """A kernel that runs the reader's cells one by one; use it in a `with`.

    Args:
        notebook, folder, timeout: as for `examine`.

    Attributes:
        is_lost: bool, the kernel died or could not be interrupted; nothing runs any more.
    """

    def __init__(self, notebook, folder, timeout):
        self.notebook = notebook
        self.timeout = timeout
        self.is_lost = False
        self.place_of_count = {}
        self.client = KernelClient(
            notebook, folder, timeout, interrupt_on_timeout=True, shutdown_kernel="immediate",
            error_on_timeout={"ename": TIMED_OUT, "evalue": "", "traceback": []})
        self.kernel = self.client.setup_kernel()

    def __enter__(self):
        self.kernel.__enter__()
        return self

    def __exit__(self, *reason):
        self.kernel.__exit__(*reason)

    def run(self, place):
        """Run the reader's cell at a position; returns the Mistake that stopped it, or None."""
        cell = self.notebook.cells[place]
        mistake = self._execute(cell, place)
        self.place_of_count[cell.get("execution_count")] = place
        return self._located(mistake, place)

    def test(self, text):
        """Run hidden tests; returns the Mistake that stopped them, or None."""
        cell = nbformat.v4.new_code_cell(text)
        mistake = self._execute(cell, len(self.notebook.cells) - 1)
        return self._located(mistake, None)

    def _execute(self, cell, place):
        if self.is_lost:
            return None
        # The client writes the cell back to its place, which for tests is somebody else's.
        there = self.notebook.cells[place]
        try:
            self.client.execute_cell(cell, place)
        except CellExecutionError as error:
            if error.ename == TIMED_OUT:
                self._probe()
            return error
        except DeadKernelError as error:
            self.is_lost = True
            return error
        finally:
            self.notebook.cells[place] = there
        return None

    def _probe(self):
        """Find out whether the kernel listens again after an interrupt."""
        there = self.notebook.cells[0]
        self.client.timeout = PROBE_SECONDS
        try:
            self.client.execute_cell(nbformat.v4.new_code_cell("1 + 1"), 0)
        except (CellExecutionError, DeadKernelError):
            self.is_lost = True
        finally:
            self.client.timeout = self.timeout
            self.notebook.cells[0] = there

    def _located(self, error, place):
        """Make a Mistake of an exception; `place` is that of the cell, None for tests."""
        if error is None:
            return None
        own = 0 if place is None else place + 1
        if isinstance(error, DeadKernelError):
            return Mistake("DeadKernel", "", own)
        found = [(self.place_of_count.get(int(count)), int(line)) for count, line
                 in PLACE.findall(ANSI.sub("", error.traceback))]
        # The innermost place that is the reader's own: a fault may show deep inside the library.
        found = [(where, line) for where, line in found if where is not None]
        if not found:
            return Mistake(error.ename, error.evalue, own)
        where, line = found[-1]
        cell = self.notebook.cells[where].source
        lines = cell.splitlines()
        code = lines[line - 1].strip() if line <= len(lines) else ""
        text = _syntax_error(cell, line) or error.evalue if error.ename == "SyntaxError" \
            else error.evalue
        return Mistake(error.ename, text, where + 1, line, code)


def _syntax_error(text, line):
    """Return what Python itself says about a line; IPython often says `incomplete input`."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return error.msg if error.lineno == line else ""
    return ""
