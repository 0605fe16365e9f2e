"""Driver contexts for tests: one that does the real things in a directory, one that forbids everything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

from machine import lock, process
from machine.drivers.base import Driver, DriverContext
from machine.ssh import keys
from machine.wait import SystemClock


def real(directory: Path, name: str = "contract", saved: list[dict[str, Any]] | None = None) -> DriverContext:
    """A context over `directory`; every dump that the driver saves is appended to `saved`."""
    store = directory / "store"
    own = store / "machines" / name
    own.mkdir(parents=True, mode=0o700, exist_ok=True)
    _, public = keys.ensure(str(own / "id_ed25519"), name)

    def hold(name: str) -> AbstractContextManager[None]:
        return lock.hold(str(store / "locks" / f"{name}.lock"), what=name)

    def save(driver: Driver) -> None:
        if saved is not None:
            saved.append(driver.dump())

    return DriverContext(
        name=name,
        directory=str(own),
        store=str(store),
        machine_id="0123456789abcdef",
        public_key=public,
        save=save,
        log=lambda line: None,
        clock=SystemClock(),
        run=process.run,
        lock=hold,
        siblings=list,
    )


def file_of(driver: Driver, name: str) -> str:
    """The path of a file that the driver keeps in its machine's directory."""
    return str(Path(driver.ctx.directory, name))


def forbidding() -> DriverContext:
    """A context whose every power fails: what runs in it is pure."""

    def refuse(what: str) -> Callable[..., NoReturn]:
        def call(*args: object, **named: object) -> NoReturn:
            raise AssertionError(f"{what} was used")

        return call

    return DriverContext(
        name="pure",
        directory="/nonexistent/machines/pure",
        store="/nonexistent",
        machine_id="0123456789abcdef",
        public_key="ssh-ed25519 AAAA test",
        save=refuse("save"),
        log=refuse("log"),
        clock=SystemClock(),
        run=refuse("run"),
        lock=refuse("lock"),
        siblings=refuse("siblings"),
    )
