"""No function of the program has over 50 lines, and no file of it or of its tests over 400, as CONTRIBUTING.md asks."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES_OF_A_FUNCTION = 50
MOST_LINES_OF_A_FILE = 400

# What is too long still. A test fails for an entry that is too long no more: remove it then.
LONG_FUNCTIONS: set[str] = set()
LONG_FILES: set[str] = set()


def sources(*packages: str) -> dict[str, str]:
    """Return the text of every source file of the packages by its path in the repository."""
    files = sorted(file for package in packages for file in (ROOT / package).rglob("*.py"))
    return {file.relative_to(ROOT).as_posix(): file.read_text() for file in files}


def lengths_of_functions(text: str) -> dict[str, int]:
    """Return the number of lines of each function, nested ones too, without decorators; of one name the longest."""
    lengths: dict[str, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lengths[node.name] = max(lengths.get(node.name, 0), node.end_lineno - node.lineno + 1)
    return lengths


def test_no_function_is_too_long() -> None:
    found = {
        f"{path} {name}"
        for path, text in sources("machine", "certs").items()
        for name, lines in lengths_of_functions(text).items()
        if lines > MOST_LINES_OF_A_FUNCTION
    }
    assert found == LONG_FUNCTIONS


def test_no_file_is_too_long() -> None:
    found = {
        path
        for path, text in sources("machine", "certs", "tests").items()
        if len(text.splitlines()) > MOST_LINES_OF_A_FILE
    }
    assert found == LONG_FILES


def test_lines_are_counted_from_def_to_the_last_one() -> None:
    text = "class A:\n    @property\n    def one(self):\n        def two():\n            pass\n\n        return two\n"
    assert lengths_of_functions(text) == {"one": 5, "two": 2}
