"""Which of several things a name or an id means. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.openstack import config

Data = dict[str, Any]


def group(present: Sequence[Data], name: str, data: Mapping[str, Any]) -> Data | None:
    """A security group by id or name, the project's own ones first; ours is never another project's."""
    project = str(data.get("ProjectId") or "")
    if name == config.own_group(data):
        present = [group for group in present if group.get("project_id") == project]
    return named(sorted(present, key=lambda group: str(group.get("id"))), name, project)


def named(present: Sequence[Data], wanted: str, project: str) -> Data | None:
    """By id, else by name, the project's own ones first."""
    by_id = [one for one in present if one.get("id") == wanted]
    by_name = [one for one in present if one.get("name") == wanted]
    own = [one for one in by_name if one.get("project_id") == project]
    return next(iter([*by_id, *own, *by_name]), None)
