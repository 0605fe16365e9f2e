"""The filter of docs/add-a-filter.md has the parameters of the others, and does what the page says."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from machine.swarm.scheduler import filters
from machine.swarm.scheduler.node import Node
from machine.swarm.scheduler.placement_request import PlacementRequest

PAGE = Path(__file__).parents[3] / "docs" / "add-a-filter.md"


def test_the_example_is_a_filter() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"reject": filters.reject}
    exec(textwrap.dedent(example), names)  # noqa: S102 (our own page)
    maintenance = names["maintenance"]
    assert list(inspect.signature(maintenance).parameters) == list(inspect.signature(filters.health).parameters)
    request = PlacementRequest()
    free, busy = _node("free", {}), _node("busy", {"maintenance": "yes"})
    assert maintenance(request, [free, busy], filters.STRICT) == [free]
    with pytest.raises(filters.NotMet, match="not under maintenance"):
        maintenance(request, [busy], filters.STRICT)


def _node(name: str, labels: dict[str, str]) -> Node:
    return Node(name=name, id=name, cpus=1, memory=1 << 30, labels=labels)
