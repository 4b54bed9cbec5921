"""The committed notebooks: built from their sources, without spoilers, whole."""
import ast
import base64
import io
import re
from pathlib import Path

import nbformat
import pytest
from cvttf_NotoSansCJK_Regular import get_TTF_path
from matplotlib.ft2font import FT2Font
from PIL import Image
from running import outputs_of, printed

from lab.build import (
    LAB,
    path_of,
    skeleton,
    solution_edition,
    student_edition,
)
from lab.source import MARKERS, code_alone, read_source, solution_lines, source_names
from lab.start import LANGUAGES

ROOT = LAB.parent
NAMES = source_names()
EDITIONS = ("student", "solution")


@pytest.fixture(scope="module", params=NAMES)
def source(request):
    return read_source(request.param)


def committed(source, language, edition):
    return nbformat.read(path_of(source.name, language, edition), as_version=4)


def test_there_are_notebooks():
    assert "01_first_model" in NAMES


@pytest.mark.parametrize("language", LANGUAGES)
def test_committed_notebooks_are_what_the_sources_build(source, language):
    for edition, made in (("student", student_edition), ("solution", solution_edition)):
        assert skeleton(committed(source, language, edition)) == skeleton(made(source, language)), \
            f"run: python -m lab.build --execute {source.name}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_student_editions_have_no_solution_no_tests_and_no_outputs(source, language):
    notebook = committed(source, language, "student")
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    lines = {line.strip() for line in text.splitlines()}
    given = {line.strip() for cell in source.cells if not cell.exercise and not cell.is_tests
             for line in cell.text.splitlines()}
    for exercise, tests in source.exercises():
        solution = [line for line in solution_lines(exercise.text) if line not in given]
        assert solution, f"the solution of {exercise.exercise} gives nothing to solve"
        hidden = [line.strip() for line in tests.text.splitlines() if "assert " in line]
        assert hidden
        assert not lines & {*solution, *hidden}
    assert not [marker for marker in MARKERS if marker in text]
    assert not outputs_of(notebook)
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("edition", EDITIONS)
def test_code_is_the_same_in_both_languages(source, edition):
    for cell in source.cells:
        assert cell.kind == "markdown" or not cell.language or "start_lab(" in cell.text, \
            f"line {cell.line}: code in one language only"
    codes = []
    for language in LANGUAGES:
        cells = [cell.source for cell in committed(source, language, edition).cells
                 if cell.cell_type == "code"]
        codes.append([code_alone(text) for text in cells if "start_lab(" not in text])
    assert codes[0] == codes[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_links_and_pictures_resolve(source, language):
    for edition in EDITIONS:
        path = path_of(source.name, language, edition)
        for cell in committed(source, language, edition).cells:
            if cell.cell_type != "markdown":
                continue
            targets = re.findall(r"\]\(([^)#]+)\)", cell.source) \
                + re.findall(r'(?:src|href)="([^"#]+)"', cell.source)
            for target in targets:
                assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize("language", LANGUAGES)
def test_solutions_were_executed_and_show_whole_pictures(source, language):
    notebook = committed(source, language, "solution")
    counts = [cell.execution_count for cell in notebook.cells
              if cell.cell_type == "code" and cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1))
    pictures = [data for output in outputs_of(notebook) for kind, data
                in output.get("data", {}).items() if kind in ("image/png", "image/jpeg")]
    assert len(pictures) >= 3
    for data in pictures:
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            picture.load()
            assert min(picture.size) > 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_solutions_show_the_drawn_set_no_machine_and_no_error(source, language):
    notebook = committed(source, language, "solution")
    assert not [o for o in outputs_of(notebook) if o.output_type == "error"]
    text = printed(notebook)
    assert "drawn-lab" in text
    assert "garbage_26x100" not in text
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", text), "a path of this machine"
    assert "Traceback" not in text
    assert "Warning" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_glyph_was_drawn(source, language):
    # Matplotlib says so when a font lacks a glyph and draws a box instead.
    assert "missing from" not in printed(committed(source, language, "solution"))


def test_the_font_of_the_pictures_has_the_glyphs_of_the_notebooks(source):
    font = FT2Font(get_TTF_path())
    spoken = [text for cell in source.cells if cell.kind == "code"
              for text in re.findall(r"[\u3000-\u9fff\uff00-\uffef]", cell.text)]
    assert spoken, "the Chinese edition says nothing in Chinese"
    missing = {c for c in spoken if not font.get_char_index(ord(c))}
    assert not missing


def test_code_calls_the_library(source):
    imported = {node.module for cell in source.cells if cell.kind == "code"
                for node in ast.walk(ast.parse(cell.text)) if isinstance(node, ast.ImportFrom)}
    assert any(module.startswith("src_mindspore.") for module in imported)


def test_the_root_is_found_from_the_root_too(source):
    first = next(cell for cell in source.cells if cell.kind == "code")
    assert "train_head.py" in first.text
    found = {}
    for folder in (ROOT, LAB / "en"):
        code = first.text.replace("Path.cwd()", f"Path({str(folder)!r})")
        names = {}
        exec(compile(code, "first cell", "exec"), names)
        found[folder] = Path(names["root"])
    assert set(found.values()) == {ROOT}
