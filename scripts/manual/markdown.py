"""Tables and marked parts of pages in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown; a bar in a cell is escaped."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(re.sub(" {2,}", " ", line) for line in lines) + "\n"


def with_part(path: str, begin: str, end: str, part: str) -> str:
    """Return the page at `path` under docs/ with `part` between the two marks; a page without marks as it is."""
    text = (DOCS / path).read_text()
    before, mark, rest = text.partition(begin)
    _, last, after = rest.partition(end)
    return before + mark + part + last + after if last else text


def part_of(path: str, begin: str, end: str) -> str:
    """Return what stands between the two marks of the page at `path`, "" where there is no such page or part."""
    page = DOCS / path
    text = page.read_text() if page.exists() else ""
    found, last, _ = text.partition(begin)[2].partition(end)
    return found if last else ""
