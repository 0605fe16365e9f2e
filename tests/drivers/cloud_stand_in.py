"""What stands in for a cloud in tests, and the steps of a machine's life on it, by its driver."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from machine.drivers import registry
from machine.drivers.base import Changeable, Driver
from machine.errors import InProgress, PreflightFailed
from machine.model import State
from machine.options import resolve
from machine.wait import NotYet, SystemClock, until
from tests.drivers import contexts
from tests.drivers.fault_proxy import Answer, FaultProxy


class Cloud(Protocol):
    """One account on a stand-in, behind a fault proxy."""

    driver_name: str
    making: str  # the name of the call that makes the machine
    pausing: str  # the module of the SDK that sleeps before a call is repeated
    throttled: Answer
    broken: Answer

    @property
    def proxy(self) -> FaultProxy: ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that nobody may see."""

    @property
    def sdk(self) -> tuple[str, ...]:
        """Modules that only a command which talks to the cloud may load."""

    @property
    def impatient(self) -> Mapping[str, Any]:
        """Option values that make it give up early."""

    def options(self) -> dict[str, Any]:
        """Option values of a machine that can be made, without the secret ones."""

    def credentials(self) -> dict[str, str]:
        """The secret ones, as environment variables."""

    def listing(self) -> Any:
        """Everything in the account, apart from what the cloud itself keeps after a removal."""

    def machines(self) -> int:
        """How many machines there are."""

    def changes(self, call: str) -> bool:
        """Whether a call of that name makes, changes or removes something."""

    def ports_open(self) -> set[str]:
        """What the cloud's own rules let everybody's IPv4 reach of any machine: `22/tcp`, `8000-8100/udp`."""

    def forget(self) -> None:
        """Lose everything that was made, behind the driver's back."""


def new(cloud: Cloud, place: Path, name: str = "contract", /, **more: Any) -> Driver:
    """The driver of a machine that is not made yet, in a context that really saves; `driver.saved` is what it saved."""
    cls = registry.find(cloud.driver_name)
    saved: list[dict[str, Any]] = []
    ctx = contexts.real(place, name, saved)
    ctx = dataclasses.replace(ctx, machine_id=os.urandom(16).hex())
    values = resolve(cls.traits.options, {**cloud.options(), **more}, cloud.credentials())
    driver = cls.configure(ctx, values)
    driver.saved = saved  # type: ignore[attr-defined]  # kept beside it for the test
    return driver


def again(driver: Driver) -> Driver:
    """The same machine as another process opens it, from what was saved last."""
    saved: list[dict[str, Any]] = driver.saved  # type: ignore[attr-defined]  # kept beside it for the test
    found = type(driver).load(driver.ctx, json.loads(json.dumps(saved[-1])))
    found.saved = saved  # type: ignore[attr-defined]  # kept beside it for the test
    return found


def make(driver: Driver) -> Driver:
    """check and create, as far as a driver goes; until it says where the machine is."""
    driver.check()
    driver.ctx.save(driver)
    create_until_done(driver)
    wait_for_state(driver, State.RUNNING)
    return driver


def create_until_done(driver: Driver) -> None:
    """create, as often as the driver wants."""

    def attempt() -> None:
        try:
            driver.create()
        except InProgress as error:
            raise NotYet.because(error) from error

    until(attempt, what="the machine", seconds=60, every=0.05, clock=SystemClock())


def wait_for_state(driver: Driver, state: State) -> None:
    """Until the platform says so."""

    def probe() -> None:
        found = driver.state()
        if found is not state:
            raise NotYet(found)

    until(
        probe,
        what=f"{state}",
        seconds=30,
        every=0.05,
        clock=SystemClock(),
    )


def unmake(driver: Driver) -> None:
    """remove, as often as the driver wants."""

    def attempt() -> None:
        try:
            driver.remove()
        except InProgress as error:
            raise NotYet.because(error) from error

    until(attempt, what="the end", seconds=60, every=0.05, clock=SystemClock())


def refused(cloud: Cloud, place: Path, **given: Any) -> PreflightFailed:
    """The refusal of a check with these flags (without the driver's name, `_` for `-`); nothing was made."""
    before = cloud.listing()
    flags = {f"{cloud.driver_name}-{name.replace('_', '-')}": value for name, value in given.items()}
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, place, **flags).check()
    assert caught.value.exit_code == 3
    assert cloud.listing() == before
    return caught.value


def applied(driver_now: Callable[[], Changeable], names: Sequence[str]) -> Sequence[str]:
    """Apply these changes until there is nothing to wait for, each time by the driver that `driver_now` returns."""

    def attempt() -> Sequence[str]:
        try:
            return driver_now().apply_changes(names)
        except InProgress as error:
            raise NotYet.because(error) from error

    return until(attempt, what="the cloud", seconds=30, every=0.02, clock=SystemClock())
