"""Docstrings and comments name files, modules and functions that exist: a renaming that forgets one of them is told."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("machine", "certs") for path in (ROOT / package).rglob("*.py"))
NAMED_FILE = re.compile(r"(?<![\w.-])[\w/-]*\b\w+\.py\b")
NAMED_MODULE = re.compile(r"(?<![\w./@-])machine(?:\.[a-z_]\w*)+(?:\.[A-Z]\w*)?")


def texts(path: Path) -> Iterator[str]:
    """The docstrings and comments of a file."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module of the program, or something that the file of a module names."""
    if dotted in ("machine.backends", "machine.ports"):  # a group of entry points; a serial port of virtual machines
        return True
    parts = dotted.split(".")
    for length in range(len(parts), 1, -1):
        place = ROOT.joinpath(*parts[:length])
        found = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
        if found.exists():
            return all(re.search(rf"\b{name}\b", found.read_text()) for name in parts[length : length + 1])
    return False


def is_there(name: str, path: Path) -> bool:
    """Whether a file of that name is beside `path` or below, in the directory above, or there in the project."""
    if "/" in name:
        return any(ROOT.glob(f"**/{name}"))
    return any(path.parent.rglob(name)) or (path.parents[1] / name).exists() or (ROOT / name).exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_exists(path: Path) -> None:
    text = "\n".join(texts(path))
    missing = [name for name in NAMED_FILE.findall(text) if not is_there(name, path)]
    missing += [name for name in NAMED_MODULE.findall(text) if not exists(name)]
    assert not missing, f"named in docstrings or comments of {path.name}, and not there"
