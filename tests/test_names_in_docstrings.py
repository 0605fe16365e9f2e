"""Docstrings, comments and the guides name files, modules, attributes and parameters that exist."""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.cli import commands

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("machine", "certs") for path in (ROOT / package).rglob("*.py"))
NAMED_FILE = re.compile(r"(?<![\w.-])[\w/-]*\b\w+\.py\b")
NAMED_MODULE = re.compile(r"(?<![\w./@-])machine(?:\.[a-z_]\w*)+(?:\.[A-Z]\w*)?")

IN_BACKTICKS = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\(\))?`")
OF_OTHER_PROGRAMS = {  # names that docstrings and comments take from Docker, clouds, templates and libraries
    *("continue", "distro", "docker", "eq", "exec", "info", "json", "lt", "manage", "os", "ps", "range", "re", "run"),
    *(
        "idna",
        "math.isfinite",
        "name",
        "provisioningState",
        "retryCls",
        "showmediuminfo",
        "type",
        "unprocessable_entity",
    ),
    *("Connection", "Node", "Upgrade", "dangling", "hostconfig", "proxies", "since", "until", "westus"),
}
GUIDES = sorted((ROOT / "docs").glob("add-a-*.md"))
PATH_IN_GUIDE = re.compile(r"`((?:machine|tests)/[\w./-]+)`")
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
API = ("driver_api.py", "backend_api.py", "options.py", "model.py")  # what every guide may take names from
PLACEHOLDERS = {"PORT", "Service.Method", "_", "n"}  # a form of text, not a name
ELSEWHERE = {  # named for a reader who goes on there
    "cli/commands.py": {"args.rest"},
    "clusters/hooks.py": {"CreateRequest"},
    "drivers/base.py": {"key"},
    "drivers/cloud/driver.py": {"traits"},
    "model.py": {"Driver.power"},
    "provision/rollback.py": {"pid"},
    "swarm/manager/routes/context.py": {"merge"},
    "swarm/placing/engine_view.py": {"RequiredObject.nodes"},
    "template/__init__.py": {"data"},
}


def texts(path: Path) -> Iterator[str]:
    """The docstrings and comments of a file."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def words_of(path: Path) -> set[str]:
    """Return the names in the code of a file: identifiers, the words of strings without blanks, its neighbours."""
    words = {
        *keyword.kwlist,
        *path.relative_to(ROOT).with_suffix("").parts,
        *(other.stem for other in path.parent.iterdir()),
    }
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            words.update(str(getattr(node, field, "")).split("."))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            words.update(re.findall(r"\w+", text) if len(text.split()) == 1 else ())
    return words


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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_name_in_backticks_is_in_the_code_of_the_same_file(path: Path) -> None:
    place = path.relative_to(ROOT / "machine").as_posix() if path.is_relative_to(ROOT / "machine") else path.name
    known = words_of(path) | set(commands.COMMANDS) | OF_OTHER_PROGRAMS | PLACEHOLDERS | ELSEWHERE.get(place, set())
    named = {name for text in texts(path) for name in IN_BACKTICKS.findall(text)}
    missing = {name for name in named if name not in known and not set(name.split(".")) <= known and not exists(name)}
    assert not missing, "named in backticks, and not in the code of this file"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_a_name_in_a_guide_is_in_its_example_or_in_a_file_that_it_names(guide: Path) -> None:
    text = guide.read_text()
    known = {word for example in EXAMPLE.findall(text) for word in re.findall(r"\w+", example)}
    known |= {"asyncio.to_thread", *commands.COMMANDS}
    for place in [ROOT / name for name in PATH_IN_GUIDE.findall(text)] + [ROOT / "machine" / name for name in API]:
        for path in [place] if place.is_file() else place.rglob("*.py"):
            known |= words_of(path) if path.suffix == ".py" else set()
    named = set(IN_BACKTICKS.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    files = {name for name in named if name.endswith((".py", ".json", ".toml"))}
    assert not {name for name in named - files if name not in known and not set(name.split(".")) <= known}
