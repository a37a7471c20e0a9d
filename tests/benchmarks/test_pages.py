"""The pages hold prose, code and equations, but no number that could be measured."""

import re

import pytest

from benchmarks.cells import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_gen" not in p.parts)


def page_id(page):
    return str(page.relative_to(DOCS))


def without_code_and_maths(text: str) -> str:
    """A page's prose: no code, equation, macro, link target or front matter."""
    patterns = (
        r"\A---\n.*?\n---\n",
        r"(?ms)^ *```.*?^ *```",
        r"`[^`\n]*`",
        r"(?s)\\\[.*?\\\]",
        r"(?s)\\\(.*?\\\)",
        r"\{\{.*?\}\}",
        r"\]\([^)]*\)",
    )
    for pattern in patterns:
        text = re.sub(pattern, " ", text)
    return text


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_decimal_is_typed_into_a_page(page):
    prose = without_code_and_maths(page.read_text(encoding="utf-8"))
    assert re.findall(r"\d+[.,]\d+|\d+ ?%", prose) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_comment_beside_a_command_is_not_clipped(page):
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines() if " # " in line]
    assert [line for line in lines if len(line) > 82] == []


def test_a_typed_decimal_would_be_found():
    assert "1.5" in without_code_and_maths("`2.5` and 1.5 \\(3.5\\)")
    assert "2.5" not in without_code_and_maths("`2.5` and 1.5 \\(3.5\\)")
