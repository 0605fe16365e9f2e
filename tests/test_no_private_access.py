"""Tests go by what is public: none reaches for a private name of the program, of a library or of another test's file.

A test that does holds to how something is made instead of what it does. A name is private if it begins with one
underscore. What a test file defines for itself it may use by `self`, `cls`, `super()` and by the bare name.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PUBLIC = {  # names of the standard library that begin with an underscore and are documented
    "_replace": "of a named tuple",
    "_asdict": "of a named tuple",
    "_fields": "of a named tuple",
    "_make": "of a named tuple",
    "_exit": "os._exit, the end of a process without any handler",
    "_thread": "the module with interrupt_main",
}
ALLOWED = {  # path and name -> why there is no other way
    "tests/drivers/azure/strict.py _attr_to_rest_field": "the models of Azure's SDK tell their fields in no other way",
    "tests/drivers/azure/strict.py _rest_name": "nor what a field is called in JSON",
}
BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}  # functions and methods whose second argument is a name

BROKEN_OPEN = {"__setattr__", "__delattr__", "__closure__", "getclosurevars"}  # ways into frozen objects and closures


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of every file of the tests by its path in the repository."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text()) for file in files}


def is_private(name: str) -> bool:
    """Whether a name begins with one underscore, and is not documented as public all the same."""
    return name.startswith("_") and not name.startswith("__") and name != "_" and name not in PUBLIC


def is_own(node: ast.expr) -> bool:
    """Whether an expression is `self`, `cls` or `super()`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def names_in(node: ast.AST) -> list[str]:
    """Return the names that a node looks up somewhere else: attributes, imports, texts that are such names."""
    match node:
        case ast.Attribute(value=value, attr=name) if not is_own(value):
            return [name]
        case ast.ImportFrom(module=module, names=aliases):
            return [*(module or "").split("."), *(alias.name for alias in aliases)]
        case ast.Import(names=aliases):
            return [part for alias in aliases for part in alias.name.split(".")]
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[first, *rest]) if called in BY_NAME:
            owner = rest[:1] if not isinstance(first, ast.Constant) else [first]
            texts = [each.value for each in owner if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            return [] if is_own(first) else [part for text in texts for part in text.split(".")]
        case ast.Constant(value=str(text)) if text.startswith(("machine.", "certs.", "tests.")):
            return text.split(".") if text.replace(".", "").isidentifier() else []
    return []


def defined_names(node: ast.AST) -> Iterator[str]:
    """Yield the names of functions, and of attributes that are set, anywhere in a tree."""
    for each in ast.walk(node):
        match each:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def private_members(module: str) -> set[str]:
    """Return the private names that a module of the program defines, or the modules of a package, by its name."""
    place = ROOT.joinpath(*module.split("."))
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return {name for file in files for name in defined_names(ast.parse(file.read_text())) if is_private(name)}


def inherited(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of private members of an imported base that a class of this file uses or replaces."""
    imports = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(("machine.", "certs."))
        for alias in node.names
    }
    for defined in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        modules = {imports[base.id] for base in defined.bases if isinstance(base, ast.Name) and base.id in imports}
        theirs = set[str]().union(*map(private_members, modules))
        for node in ast.walk(defined):
            name = getattr(node, "name" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else "attr", "")
            if name in theirs:
                yield node.lineno, name  # type: ignore[attr-defined]  # all of these have one


def private_uses(tree: ast.AST) -> list[tuple[int, str]]:
    """Return (line, name) of every private name of others in a test's file."""
    used = {
        (node.lineno, name)  # type: ignore[attr-defined]  # what looks up a name has a line
        for node in ast.walk(tree)
        for name in names_in(node)
        if is_private(name)
    }
    return sorted(used | set(inherited(tree)))


def test_no_test_reaches_for_a_private_name() -> None:
    found = {f"{path} {name}": line for path, tree in trees().items() for line, name in private_uses(tree)}
    assert sorted(ALLOWED.keys() - found.keys()) == [], "what is allowed and not used: remove it from the list"
    assert {name: line for name, line in found.items() if name not in ALLOWED} == {}


def test_nothing_frozen_is_broken_open() -> None:
    """`object.__setattr__` changes what everybody else may rely on; a closure is as private as an attribute."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in BROKEN_OPEN
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("thing._name", "_name"),
        ("thing.other()._name = 1", "_name"),
        ("from machine.x import _y", "_y"),
        ("from machine._x import y", "_x"),
        ("import machine._x as x", "_x"),
        ("monkeypatch.setattr(module, '_name', 1)", "_name"),
        ("monkeypatch.setattr('machine.x._name', 1)", "_name"),
        ("getattr(thing, '_name')", "_name"),
        ("patched = 'machine.x._Class.name'", "_Class"),
        ("class A(Base):\n    def sleep(self): self.x._name", "_name"),
    ],
)
def test_a_private_name_is_seen(text: str, name: str) -> None:
    assert [found for _, found in private_uses(ast.parse(text))] == [name]


@pytest.mark.parametrize("body", ["def _step(self): pass", "def run(self): self._count += 1", "x = Base._step"])
def test_a_private_member_of_a_base_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "base.py").write_text("class Base:\n    def _step(self): self._count = self._other = 1\n")
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    text = f"from machine.base import Base\nclass A(Base):\n    def _own(self): self._kept = 1\n    {body}"
    assert [line for line, _ in private_uses(ast.parse(text))] == [4]


@pytest.mark.parametrize(
    "text",
    [
        "self._name = cls._other + super()._third()",
        "pair._replace(a=1)",
        "thing.__class__",
        "def _helper(): pass\n_helper()",
        "getattr(self, '_name')",
        "'a text of _name, machine._x is in it'",
        "monkeypatch.setattr(module, 'name', '_value')",
        "class A:\n    def _name(self): return self._other",
    ],
)
def test_what_is_ones_own_is_not(text: str) -> None:
    assert private_uses(ast.parse(text)) == []
