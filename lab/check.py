"""Check the exercises of a notebook: points and hints, never the answer.

    python -m lab.check lab/en/01_first_model.ipynb

The notebook is run from top to bottom in a kernel of its own, as saved; the hidden tests come from
its source. The file itself is not changed. Its code runs as you: check notebooks of people you
trust, or in a container.
"""
import sys
from pathlib import Path

import nbformat

from lab.examine import (
    BROKEN,
    EMPTY,
    MISSING,
    SOLVED,
    TIMED_OUT,
    UNCHECKED,
    WRONG,
    examine,
)
from lab.source import SOURCES, read_source, source_names
from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 300

WORDS = {
    "en": {
        SOLVED: "right", WRONG: "not yet", EMPTY: "not answered", MISSING: "its cell is missing",
        BROKEN: "its cell stops", UNCHECKED: "not checked: the kernel was lost before",
        "hint": "hint: {text}", "nameless hint": "a hidden check fails",
        "raised": "your answer raised {kind}: {text}",
        "missing": "Open a fresh copy of the notebook, or undo the deletion: its cell carries the "
                   "id \"{name}\" in its metadata.",
        "changed": "a given line was changed or removed: `{line}`",
        "copies": "{count} cells carry this exercise's id; the first one counts",
        "place": "cell {cell}, line {line}: `{code}`", "cell": "cell {cell}: `{code}`",
        "error": "{place}\n    {kind}: {text}",
        TIMED_OUT: "took longer than {seconds} s and was ended. An endless loop? --timeout allows "
                   "more",
        "DeadKernel": "ended the kernel: exit(), os._exit() or too much memory",
        "mistakes": "Outside the exercises the notebook stops here:",
        "more": "... and {count} more cells, perhaps because of it",
        "total": "{reached} of {points} points",
    },
    "zh": {
        SOLVED: "正确", WRONG: "还不对", EMPTY: "还没有作答", MISSING: "找不到这一题的单元格",
        BROKEN: "单元格运行出错", UNCHECKED: "未检查：在它之前内核已经中断",
        "hint": "提示：{text}", "nameless hint": "有一项隐藏的检查没有通过",
        "raised": "你的答案在测试时抛出 {kind}：{text}",
        "missing": "请重新打开一份笔记本，或撤销删除：这一题的单元格在元数据里带有编号“{name}”。",
        "changed": "题目给出的一行被改动或删除了：`{line}`",
        "copies": "有 {count} 个单元格带着这一题的编号，以第一个为准",
        "place": "第 {cell} 个单元格第 {line} 行：`{code}`", "cell": "第 {cell} 个单元格：`{code}`",
        "error": "{place}\n    {kind}：{text}",
        TIMED_OUT: "运行超过 {seconds} 秒，已被终止。是不是死循环？需要更久可加 --timeout",
        "DeadKernel": "使内核退出：exit()、os._exit() 或内存不足",
        "mistakes": "练习之外，笔记本在这里出错：",
        "more": "……另有 {count} 个单元格出错，可能是同一个原因",
        "total": "共 {points} 分，得 {reached} 分",
    },
}


def check(path, timeout=SECONDS, sources=SOURCES, progress=True):
    """Check a notebook.

    Args:
        path: str or Path of the reader's notebook.
        timeout: int, seconds a cell may take.
        sources: Path of the folder with the sources.
        progress: bool.

    Returns:
        (verdicts, text): list of Verdict, and the report for the reader, in the language of the
        notebook.

    Raises:
        LabError: no notebook of this lab.
    """
    path = Path(path)
    notebook = read_notebook(path)
    known = notebook.metadata.get("lab", {})
    language = known.get("language", "zh" if "zh" in path.parts else "en")
    source = read_source(_name(path, known, sources), sources)
    # The first cell looks for the project above the folder it starts in.
    folder = path.resolve().parent
    folder = folder if ROOT in folder.parents else ROOT
    verdicts, mistakes = examine(notebook, source, language, folder, timeout, progress)
    return verdicts, report(notebook, verdicts, mistakes, WORDS[language], timeout)


def read_notebook(path):
    """Return a notebook in the current format.

    Raises:
        LabError: it cannot be read, or is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}. Expected a notebook such as "
                       "lab/en/01_first_model.ipynb.") from error
    except Exception as error:  # nbformat raises many types on files that are no notebooks
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LabError(f"{path} is no Jupyter notebook ({reason}). Save it again from "
                       "JupyterLab or VS Code as .ipynb.") from error
    return notebook


def _name(path, known, sources):
    names = source_names(sources)
    for name in (known.get("name"), path.stem):
        if name in names:
            return name
    raise LabError(f"{path} is not a notebook of this lab: it says it is "
                   f"{known.get('name', 'nothing')!r}. Known are {', '.join(names)}. Rename the "
                   "file to one of them, or check a notebook from lab/zh or lab/en.")


def report(notebook, verdicts, mistakes, words, timeout):
    """Return what the reader is told.

    Args:
        notebook: nbformat.NotebookNode.
        verdicts, mistakes: see `examine`.
        words: dict, of WORDS.
        timeout: int, seconds.
    """
    lines = []
    if mistakes:
        lines += [words["mistakes"], f"  {_explain(notebook, mistakes[0], words, timeout)}"]
        if len(mistakes) > 1:
            lines.append(f"  {words['more'].format(count=len(mistakes) - 1)}")
        lines.append("")
    for verdict in verdicts:
        lines.append(f"{verdict.reached}/{verdict.points}  {verdict.exercise}: "
                     f"{words[verdict.state]}")
        lines += [f"     {note}" for note in _notes(notebook, verdict, words, timeout)]
    lines += ["", words["total"].format(reached=sum(v.reached for v in verdicts),
                                        points=sum(v.points for v in verdicts))]
    return "\n".join(lines)


def _notes(notebook, verdict, words, timeout):
    """Yield the lines below an exercise."""
    mistake = verdict.mistake
    if verdict.state == WRONG and mistake.kind == "AssertionError" and not mistake.line:
        yield words["hint"].format(text=mistake.text or words["nameless hint"])
    elif verdict.state == WRONG and not mistake.cell and mistake.kind in words:
        yield words[mistake.kind].format(seconds=timeout)
    elif verdict.state == WRONG and not mistake.cell:
        yield words["raised"].format(kind=mistake.kind, text=mistake.text)
    elif verdict.state in (WRONG, BROKEN):
        yield _explain(notebook, mistake, words, timeout)
    elif verdict.state == MISSING:
        yield words["missing"].format(name=verdict.exercise)
    if verdict.changed:
        yield words["changed"].format(line=verdict.changed)
    if verdict.copies > 1:
        yield words["copies"].format(count=verdict.copies)


def _explain(notebook, mistake, words, timeout):
    """Return where a cell stopped and why."""
    if mistake.line:
        place = words["place"].format(cell=mistake.cell, line=mistake.line, code=mistake.code)
    else:
        lines = notebook.cells[mistake.cell - 1].source.strip().splitlines()
        place = words["cell"].format(cell=mistake.cell, code=lines[0] if lines else "")
    if mistake.kind in words:
        return f"{place}\n    {words[mistake.kind].format(seconds=timeout)}"
    return words["error"].format(place=place, kind=mistake.kind, text=mistake.text)


def main(argv):
    """Check the notebook that the command line names; return 0 for full points, else 1."""
    parser = Parser(prog="python -m lab.check",
                    description="Check the exercises of a notebook: points and hints.")
    parser.add_argument("notebook", metavar="NOTEBOOK", help="for example "
                        "lab/en/01_first_model.ipynb")
    parser.add_argument("--timeout", type=int, default=SECONDS,
                        help="seconds a cell may take (default %(default)s)")
    args = parser.parse_args(argv)
    if args.timeout < 1:
        raise LabError(f"--timeout is {args.timeout}; expected whole seconds from 1.")
    verdicts, text = check(args.notebook, args.timeout)
    print(text)
    return int(any(verdict.state != SOLVED for verdict in verdicts))


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
