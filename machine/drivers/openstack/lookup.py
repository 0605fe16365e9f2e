"""Which of several things a name or an id means. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.errors import ERRORS

Json = dict[str, Any]


def group(present: Sequence[Json], name: str, config: Config) -> Json | None:
    """A security group by id or name, the project's own ones first; ours is never another project's."""
    if name == config.own_group:
        present = [group for group in present if group.get("project_id") == config.account]
    return named(sorted(present, key=lambda group: str(group.get("id"))), name, config.account)


def named(present: Sequence[Json], wanted: str, project: str) -> Json | None:
    """The object with that id, else with that name, the project's own before those of others; None if there is none."""
    by_id = [one for one in present if one.get("id") == wanted]
    by_name = [one for one in present if one.get("name") == wanted]
    own = [one for one in by_name if one.get("project_id") == project]
    return next(iter([*by_id, *own, *by_name]), None)


def required(present: Sequence[Json], wanted: str, project: str, kind: errors.ErrorClass, what: str) -> Json:
    """The object that `named` finds; an error of class `kind` when there is none."""
    found = named(present, wanted, project)
    if found is None:
        raise missing(kind, f"{what} {wanted}", present)
    return found


def missing(kind: errors.ErrorClass, what: str, present: Sequence[Mapping[str, Any]]) -> errors.CloudError:
    """The error of that kind for `what` ("network x") that is not among those present, some of which it names."""
    return ERRORS.error(kind, f"there is no {what}", names(present))


def names(present: Sequence[Mapping[str, Any]]) -> str:
    """Words with the names of some of what there is, "" if there is nothing."""
    found = sorted({str(one.get("name")) for one in present})
    return f"there are: {', '.join(found[:20])}" if found else ""
