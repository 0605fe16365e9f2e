"""No other package knows a driver by its name: its traits say what it can do, drivers.record_keys what its keys are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from machine.drivers import record_keys, registry
from machine.drivers.base import Driver

ROOT = Path(__file__).parents[2] / "machine"
NAMES = {*registry.TABLE, "plugin"}
OTHER_MEANINGS = {  # a word that is a driver's name too, and stands for something else here
    "cli/commands.py": {"plugin"},  # a command
    "cli/report.py": {"plugin"},  # that command
    "model.py": {"none"},  # an install URL: nothing is installed
    "port_holder.py": {"qemu"},  # a program that holds a port
    "engine_values.py": {"none"},  # an install URL
    "provision/install.py": {"none"},  # an install URL
    "share/spec.py": {"none"},  # no directory is shared
    "swarm/events.py": {"plugin"},  # an object of an engine
    "swarm": {"none"},  # a network of an engine, the health of a container, an empty value
    "swarmd": {"none"},  # a network of the simulated engine
}


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each string literal of a module, f-strings included and docstrings not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def allowed(path: str) -> set[str]:
    """Return the words that mean something else in the module at `path`, or in its package."""
    return OTHER_MEANINGS.get(path, set()) | OTHER_MEANINGS.get(path.partition("/")[0], set())


def test_no_driver_is_known_by_its_name_outside_of_drivers() -> None:
    found = []
    for file in sorted(ROOT.rglob("*.py")):
        path = file.relative_to(ROOT).as_posix()
        if path.startswith("drivers/"):
            continue
        known = NAMES - allowed(path)
        found += [f"{path}:{line}: {text!r}" for line, text in literals(file.read_text()) if text in known]
    assert found == [], "ask the traits of the driver (machine/drivers/base.py), or machine.drivers.record_keys"


def test_every_driver_has_a_row_in_the_table_of_records() -> None:
    assert set(record_keys.TABLE) == set(registry.TABLE)
    for name in registry.TABLE:
        traits = registry.find(name).traits
        assert traits.name == name
        assert traits.record_keys is record_keys.TABLE[name]
        secret = {option.key for option in traits.options if option.secret}
        assert set(traits.record_keys.secrets) <= secret, "what docker-machine kept in clear text has an option here"


def test_a_driver_that_switches_machines_says_so() -> None:
    for name in registry.TABLE:
        cls = registry.find(name)
        assert cls.traits.can_power is (cls.power is not Driver.power), name
