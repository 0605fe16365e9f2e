"""`create` typed against a cloud of tests.drivers.cloud_contract: a process to be killed at any of its calls."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.drivers.fault_proxy import Call, before_answer
from tests.program import Program

if TYPE_CHECKING:
    from tests.drivers.cloud_stand_in import Cloud


def line(cloud: Cloud, name: str = "dev") -> list[str]:
    """`create` as typed."""
    typed = ["create", "-d", cloud.driver_name]
    for option, value in cloud.options().items():
        items = value if isinstance(value, list) else [value]
        typed += [f"--{option}={str(item).lower() if isinstance(item, bool) else item}" for item in items]
    return [*typed, name]


@contextlib.contextmanager
def running(cloud: Cloud, program: Program, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The program as a process that may be killed; it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "machine", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**program.environ(), **cloud.credentials()},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def kill_at(cloud: Cloud, program: Program, number: int | str) -> list[str]:
    """`create`, ended as by kill -9 once a call is done over there, by `number` (from 0) or by name; what it called."""
    cloud.proxy.clear()
    box: list[subprocess.Popen[str]] = []
    started = threading.Event()

    def kill() -> None:
        assert started.wait(30)
        os.kill(box[0].pid, signal.SIGKILL)

    seen = iter(range(10**6))
    cloud.proxy.on(
        lambda call: call.name == number if isinstance(number, str) else next(seen) == number, before_answer(kill)
    )
    with running(cloud, program, line(cloud)) as process:
        box.append(process)
        started.set()
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, f"call {number} was not made again"
    names = cloud.proxy.names()
    cloud.proxy.clear()
    return names


def calls_of_create(cloud: Cloud, program: Program) -> list[str]:
    """The calls of one create, up to the first question after the machine was asked for."""
    cloud.proxy.clear()
    box: list[subprocess.Popen[str]] = []
    asked = threading.Event()

    def is_made(call: Call) -> bool:
        found = asked.is_set()
        if call.name == cloud.making and b"DryRun" not in call.body:
            asked.set()
        return found

    cloud.proxy.on(is_made, before_answer(lambda: os.kill(box[0].pid, signal.SIGKILL)), times=1)
    with running(cloud, program, line(cloud)) as process:
        box.append(process)
        _, said = process.communicate(timeout=120)
    assert asked.is_set(), said
    names = cloud.proxy.names()
    cloud.proxy.clear()
    return names
