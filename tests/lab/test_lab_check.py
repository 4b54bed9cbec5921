"""The check tells the reader what is right, what is wrong and where, whatever the notebook does."""
import nbformat
import pytest

from lab import check as checking
from lab.build import path_of, student_edition
from lab.examine import BROKEN, EMPTY, MISSING, SOLVED, UNCHECKED, WRONG, changed_line, is_empty
from lab.source import read_source
from lab.start import DRAWN_VARIABLE, STATIC_VARIABLE
from src_mindspore.errors import LabError

SOURCE = '''# %% [markdown] lang="zh"
# # 小试

# %% [markdown] lang="en"
# # A small one

# %% lang="zh"
def say(zh, en): return zh

# %% lang="en"
def say(zh, en): return en

# %%
numbers = [3, 1, 2]

# %% tags=["exercise"] id="largest" points=2
# zh: 提示：max
# en: HINT: max
### BEGIN SOLUTION
largest = max(numbers)
### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
assert largest != min(numbers), say(zh="这是最小的。", en="That is the smallest.")
assert largest == 3
### END TESTS

# %% tags=["exercise"] id="double" points=3
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
assert double(4) == 8, say(zh="4 的两倍是 8。", en="Twice 4 is 8.")
### END TESTS
'''
NAME = "90_small"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    (folder / f"{NAME}.py").write_text(SOURCE, encoding="utf-8")
    return folder


@pytest.fixture
def ask(sources, tmp_path):
    """Function from the reader's cells to (dict of verdicts, report)."""
    def ask(language="en", timeout=60, change=None, **answers):
        notebook = student_edition(read_source(NAME, sources), language)
        for cell in notebook.cells:
            if cell.metadata.get("id") in answers:
                cell.source = answers[cell.metadata["id"]]
        if change:
            change(notebook)
        path = tmp_path / f"{NAME}.ipynb"
        nbformat.write(notebook, path)
        before = path.read_bytes()
        verdicts, text = checking.check(path, timeout, sources, progress=False)
        assert path.read_bytes() == before, "the reader's file was changed"
        return {verdict.exercise: verdict for verdict in verdicts}, text
    return ask


def states(verdicts):
    return {name: verdict.state for name, verdict in verdicts.items()}


def test_right_answers_get_all_points(ask):
    verdicts, text = ask(largest="largest = sorted(numbers)[-1]",
                         double="def double(x):\n    return x + x")
    assert states(verdicts) == {"largest": SOLVED, "double": SOLVED}
    assert "5 of 5 points" in text


def test_a_wrong_answer_gets_the_hint_and_the_rest_is_checked(ask):
    verdicts, text = ask(largest="largest = min(numbers)",
                         double="def double(x):\n    return x + x")
    assert states(verdicts) == {"largest": WRONG, "double": SOLVED}
    assert "hint: That is the smallest." in text
    assert "3 of 5 points" in text
    assert "max(numbers)" not in text, "a solution was given away"


def test_chinese_readers_are_answered_in_chinese(ask):
    _, text = ask("zh", largest="largest = min(numbers)")
    assert "提示：这是最小的。" in text
    assert "共 5 分，得 0 分" in text
    assert "double: 还没有作答" in text


def test_a_fresh_notebook_is_not_answered(ask):
    verdicts, text = ask()
    assert states(verdicts) == {"largest": EMPTY, "double": EMPTY}
    assert "0 of 5 points" in text


def test_a_syntax_error_is_shown_with_its_cell_and_line(ask):
    verdicts, text = ask(largest="# my answer\nlargest = max(numbers",
                         double="def double(x):\n    return 2 * x")
    assert states(verdicts) == {"largest": BROKEN, "double": SOLVED}
    assert "cell 4, line 2: `largest = max(numbers`" in text
    assert "SyntaxError: '(' was never closed" in text


def test_an_exception_inside_the_readers_function_points_into_their_cell(ask):
    verdicts, text = ask(double="def double(x):\n    y = x\n    return y.twice()")
    assert verdicts["double"].state == WRONG
    assert "cell 5, line 3: `return y.twice()`" in text
    assert "AttributeError" in text


def test_an_undefined_name_is_told_without_a_place_in_the_hidden_tests(ask):
    _, text = ask(largest="biggest = 3")
    assert "NameError: name 'largest' is not defined" in text
    assert "assert" not in text


def test_a_failing_cell_outside_the_exercises_is_named(ask):
    def change(notebook):
        notebook.cells[2].source = "numbers = [3, 1, 2]\nnumbers.push(4)"

    verdicts, text = ask(change=change, largest="largest = 3")
    assert "cell 3, line 2: `numbers.push(4)`" in text
    assert verdicts["largest"].state == SOLVED


def test_an_endless_loop_is_ended_and_the_rest_is_checked(ask):
    verdicts, text = ask(timeout=3, largest="while True:\n    pass",
                         double="def double(x):\n    return 2 * x")
    assert states(verdicts) == {"largest": BROKEN, "double": SOLVED}
    assert "took longer than 3 s" in text


def test_an_endless_function_is_ended_while_it_is_tested(ask):
    verdicts, text = ask("zh", timeout=3, double="def double(x):\n    while True:\n        x += 1")
    assert verdicts["double"].state == WRONG
    assert "运行超过 3 秒" in text


def test_a_loop_that_ignores_the_interrupt_costs_only_what_comes_after(ask, monkeypatch):
    monkeypatch.setattr("lab.examine.PROBE_SECONDS", 2)
    stubborn = ("while True:\n    try:\n        while True:\n            pass\n"
                "    except KeyboardInterrupt:\n        pass")
    verdicts, text = ask(timeout=2, largest="largest = 3",
                         double=f"{stubborn}\ndef double(x):\n    return 2 * x")
    assert states(verdicts) == {"largest": SOLVED, "double": BROKEN}
    assert "2 of 5 points" in text


def test_a_kernel_that_is_ended_leaves_the_rest_unchecked(ask):
    verdicts, text = ask(largest="import os\nos._exit(1)",
                         double="def double(x):\n    return 2 * x")
    assert states(verdicts) == {"largest": BROKEN, "double": UNCHECKED}
    assert "ended the kernel" in text


def test_a_deleted_exercise_is_reported(ask):
    def change(notebook):
        del notebook.cells[3]

    verdicts, text = ask(change=change, double="def double(x):\n    return 2 * x")
    assert states(verdicts) == {"largest": MISSING, "double": SOLVED}
    assert 'the id "largest"' in text


def test_an_exercise_made_text_is_missing(ask):
    def change(notebook):
        notebook.cells[3].cell_type = "markdown"
        for key in ("outputs", "execution_count"):
            del notebook.cells[3][key]

    assert ask(change=change)[0]["largest"].state == MISSING


def test_lost_metadata_is_made_up_for_by_the_cells_id(ask):
    def change(notebook):
        del notebook.cells[3].metadata["id"]

    assert ask(change=change, largest="largest = 3")[0]["largest"].state == SOLVED


def test_a_copied_exercise_is_reported_and_the_first_counts(ask):
    def change(notebook):
        copy = nbformat.v4.new_code_cell("largest = 1", metadata={"id": "largest"})
        notebook.cells.append(copy)

    verdicts, text = ask(change=change, largest="largest = 3")
    assert verdicts["largest"].state == SOLVED
    assert "2 cells carry this exercise's id" in text


def test_a_changed_given_line_is_reported(ask):
    _, text = ask(double="def twice(x):\n    return 2 * x")
    assert "a given line was changed or removed: `def double(x):`" in text


def test_points_are_those_of_the_source(ask):
    def change(notebook):
        notebook.cells[3].metadata["points"] = 1000

    assert "2 of 5 points" in ask(change=change, largest="largest = 3")[1]


def test_what_counts_as_not_answered():
    given = "# HINT\ndef f(x):\n    ...  # your code here"
    assert is_empty(given, given)
    assert is_empty("def f(x):\n\n    ...", given)
    assert not is_empty("def f(x):\n    return x", given)
    assert not is_empty("def f(x):\n    return (", given)
    assert changed_line("def g(x): pass", given) == "def f(x):"
    assert changed_line("def f(x):\n    pass", given) == ""


@pytest.mark.parametrize(("content", "message"), [
    ("not json", "is no Jupyter notebook"), ("{}", "is no Jupyter notebook"),
    (nbformat.writes(nbformat.v4.new_notebook()), "is not a notebook of this lab")])
def test_what_is_no_notebook_of_the_lab_is_refused(tmp_path, sources, content, message):
    path = tmp_path / "homework.ipynb"
    path.write_text(content)
    with pytest.raises(LabError, match=message):
        checking.check(path, sources=sources)


def test_mistakes_on_the_command_line_exit_with_2(ask_script, tmp_path):
    code, _, err = ask_script(checking.main, [tmp_path / "none.ipynb"])
    assert code == 2
    assert "cannot be read" in err


def test_a_real_notebook_is_checked_with_mindspore(weights_path, monkeypatch, tmp_path):
    monkeypatch.setenv(DRAWN_VARIABLE, "1")
    monkeypatch.setenv(STATIC_VARIABLE, "1")
    notebook = nbformat.read(path_of("01_first_model", "zh", "student"), as_version=4)
    exercises = next(place for place, cell in enumerate(notebook.cells)
                     if cell.source.startswith("## 练习"))
    # The reader has deleted everything between the start and the exercises.
    notebook.cells = notebook.cells[:5] + notebook.cells[exercises:]
    answers = {"trained-share": "share = 0.9", "lazy-baseline": "lazy = trainer.history",
               "cost": "def cost(epochs, passes):\n    return passes, epochs, 3 * epochs"}
    for cell in notebook.cells:
        cell.source = answers.get(cell.metadata.get("id"), cell.source)
    path = tmp_path / "homework.ipynb"
    nbformat.write(notebook, path)
    verdicts, text = checking.check(path, progress=False)
    assert states({v.exercise: v for v in verdicts}) == {
        "trained-share": WRONG, "lazy-baseline": BROKEN, "photos-needed": EMPTY,
        "choose-epoch": EMPTY, "cost": SOLVED}
    assert "提示：超过一半？" in text
    assert "NameError：name 'trainer' is not defined" in text
    assert "共 10 分，得 2 分" in text
