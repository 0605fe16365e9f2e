"""The stages of the tests: what is looked at without running first, then tests, those that need least before others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One command. `tests` is true of a run of pytest, whose arguments the command is."""

    name: str
    command: tuple[str, ...]
    tests: bool = False


QUICK = Stage("quick", ("-m", "not lab and not vm and not slow", "-n", "8"), tests=True)  # half of their time they wait
UNITS = Stage("units", ("-m", "not lab and not vm", "-n", "3"), tests=True)
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
STYLE = Stage("style", ("ruff", "check", "."))
FORMAT = Stage("format", ("ruff", "format", "--check", "."))
LAYERS = Stage("layers", ("lint-imports",))
TYPES = Stage("types", ("mypy",))

# Groups, one after the other. Tests on real hosts mostly wait, and units run meanwhile; mypy is one process. Virtual
# machines have the computer to themselves: without hardware for it they take all of two processors, and one that gets
# less is given up in the end.
ALL = ((STYLE,), (FORMAT,), (LAYERS,), (TYPES, UNITS, LABS), (MACHINES,))
CHECK = ((STYLE,), (FORMAT,), (LAYERS,), (TYPES, QUICK))
BY_NAME = {
    stage.name: stage
    for stage in (STYLE, FORMAT, LAYERS, TYPES, QUICK, UNITS, LABS, MACHINES, OPENSTACK_ENDS, OPENSTACK)
}
GROUPS = {"all": ALL, "check": CHECK}
