"""The README's own promises: pictures and links resolve, nothing was left to be filled in."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")),
         ROOT / "bench" / "README.md"]


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
