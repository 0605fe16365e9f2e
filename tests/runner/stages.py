"""The stages of the tests: what is looked at without running first, then tests, those that need least before others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One command. `tests` is true of a run of pytest, whose arguments the command is."""

    name: str
    command: tuple[str, ...]
    tests: bool = False


QUICK = Stage("quick", ("-m", "not lab and not vm and not slow", "-n", "auto"), tests=True)
UNITS = Stage("units", ("-m", "not lab and not vm", "-n", "4"), tests=True)
LABS = Stage("labs", ("-m", "lab", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"), tests=True)
MACHINES = Stage("machines", ("-m", "vm", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"), tests=True)
# What a cloud leaves behind is looked at where none stands; the tests of the other stage share one until their end.
CLOUD_ENDS = "tests/labs/openstack/test_openstack.py::test_nothing_is_left_of_a_cloud"
OPENSTACK_ENDS = Stage("openstack-ends", (CLOUD_ENDS,), tests=True)
OPENSTACK = Stage(
    "openstack",
    ("tests/labs/openstack", "tests/drivers/openstack/test_real.py", "--deselect", CLOUD_ENDS),
    tests=True,
)
LOOKED_AT = (
    Stage("style", ("ruff", "check", ".")),
    Stage("format", ("ruff", "format", "--check", ".")),
    Stage("layers", ("lint-imports",)),
    Stage("types", ("mypy",)),
)
ALL = (*LOOKED_AT, UNITS, LABS, MACHINES)
BY_NAME = {stage.name: stage for stage in (*ALL, QUICK, OPENSTACK_ENDS, OPENSTACK)}
