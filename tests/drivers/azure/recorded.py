"""Answers of the real Azure, recorded by others (data/*.json name their origin); the fake's own are shaped by them."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


@functools.cache
def _load(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def load(name: str) -> Any:
    """One file, as a copy that may be changed."""
    return copy.deepcopy(_load(name))


def body(name: str, **properties: Any) -> dict[str, Any]:
    """A recorded body with other properties laid over it."""
    found: dict[str, Any] = load(name)["body"]
    found["properties"] = {**found.get("properties", {}), **properties}
    return found


def errors() -> dict[str, tuple[int, dict[str, Any]]]:
    """ARM's code -> (HTTP status, body), for all recorded and quoted ones."""
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for entry in [*load("errors_by_code"), *load("errors_quoted_from_public_issues")]:
        found.setdefault(str(entry["code"]).split()[0], (int(entry["status"]), entry["body"]))
    quota = load("vm_create_409_OperationNotAllowed_quota")
    found["OperationNotAllowed"] = (int(quota["status"]), quota["body"])
    return found
