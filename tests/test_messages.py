"""What is printed sends nobody to a file of the source: who installed the program has no docs/."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRINTING = [
    *(path for package in ("machine", "certs") for path in (ROOT / package).rglob("*.py")),
    ROOT / "release/pyz_main.py",
]
SCRIPTS = sorted((ROOT / "machine").rglob("*.sh"))
ONLY_IN_THE_SOURCE = re.compile(r"(?<![\w/.-])(?:docs|examples|scripts|tests|release)/[\w.-]+|[\w/-]+\.md\b")
URL = re.compile(r"https?://\S+")


def printable_texts(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every string of a module that is no docstring; of an f-string its constant pieces."""
    tree = ast.parse(source)
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, described) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def named(text: str) -> list[str]:
    return ONLY_IN_THE_SOURCE.findall(URL.sub("", text))


def test_no_text_of_the_program_names_a_file_of_the_source() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {' '.join(names)}"
        for path in sorted(PRINTING)
        for line, text in printable_texts(path.read_text())
        if (names := named(text))
    ]
    assert found == [], "say it in the sentence itself"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.name))
def test_nor_does_a_script_that_runs_on_a_host(script: Path) -> None:
    said = [line for line in script.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [name for line in said for name in named(line)] == []


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('"""docs/a.md"""\n\n\ndef f():\n    """docs/b.md"""\n    return "docs/c.md"\n', ["docs/c.md"]),
        ('print(f"{name}, see docs/a.md")', ["docs/a.md"]),
        ('HELP = """All of it (README.md)."""', ["README.md"]),
        ('"https://www.qemu.org/docs/master/x.md"', []),
        ('print("https://www.qemu.org/docs/master/x.md")', []),
    ],
)
def test_what_is_looked_for_is_found(source: str, texts: list[str]) -> None:
    assert [name for _, text in printable_texts(source) for name in named(text)] == texts
