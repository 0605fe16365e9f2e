"""Which modules of the program a piece of Python imports."""

from __future__ import annotations

import ast


def modules_of_ours(source: str) -> set[str]:
    """The dotted names of all modules below `machine` and `certs` that `source` imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.partition(".")[0] in ("machine", "certs")}
