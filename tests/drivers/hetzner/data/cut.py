"""Take the recorded answers out of hcloud's source package: `python cut.py hcloud-2.27.0.tar.gz` writes recorded.json.

They are literals in the fixtures of its own tests (https://github.com/hetznercloud/hcloud-python, MIT), by which the
library is tried. Nothing of the package is run: what is no literal is left out.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WANTED = ("firewalls", "images", "locations", "networks", "placement_groups", "primary_ips", "server_types", "servers")
FILES = re.compile(rf"[^/]+/tests/unit/((?:{'|'.join(WANTED)}|ssh_keys|volumes)/conftest|conftest|test_client)\.py")
LEFT_OUT = re.compile(r"metrics|console|password|rescue|create_image|alias_ips|attach|detach|actions_list")


def literals(text: str) -> Iterator[tuple[str, Any]]:
    """Each function's answers: what it returns, and what it has as the body of an error."""
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef) and not LEFT_OUT.search(function.name):
            for node in ast.walk(function):
                value = node.value if isinstance(node, ast.Return) else node
                if isinstance(value, ast.Dict):
                    try:
                        found = ast.literal_eval(value)
                    except ValueError:
                        continue
                    if isinstance(node, ast.Return) or set(found) == {"error"}:
                        yield function.name, found


def cut(package: str) -> dict[str, Any]:
    """The answers by file and function."""
    answers: dict[str, Any] = {}
    license_text = ""
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file and re.fullmatch("[^/]+/LICENSE", member.name):
                license_text = file.read().decode()
            if file and (match := FILES.fullmatch(member.name)):
                for name, found in literals(file.read().decode()):
                    answers.setdefault(f"{match[1]}.py {name}", []).append(found)
    origin = f"{Path(package).name}, tests/unit, https://github.com/hetznercloud/hcloud-python"
    return {"origin": origin, "license": license_text, "answers": answers}


if __name__ == "__main__":
    text = json.dumps(cut(sys.argv[1]), indent=1, sort_keys=True)
    Path(__file__).with_name("recorded.json").write_text(text + "\n")
