"""The README's own promises: pictures and links resolve, nothing was left to be filled in."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")),
         ROOT / "bench" / "README.md", ROOT / "lab" / "README.md"]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8")
                    for name in ("README.md", "README.zh.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_resolve(page):
    text = page.read_text(encoding="utf-8")
    assert "@@" not in text
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_the_pinned_mindspore_is_the_guarded_one():
    from src_mindspore.runtime import MINDSPORE_VERSION

    assert f"mindspore=={MINDSPORE_VERSION} " in (ROOT / "requirements.txt").read_text()


def code_blocks(text):
    return re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(block):
    """The lines of a code block without what explains them, behind two spaces or more."""
    return [re.match(r"\s*\S+(?: \S+)*", line).group() for line in block.splitlines() if line]


def test_both_languages_have_the_same_commands():
    assert len(code_blocks(ENGLISH)) >= 4
    assert list(map(commands, code_blocks(ENGLISH))) == list(map(commands, code_blocks(CHINESE)))


def inline_code(text):
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```\n.*?^```$", "", text, flags=re.S | re.M)))


def test_both_languages_name_the_same_flags_files_and_keys():
    assert inline_code(ENGLISH) == inline_code(CHINESE)


def table_figures(text):
    """The numbers of every table row, sorted: languages put them in another order."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [sorted(re.findall(r"\d+(?:[.,:]\d+)*(?:e-?\d+)?", row)) for row in rows]


def test_both_languages_have_the_same_figures():
    assert sum(map(bool, table_figures(ENGLISH))) >= 10
    assert table_figures(ENGLISH) == table_figures(CHINESE)


def test_both_languages_have_the_same_sections_and_pictures():
    for pattern in (r"^#+ ", r"!\[[^]]*\]\(([^)]+)\)", r"\d{4}-\d\d-\d\d"):
        assert re.findall(pattern, ENGLISH, re.M) == re.findall(pattern, CHINESE, re.M)


def test_every_notebook_is_introduced_in_both_languages():
    rows = re.findall(r"^\| (\d\d) \|", (ROOT / "lab" / "README.md").read_text(), re.MULTILINE)
    sources = sorted((ROOT / "lab" / "src").glob("[0-9][0-9]_*.py"))
    for source in sources:
        assert rows.count(source.name[:2]) == 2, source.name
    assert len(rows) == 2 * len(sources), "a notebook is announced that is not there"
