"""An answer of another shape is an error with advice at every cloud, and --debug shows where it was read."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from machine.drivers import registry
from machine.drivers.cloud import errors
from machine.drivers.cloud.driver import CloudDriver
from machine.errors import PreflightFailed
from machine.model import Verb
from tests.drivers import contexts
from tests.drivers.cloud.test_errors import CLOUDS

AnyDriver = CloudDriver[Any]
READ_BY: list[tuple[str, Callable[[AnyDriver], object]]] = [  # what reads an answer, and what a command calls
    ("find_machine", lambda driver: driver.state()),
    ("state_of", lambda driver: driver.state()),
    ("endpoint_of", lambda driver: driver.endpoint()),
    ("explain_machine", lambda driver: driver.explain()),
    ("is_terminating", lambda driver: driver.power(Verb.START)),
    ("preflight", lambda driver: driver.create()),
    ("power_machine", lambda driver: driver.power(Verb.STOP)),
    ("remove_all", lambda driver: driver.remove()),
    ("prepare", lambda driver: driver.create()),
    ("make_machine", lambda driver: driver.create()),
    ("ensure_address", lambda driver: driver.create()),
]
EMPTY: dict[str, int] = {}
SHAPES: list[Callable[[], object]] = [
    lambda: EMPTY["id"],
    lambda: range(1)[1],
    lambda: int("x"),
    lambda: None + 1,  # type: ignore[operator]  # as an answer has null for a number
    lambda: None.status,  # type: ignore[attr-defined]  # and for an object
]


@pytest.fixture(params=CLOUDS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AnyDriver:
    """A machine of one cloud after the other, of which the cloud knows something."""
    cls = registry.find(request.param)
    assert issubclass(cls, CloudDriver)
    monkeypatch.setattr(cls, "find_machine", lambda self: {})
    monkeypatch.setattr(cls, "is_terminating", lambda *_: False)
    for step in ("preflight", "prepare", "make_machine", "ensure_address"):
        monkeypatch.setattr(cls, step, lambda self: None)
    return cls.load(contexts.forbidding(), {})


def reads(driver: AnyDriver, method: str, read: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(driver), method, lambda *_: read())


@pytest.mark.parametrize("read", SHAPES)
@pytest.mark.parametrize(("method", "call"), READ_BY, ids=[name for name, _ in READ_BY])
def test_it_is_told_with_advice(
    driver: AnyDriver,
    method: str,
    call: Callable[[AnyDriver], object],
    read: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads(driver, method, read, monkeypatch)
    with pytest.raises(errors.ServiceBroken, match=r"'s answer makes no sense \(to \w+ (?:the |its |wh)") as caught:
        call(driver)
    assert driver.provider.name in caught.value.brief
    assert caught.value.resolution
    assert caught.value.details == str(caught.value.__cause__) != ""


def test_an_answer_that_is_nested_too_deep(driver: AnyDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    def dig(depth: int = 0) -> int:
        return dig(depth + 1)

    reads(driver, "endpoint_of", dig, monkeypatch)
    with pytest.raises(errors.ServiceBroken, match="to show its addresses"):
        driver.endpoint()


@pytest.mark.parametrize("error", [errors.NotAllowed("no"), RuntimeError("a fault of ours"), OSError("no such file")])
def test_every_other_error_passes_as_it_is(
    driver: AnyDriver, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    reads(driver, "state_of", fail, monkeypatch)
    with pytest.raises(type(error)) as caught:
        driver.state()
    assert caught.value is error


def test_a_fault_of_ours_outside_of_it_is_not_the_clouds(driver: AnyDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    reads(driver, "check_files", SHAPES[0], monkeypatch)
    with pytest.raises(KeyError):
        driver.check()


def test_the_traceback_has_the_line_that_read_it_also_after_a_check(
    driver: AnyDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(driver), "check_files", lambda *_: None)
    reads(driver, "preflight", lambda: EMPTY["the size"], monkeypatch)
    with pytest.raises(PreflightFailed) as caught:
        driver.check()
    assert isinstance(caught.value, errors.ServiceBroken)
    shown = "".join(traceback.format_exception(caught.value))
    assert "KeyError: 'the size'" in shown
    assert 'lambda: EMPTY["the size"]' in shown
