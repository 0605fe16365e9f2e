"""A package's `__init__.py` says what the package is and offers its public names; it defines none itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INITS = sorted(path.relative_to(ROOT) for top in ("machine", "certs") for path in (ROOT / top).rglob("__init__.py"))


def definitions(path: Path) -> list[str]:
    """The classes and functions that a file defines, nested ones too."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, kinds)]


@pytest.mark.parametrize("init_file", INITS, ids=str)
def test_an_init_file_defines_nothing(init_file: Path) -> None:
    assert definitions(init_file) == []
