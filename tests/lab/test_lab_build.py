"""One source becomes four notebooks: what belongs into which, and what a bad source is told."""
import base64
import io

import nbformat
import numpy as np
import pytest
from PIL import Image

from lab import build as building
from lab.build import build, path_of, skeleton, solution_edition, student_edition
from lab.source import code_lines, in_language, read_source
from src_mindspore.errors import LabError

NAME = "90_small"
START = '''# %% [markdown] lang="zh"
# # 标题

# %% [markdown] lang="en"
# # Title

# %%
# zh: 数据
# en: the data
numbers = [3, 1]
'''
EXERCISE = '''
# %% tags=["exercise"] id="largest" points=2
def largest(values):
    # zh: 提示
    # en: HINT
    ### BEGIN SOLUTION
    best = max(values)
    return best
    ### END SOLUTION
'''
TESTS = '''
# %% tags=["tests"]
### BEGIN TESTS
assert largest(numbers) == 3
### END TESTS
'''
WHOLE = START + EXERCISE + TESTS


@pytest.fixture
def source_of(tmp_path):
    """Function from a source's text to Source."""
    def read(text):
        (tmp_path / f"{NAME}.py").write_text(text, encoding="utf-8")
        return read_source(NAME, tmp_path)
    return read


def texts(notebook):
    return [cell.source for cell in notebook.cells]


def test_the_student_edition_has_a_placeholder_and_no_tests(source_of):
    assert texts(student_edition(source_of(WHOLE), "en")) == [
        "# Title", "# the data\nnumbers = [3, 1]",
        "def largest(values):\n    # HINT\n    ...  # your code here"]


def test_the_solution_edition_has_both_without_markers(source_of):
    assert texts(solution_edition(source_of(WHOLE), "zh")) == [
        "# 标题", "# 数据\nnumbers = [3, 1]",
        "def largest(values):\n    # 提示\n    best = max(values)\n    return best",
        "assert largest(numbers) == 3"]


def test_exercises_are_known_by_their_metadata(source_of):
    cell = student_edition(source_of(WHOLE), "en").cells[2]
    assert (cell.id, cell.metadata["id"], cell.metadata["points"], cell.metadata["tags"]) == (
        "exercise-largest", "largest", 2, ["exercise"])


def test_cell_ids_are_the_same_in_every_build_and_survive_a_new_neighbour(source_of):
    ids = [cell.id for cell in student_edition(source_of(WHOLE), "en").cells]
    more = [cell.id for cell in student_edition(
        source_of(START + "\n# %%\nnew = 1\n" + EXERCISE + TESTS), "en").cells]
    assert ids == [cell.id for cell in student_edition(source_of(WHOLE), "en").cells]
    assert [more[0], more[1], more[3]] == ids
    twice = student_edition(source_of(START + "\n# %%\nx = 1\n\n# %%\nx = 1\n"), "en").cells
    assert len({cell.id for cell in twice}) == len(twice)


@pytest.mark.parametrize(("text", "message"), [
    (START.replace('# %% [markdown] lang="en"\n# # Title\n', ""),
     "line 1: a markdown cell in Chinese without its English partner"),
    (START.replace('# %% [markdown] lang="zh"\n# # 标题\n\n', ""),
     "a markdown cell in English without its Chinese partner"),
    (START + '\n# %% lang="zh"\nx = 1\n', "a code cell in Chinese without its English partner"),
    (WHOLE.replace("    ### END SOLUTION\n", ""), "line 12: a cell without its `### END SOLUTION`"),
    (WHOLE.replace("    ### BEGIN SOLUTION\n", ""), "without `### BEGIN SOLUTION`"),
    (WHOLE.replace("### END TESTS\n", ""), "without its `### END TESTS`"),
    (START + EXERCISE, "'largest' has no tests"),
    (START + EXERCISE + "\n# %%\nx = 1\n" + TESTS, "'largest' has no tests"),
    (START + TESTS, "tests without an exercise"),
    (WHOLE + EXERCISE + TESTS, "the id 'largest' a second time .first in line 12"),
    (WHOLE.replace("points=2", "points=0"), "points=0; expected a whole number"),
    (WHOLE.replace(' id="largest"', ""), "an exercise needs both"),
    (WHOLE.replace("# en: HINT\n", ""), "comments tagged `zh:` alone"),
    (START + "\n# %%\nx = 1  # en: one\n", "a language tag behind code"),
    (START + "\n# %%\n" + "x = 1\n" * 16, "16 lines of code; a cell has at most 15"),
    (START + '\n# %% lang="fr"\nx = 1\n', "a cell marker that is not known"),
    ("x = 1\n\n" + START, "has text before its first cell"),
])
def test_a_bad_source_is_told_where_and_why(source_of, text, message):
    with pytest.raises(LabError, match=message):
        source_of(text)


def test_comments_and_empty_lines_do_not_make_a_cell_long():
    assert code_lines("# a\n\n  # b\nx = 1\n" + "\n" * 30) == 1


def test_tagged_comments_go_to_their_edition():
    text = "# zh: 一\n# en: one\n    # en:  two\n# both"
    assert in_language(text, "en") == "# one\n    #  two\n# both"
    assert in_language(text, "zh") == "# 一\n# both"


@pytest.fixture
def lab_folder(tmp_path):
    """A lab with one small source."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / f"{NAME}.py").write_text(WHOLE + "\n# %%\nprint(numbers)\n",
                                                 encoding="utf-8")
    return tmp_path


def test_outputs_are_kept_until_a_cell_changes(lab_folder):
    assert build(NAME, lab_folder, run=True, timeout=60)
    path = path_of(NAME, "zh", "solution", lab_folder)
    first = path.read_bytes()
    assert nbformat.read(path, 4).cells[-1].outputs[0].text == "[3, 1]\n"
    assert build(NAME, lab_folder)
    assert path.read_bytes() == first
    source = lab_folder / "src" / f"{NAME}.py"
    source.write_text(source.read_text(encoding="utf-8").replace("[3, 1]", "[3, 2]"),
                      encoding="utf-8")
    assert not build(NAME, lab_folder), "old outputs under new cells"
    notebook = nbformat.read(path, 4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert skeleton(notebook) == skeleton(solution_edition(
        read_source(NAME, lab_folder / "src"), "zh"))


def test_a_solution_that_fails_its_tests_is_not_written(lab_folder):
    source = lab_folder / "src" / f"{NAME}.py"
    source.write_text(source.read_text(encoding="utf-8").replace("max(values)", "min(values)"),
                      encoding="utf-8")
    with pytest.raises(LabError, match="The solution of 90_small .zh. does not run"):
        build(NAME, lab_folder, run=True, timeout=60)
    assert not path_of(NAME, "zh", "solution", lab_folder).exists()


def test_large_pictures_become_jpeg_and_small_ones_stay():
    def png(side):
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 4), np.uint8)
        noise[..., 3] = 255
        data = io.BytesIO()
        Image.fromarray(noise).save(data, "PNG")
        return base64.b64encode(data.getvalue()).decode()

    cells = [nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output(
        "display_data", {"image/png": png(side)}, metadata={"image/png": {"width": 9}})])
        for side in (20, 400)]
    building.shrink_pictures(nbformat.v4.new_notebook(cells=cells))
    small, large = (cell.outputs[0] for cell in cells)
    assert set(small.data) == {"image/png"}
    assert set(large.data) == {"image/jpeg"}
    assert large.metadata == {"image/jpeg": {"width": 9}}
    with Image.open(io.BytesIO(base64.b64decode(large.data["image/jpeg"]))) as picture:
        assert picture.size == (400, 400)


def test_an_unknown_notebook_is_told_which_there_are(ask_script):
    code, _, err = ask_script(building.main, ["77_none"])
    assert code == 2
    assert "77_none.py cannot be read" in err
    assert "01_first_model" in err
