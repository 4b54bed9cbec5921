"""A notebook's source: one percent-format file for both languages, read and checked.

    # %% [markdown] lang="zh"      prose in Chinese, with its English partner right behind it
    # %% [markdown] lang="en"
    # %%                           code of both editions; it may carry lang, in pairs, too
    # %% tags=["exercise"] id="lr-1" points=2
    # %% tags=["tests"]            the hidden tests of the exercise before it

A comment line `# zh: ...` or `# en: ...` in code belongs to that edition alone. Between
`### BEGIN SOLUTION` and `### END SOLUTION` stands what the student edition leaves out.
"""
import ast
import dataclasses
import re
from pathlib import Path

import jupytext

from lab.start import LANGUAGES
from src_mindspore.errors import LabError

SOURCES = Path(__file__).parent / "src"
MOST_LINES = 15
BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_TESTS, END_TESTS = "### BEGIN TESTS", "### END TESTS"
MARKERS = (BEGIN_SOLUTION, END_SOLUTION, BEGIN_TESTS, END_TESTS)
TAGGED = re.compile(r"^(?P<indent>\s*)# (?P<language>zh|en): ?(?P<text>.*)$")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a source.

    Attributes:
        kind: 'markdown' or 'code'.
        text: str, with tags and markers.
        language: 'zh', 'en', or '' for both.
        tags: tuple of str.
        exercise: str, the exercise's id; '' for other cells.
        points: int, 0 for other cells.
        line: int, where the cell begins in the file.
    """

    kind: str
    text: str
    language: str
    tags: tuple
    exercise: str
    points: int
    line: int

    @property
    def is_tests(self):
        """True for the hidden tests of the exercise before it."""
        return "tests" in self.tags


@dataclasses.dataclass(frozen=True)
class Source:
    """A notebook's source.

    Attributes:
        name: str, such as '01_first_model'.
        cells: tuple of Cell.
    """

    name: str
    cells: tuple

    def exercises(self):
        """Return the list of (exercise Cell, tests Cell), in order."""
        pairs, waiting = [], None
        for cell in self.cells:
            if cell.exercise:
                waiting = cell
            elif cell.is_tests:
                pairs.append((waiting, cell))
        return pairs


def source_names(folder=SOURCES):
    """Return the sorted names of all notebooks."""
    return sorted(path.stem for path in Path(folder).glob("[0-9][0-9]_*.py"))


def read_source(name, folder=SOURCES):
    """Read and check the source of a notebook.

    Args:
        name: str, such as '01_first_model'.
        folder: Path of the sources.

    Returns:
        Source.

    Raises:
        LabError: no such source, or one that breaks a rule of the format; says which line.
    """
    path = Path(folder) / f"{name}.py"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"The source {path} cannot be read ({error}). There are "
                       f"{', '.join(source_names(folder)) or 'no sources'}.") from error
    cells = tuple(_cells(text, path))
    _check_pairs(cells, path)
    _check_exercises(cells, path)
    for cell in cells:
        if cell.kind == "code":
            _check_code(cell, path)
    return Source(name, cells)


def _cells(text, path):
    notebook = jupytext.reads(text, fmt="py:percent")
    starts = [number for number, line in enumerate(text.splitlines(), 1)
              if line.startswith("# %%")]
    if len(starts) != len(notebook.cells):
        raise LabError(f"{path} has text before its first cell, or a cell marker inside a text. "
                       "Expected every cell to begin with a line `# %%`.")
    for found, line in zip(notebook.cells, starts, strict=True):
        known = dict(found.metadata)
        known.pop("lines_to_next_cell", None)
        cell = Cell(found.cell_type, found.source, known.pop("lang", ""),
                    tuple(known.pop("tags", ())), str(known.pop("id", "")),
                    known.pop("points", 0), line)
        if known or found.cell_type not in ("markdown", "code") \
                or cell.language not in ("", *LANGUAGES):
            raise _mistake(path, line, "a cell marker that is not known. Expected `# %%`, perhaps "
                           "with [markdown], lang=\"zh\" or lang=\"en\", tags=[\"exercise\"] with "
                           "id and points, or tags=[\"tests\"]")
        yield cell


def _check_pairs(cells, path):
    waiting = None
    for cell in cells:
        if waiting and (cell.language != "en" or cell.kind != waiting.kind):
            raise _mistake(path, waiting.line, f"a {waiting.kind} cell in Chinese without its "
                           "English partner: the next cell must be the same in lang=\"en\"")
        if not waiting and cell.language == "en":
            raise _mistake(path, cell.line, f"a {cell.kind} cell in English without its Chinese "
                           "partner: the cell before it must be the same in lang=\"zh\"")
        waiting = cell if cell.language == "zh" else None
    if waiting:
        raise _mistake(path, waiting.line, f"a {waiting.kind} cell in Chinese without its English "
                       "partner at the end")


def _check_exercises(cells, path):
    seen, waiting = {}, None
    for cell in cells:
        is_exercise = "exercise" in cell.tags
        if is_exercise != bool(cell.exercise):
            raise _mistake(path, cell.line, "an exercise needs both tags=[\"exercise\"] and "
                           "id=\"...\"; other cells have neither")
        if waiting and cell.kind == "code" and not cell.is_tests:
            raise _mistake(path, waiting.line, f"the exercise {waiting.exercise!r} has no tests: "
                           "its next code cell must carry tags=[\"tests\"]")
        if cell.is_tests:
            if not waiting:
                raise _mistake(path, cell.line, "tests without an exercise before them")
            waiting = None
        if not is_exercise:
            continue
        if not re.fullmatch(r"[a-z0-9-]{1,40}", cell.exercise):
            raise _mistake(path, cell.line, f"the id {cell.exercise!r}; expected small letters, "
                           "digits and hyphens")
        if cell.exercise in seen:
            raise _mistake(path, cell.line, f"the id {cell.exercise!r} a second time (first in "
                           f"line {seen[cell.exercise]}); every exercise has its own")
        if not isinstance(cell.points, int) or cell.points < 1:
            raise _mistake(path, cell.line, f"points={cell.points!r}; expected a whole number "
                           "from 1")
        seen[cell.exercise] = cell.line
        waiting = cell
    if waiting:
        raise _mistake(path, waiting.line, f"the exercise {waiting.exercise!r} has no tests: its "
                       "next code cell must carry tags=[\"tests\"]")


def _check_code(cell, path):
    expected = []
    for offset, line in enumerate(cell.text.splitlines(), 1):
        mark = line.strip()
        if mark in (BEGIN_SOLUTION, BEGIN_TESTS):
            if expected:
                raise _mistake(path, cell.line + offset, f"`{mark}` before `{expected[0]}`")
            expected = [mark.replace("BEGIN", "END")]
        elif mark in (END_SOLUTION, END_TESTS):
            if expected != [mark]:
                raise _mistake(path, cell.line + offset, f"`{mark}` without "
                               f"`{mark.replace('END', 'BEGIN')}`")
            expected = []
        elif not mark.startswith("#") and re.search(r"# (zh|en): ", line):
            raise _mistake(path, cell.line + offset, "a language tag behind code; tagged comments "
                           "stand on lines of their own")
    if expected:
        raise _mistake(path, cell.line, f"a cell without its `{expected[0]}`")
    if cell.exercise and BEGIN_SOLUTION not in cell.text:
        raise _mistake(path, cell.line, f"the exercise {cell.exercise!r} has no "
                       f"`{BEGIN_SOLUTION}`")
    if not cell.exercise and BEGIN_SOLUTION in cell.text:
        raise _mistake(path, cell.line, "a solution outside an exercise")
    if cell.is_tests != (BEGIN_TESTS in cell.text):
        raise _mistake(path, cell.line, f"tags=[\"tests\"] and `{BEGIN_TESTS}` go together")
    tagged = {found["language"] for found in map(TAGGED.match, cell.text.splitlines()) if found}
    if len(tagged) == 1:
        raise _mistake(path, cell.line, f"comments tagged `{tagged.pop()}:` alone; the other "
                       "language needs its own")
    lines = code_lines(cell.text)
    if lines > MOST_LINES and not cell.is_tests:
        raise _mistake(path, cell.line, f"{lines} lines of code; a cell has at most {MOST_LINES}, "
                       "comments not counted. Divide it, or move code into the library")


def code_lines(text):
    """Return how many lines of a cell are code: neither empty nor comments alone."""
    return sum(bool(line.strip()) and not line.strip().startswith("#")
               for line in text.splitlines())


def _mistake(path, line, what):
    return LabError(f"{path}, line {line}: {what}.")


def in_language(text, language):
    """Return a code cell's text for one edition: its own comments untagged, the other's gone."""
    lines = []
    for line in text.splitlines():
        found = TAGGED.match(line)
        if found and found["language"] != language:
            continue
        lines.append(f"{found['indent']}# {found['text']}".rstrip() if found else line)
    return "\n".join(lines)


def without_markers(text):
    """Return a code cell's text without the lines that mark solutions and tests."""
    return "\n".join(line for line in text.splitlines() if line.strip() not in MARKERS)


def without_solution(text, placeholder):
    """Return an exercise with a placeholder, indented alike, instead of each solution."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.strip() == BEGIN_SOLUTION:
            lines.append(line[:len(line) - len(line.lstrip())] + placeholder)
            inside = True
        elif line.strip() == END_SOLUTION:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def solution_lines(text):
    """Return the lines of code, stripped, that stand between solution markers."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.strip() in (BEGIN_SOLUTION, END_SOLUTION):
            inside = line.strip() == BEGIN_SOLUTION
        elif inside and line.strip() and not line.strip().startswith("#"):
            lines.append(line.strip())
    return lines


def code_alone(text):
    """Return Python code without its comments, as one canonical text.

    Raises:
        SyntaxError: it is not Python (magics such as %timeit are not, either).
    """
    return ast.unparse(ast.parse(text))
