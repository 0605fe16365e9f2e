"""Every error that a user may meet says what to do next."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from machine import errors

ROOT = Path(errors.__file__).parent
KINDS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.MachineError)
}
FILES = [path for place in ("shell", "engine", "archive", "authority") for path in sorted((ROOT / place).glob("*.py"))]
FILES += [ROOT / name for name in ("docker_context.py", "files.py", "lock.py")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_has_advice(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in KINDS]
    mute = [call.lineno for call in made if "resolution" not in {word.arg for word in call.keywords}]
    assert not mute, f"{path}: no resolution in lines {mute}"
