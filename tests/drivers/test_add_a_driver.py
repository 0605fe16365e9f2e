"""docs/add-a-driver.md is true: its example is taken out of the page and used."""

from __future__ import annotations

import dataclasses
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import machine.errors
from machine import driver_api
from machine.driver_api import DriverError, PreflightFailed, State, UsageError
from machine.options import resolve
from tests.drivers import contexts
from tests.imported import modules_of_ours

PAGE = Path(__file__).parents[2] / "docs" / "add-a-driver.md"


@pytest.fixture(scope="module")
def rack() -> Any:
    """The example's class, from the page."""
    source = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert source is not None
    module = types.ModuleType("machine_rack")
    exec(compile(source.group(1), str(PAGE), "exec"), module.__dict__)  # noqa: S102 - that is the point
    return module.RackDriver


def test_the_example_is_short() -> None:
    source = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert source is not None
    assert source.group(1).count("\n") < 120


def test_it_imports_the_driver_api_and_nothing_else_of_the_program() -> None:
    source = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert source is not None
    assert modules_of_ours(source.group(1)) == {"machine.driver_api"}


def test_every_error_that_the_contract_names_is_in_the_api() -> None:
    contract = Path(sys.modules[driver_api.Driver.__module__].__file__ or "")
    words = set(re.findall(r"\w+", contract.read_text()))
    errors = {name for name, value in vars(machine.errors).items() if isinstance(value, type)}
    assert (words & errors) - {"MachineError"} <= set(driver_api.__all__)


def test_it_needs_its_file(rack: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        rack.configure(contexts.forbidding(), resolve(rack.traits.options, {}, {}))
    driver = rack.configure(contexts.real(tmp_path), resolve(rack.traits.options, {"rack-file": "/nonexistent"}, {}))
    with pytest.raises(PreflightFailed):
        driver.check()


def test_two_machines_get_two_hosts_and_a_third_gets_advice(rack: Any, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.txt"
    hosts.write_text("10.1.0.1\n\n10.1.0.2\n")
    values = resolve(rack.traits.options, {}, {"RACK_FILE": str(hosts)})
    given: list[dict[str, Any]] = []

    def another(name: str) -> Any:
        saved: list[dict[str, Any]] = []
        ctx = dataclasses.replace(contexts.real(tmp_path, name, saved), siblings=lambda: list(given))
        driver = rack.configure(ctx, values)
        driver.create()
        driver.create()
        given.append(saved[-1])
        return driver

    first, second = another("a"), another("b")
    assert first.endpoint().address == "10.1.0.1"
    assert second.endpoint().address == "10.1.0.2"
    with pytest.raises(DriverError, match="taken"):
        another("c")
    first.remove()
    assert first.state() is State.MISSING


def test_the_powers_it_names_exist(rack: Any) -> None:
    text = PAGE.read_text()
    protocols = (driver_api.ConsoleLog, driver_api.AcceptsHostKey, driver_api.ProvidesSshKey, driver_api.Diagnosable)
    methods = {name for protocol in protocols for name in vars(protocol) if not name.startswith("_")}
    assert all(f"`{method}`" in text for method in methods)
    assert issubclass(rack, driver_api.ProvidesSshKey)
