"""What every cloud's driver says of answers of another shape than the cloud's: an error with advice, never a traceback.

A part of tests.drivers.cloud_contract, with the same `Cloud`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from machine.drivers.base import Driver
from machine.errors import DriverError, InProgress, MachineError
from machine.model import Verb
from tests.drivers.cloud_stand_in import Cloud, again, create_until_done, new, unmake
from tests.drivers.fault_proxy import Act, Answer, Call, FaultProxy
from tests.drivers.pauses import written_down

ROUNDS = 3  # calls of create and remove while they are still at it
LIES: dict[str, list[tuple[bytes, bytes]]] = {  # what is replaced by what, in JSON and in EC2's XML
    "ids have another name": [(rb'"(\w*)id":', rb'"\1ix":'), (rb"(</?\w*)Id>", rb"\1Ix>")],
    "texts are gone": [(rb':\s*"[^"]*"', b": null"), (rb">[^<>]+<", b"><")],
    "lists have a number": [(rb"\[\s*\{", b"[7, {"), (rb"(?s)<item>.*</item>", b"<item>7</item>")],
    "objects are lists": [(rb":\s*\{[^{}]*\}", b": [7]")],
    "nothing is there": [(rb"(?s)^\s*[\[{].*", b"{}"), (rb"(?s)^<.*", b"<Nothing/>")],
}


def lying(name: str) -> Act:
    """Do what is asked for, and say what that lie makes of the answer."""

    def act(proxy: FaultProxy, call: Call) -> Answer:
        found = proxy.forward(call)
        body = found.body
        for pattern, instead in LIES[name]:
            body = re.sub(pattern, instead, body)
        return Answer(found.status, body, found.headers)

    return act


@contextlib.contextmanager
def advised(doing: str) -> Iterator[None]:
    """Whatever goes wrong inside is an error with advice."""
    try:
        yield
    except InProgress:
        pass
    except MachineError as error:
        assert error.resolution or not isinstance(error, DriverError), f"{doing}: {error}"
    except Exception as error:
        raise AssertionError(f"{doing}: {type(error).__name__}: {error}") from error


def repeat(step: Callable[[], object], doing: str) -> None:
    for _ in range(ROUNDS):
        with advised(doing):
            step()


def use(driver: Driver, doing: str) -> None:
    """All that commands do with a machine, but make and remove it."""
    for verb in (Verb.STOP, Verb.START):
        with advised(f"{doing}, {verb}"):
            driver.power(verb)
    for query in ("state", "endpoint", "explain", "current_account", "console_log"):
        if hasattr(driver, query):
            with advised(f"{doing}, {query}"):
                getattr(driver, query)()


class CloudLies:
    """Taken over by each cloud's tests, by way of CloudContract."""

    @pytest.mark.slow
    @pytest.mark.parametrize("name", LIES)
    def test_an_answer_of_another_shape_is_told_with_advice(
        self, cloud: Cloud, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every third call of a machine's life in its turn, so that each meets one or two of the lies.

        What was made all the same goes when the cloud is honest again.
        """
        written_down(cloud.pausing, monkeypatch)
        cloud.proxy.server.RequestHandlerClass.disable_nagle_algorithm = True  # type: ignore[attr-defined]  # 40 ms a call
        before = cloud.listing()
        probe = new(cloud, tmp_path / "probe")
        probe.check()
        cloud.proxy.clear()
        create_until_done(probe)
        use(probe, "the truth")
        unmake(probe)
        lie = lying(name)
        calls = list(dict.fromkeys(cloud.proxy.names()))
        for number, call in enumerate(calls[list(LIES).index(name) % 3 :: 3]):
            driver = new(cloud, tmp_path / str(number))
            cloud.proxy.clear()
            driver.check()
            driver.ctx.save(driver)
            cloud.proxy.on(call, lie)
            repeat(driver.create, f"create, {call}")
            use(driver, call)
            repeat(again(driver).remove, f"remove, {call}")
            cloud.proxy.clear()
            unmake(again(driver))
            assert cloud.listing() == before, call
