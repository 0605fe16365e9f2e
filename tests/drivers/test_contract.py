"""What every driver promises (machine/drivers/base.py), asked of each one in the table; a new one is asked unasked."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine import process
from machine.drivers import registry
from machine.drivers.base import CAPABILITIES, Changeable, ConsoleLog, Diagnosable, Driver, GrowsDisk, HasForwarder
from machine.drivers.cloud.change import ChangesMachine
from machine.drivers.cloud.driver import CloudDriver
from machine.errors import MachineError, NotSupported
from machine.model import State, Verb
from machine.options import DISK, VALUE, resolve
from machine.process import Completed
from tests.drivers import contexts
from tests.drivers.contract_cases import ARRANGEMENTS
from tests.drivers.recording import effects

KINDS = {"string", "int", "bool", "list"}
FORBIDDEN_CALLS = {"print", "input", "open_new_tab", "system", "popen", "getenv"}
FORBIDDEN_NAMES = {("time", "sleep"), ("os", "environ"), ("sys", "argv"), ("os", "system")}


@pytest.fixture(params=sorted(registry.TABLE))
def cls(request: pytest.FixtureRequest) -> type[Driver]:
    """One driver after the other."""
    return registry.find(request.param)


def sources(cls: type[Driver]) -> list[Path]:
    """All modules of a driver's package."""
    module = importlib.import_module(cls.__module__)
    return sorted(Path(str(module.__file__)).parent.rglob("*.py"))


def test_it_goes_by_the_name_in_the_table(cls: type[Driver]) -> None:
    assert registry.TABLE[cls.traits.name].endswith(f":{cls.__name__}")


def test_its_options_are_well_formed(cls: type[Driver]) -> None:
    names = [option.name for option in cls.traits.options]
    assert len(names) == len(set(names))
    variables = [option.env for option in cls.traits.options if option.env]
    assert len(variables) == len(set(variables))
    for option in cls.traits.options:
        assert option.kind in KINDS
        assert option.help, f"--{option.name} has no help"
        assert option.name.startswith(f"{cls.traits.name}-") or cls.traits.name == "none"
        assert not option.secret or option.key, f"--{option.name} is secret and has no key in the Driver object"
        assert option.default is None or isinstance(option.default, type(option.empty))


def test_its_page_names_every_option(cls: type[Driver]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "drivers" / f"{cls.traits.name}.md").read_text()
    missing = [f"--{option.name}" for option in cls.traits.options if f"`--{option.name}`" not in page]
    missing += [option.env for option in cls.traits.options if option.env and f"`{option.env}`" not in page]
    assert not missing


def test_configuring_touches_nothing(cls: type[Driver]) -> None:
    try:
        cls.configure(contexts.forbidding(), resolve(cls.traits.options, {}, {}))
    except MachineError as error:
        assert error.resolution, "an option that must be given is named with the way to give it"


def test_its_source_keeps_the_rules(cls: type[Driver]) -> None:
    """No sleeping, printing, reading of the environment or shell strings anywhere in the package."""
    for path in sources(cls):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS or _own_process(path), f"{where} calls {node.func.id}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in FORBIDDEN_NAMES or _own_process(path), where
            if isinstance(node, ast.ImportFrom) and node.module == "machine.wait":
                assert [alias.name for alias in node.names] == ["Clock"], f"{where} waits: raise InProgress instead"
            if isinstance(node, ast.keyword) and node.arg == "shell":
                raise AssertionError(f"{where} runs a shell string")


def _own_process(path: Path) -> bool:
    """A module that runs as a program of its own, beside a machine, may wait and read its arguments."""
    return '__name__ == "__main__"' in path.read_text()


def made(cls: type[Driver], tmp_path: Path, given: Any, saved: list[dict[str, Any]]) -> Driver:
    """The driver of a new machine in a real context."""
    return cls.configure(contexts.real(tmp_path, saved=saved), resolve(cls.traits.options, given, {}))


READS = ("--version", "showvminfo", "list", "dhcpserver findlease")  # of VBoxManage


def queries(driver: Driver) -> None:
    """Ask all that a driver can be asked; what it knows stays as it was."""
    known = json.dumps(driver.dump())
    driver.state()
    driver.endpoint()
    if isinstance(driver, Diagnosable):
        driver.explain()
    if isinstance(driver, ConsoleLog):
        driver.console_log()
    assert json.dumps(driver.dump()) == known


@pytest.mark.parametrize("name", sorted({*ARRANGEMENTS} & {"generic", "none", "virtualbox"}))
def test_a_query_runs_nothing_that_changes(name: str, tmp_path: Path) -> None:
    """Of the drivers that call no cloud: every program that they start, every file that they write and every save.

    tests/drivers/qemu/test_driver.py and tests/drivers/plugin/test_queries.py have the others.
    """
    cls = registry.find(name)
    saved: list[dict[str, Any]] = []
    started: list[str] = []

    def noted(argv: Sequence[str], **how: Any) -> Completed:
        started.append(" ".join(argv[1:]))
        return process.run(argv, **how)

    with ARRANGEMENTS[name](tmp_path / "platform") as given:
        ctx = replace(contexts.real(tmp_path, saved=saved), run=noted)
        driver = cls.configure(ctx, resolve(cls.traits.options, given, {}))
        steps: list[Callable[[], object]] = [lambda: None, driver.check, driver.create, driver.remove]
        for step in steps:
            step()
            started.clear()
            before = len(saved)
            with effects() as found:
                queries(driver)
                queries(cls.load(ctx, json.loads(json.dumps(driver.dump()))))
            assert [words for words in started if not words.startswith(READS)] == []
            assert len(found.programs) == len(started), "none is started but by the context"
            assert [line for line in found.files if "-locks" not in line] == [], "one VBoxManage at a time"
            assert len(saved) == before


@pytest.mark.parametrize("name", sorted(ARRANGEMENTS))
def test_the_life_of_a_machine(name: str, tmp_path: Path) -> None:
    """check, create (twice), state, endpoint, a dump that loads again with unknown keys, power, remove (twice)."""
    cls = registry.find(name)
    saved: list[dict[str, Any]] = []
    with ARRANGEMENTS[name](tmp_path / "platform") as given:
        driver = made(cls, tmp_path, given, saved)
        driver.check()
        driver.create()
        driver.create()
        assert saved, "what is known is saved before it is needed"
        dump = json.loads(json.dumps(driver.dump()))
        again = cls.load(driver.ctx, {**dump, "FromTheFuture": 1})
        assert again.dump() == {**dump, "FromTheFuture": 1}
        assert again.state() in tuple(State)
        assert again.endpoint() == driver.endpoint()
        for verb in (Verb.START, Verb.START):
            try:
                again.power(verb)
            except NotSupported as error:
                assert name in error.brief
        again.remove()
        again.remove()


def test_every_public_method_is_of_the_contract(cls: type[Driver]) -> None:
    """A method that neither machine/drivers/base.py nor the base of clouds has is called by nobody: it was renamed on
    one side."""
    bases = [base for base in (Driver, CloudDriver, ChangesMachine) if issubclass(cls, base)]
    known = {name for part in (*bases, *CAPABILITIES) for name in (*dir(part), *part.__annotations__)}
    unknown = [name for name, kind in vars(cls).items() if callable(kind) and not name.startswith("_")]
    assert [name for name in unknown if name not in known] == []


def test_capabilities_are_had_whole(cls: type[Driver]) -> None:
    """Who has one method of a capability has all of them, or `isinstance` says that there is none."""
    for capability in CAPABILITIES:
        methods = [name for name in vars(capability) if not name.startswith("_")]
        assert len({hasattr(cls, name) for name in methods}) == 1, f"{cls.__name__} has {capability.__name__} in part"


def test_what_can_be_changed_is_declared_by_who_changes_it(cls: type[Driver]) -> None:
    declared = [option.name for option in cls.traits.options if option.changeable]
    assert bool(declared) is hasattr(cls, "apply_changes")
    assert {option.changeable for option in cls.traits.options} <= {"", VALUE, DISK}
    assert not any(option.secret for option in cls.traits.options if option.changeable)


def test_what_qemu_can_do_is_found() -> None:
    qemu = registry.find("qemu")
    assert all(
        hasattr(qemu, name)
        for part in (HasForwarder, GrowsDisk, ConsoleLog, Changeable)
        for name in vars(part)
        if name[0] != "_"
    )
