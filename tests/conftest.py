"""Every test lives in a home of its own: nobody's machines, contexts or keys are touched."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.labs.fixtures import lab
from tests.shared_failures import pytest_runtest_makereport

# How long an example takes depends on what else the machine does, and says nothing of the code.
settings.register_profile("machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("machine")

# A shell ignores ctrl-c in what it runs with `&`, and nohup ignores the end of the terminal: so would every program
# that a test starts and signals.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

__all__ = ["home", "lab", "pytest_runtest_makereport"]

ASYNC_TEST_SECONDS = 60
LONGEST_FILE = "tests/clients/test_clients.py"  # minutes: begun last, it would be at work alone
PERSONAL = ("MACHINE_", "DOCKER_", "QEMU_", "GENERIC_", "ENGINE_", "SSH_AUTH_SOCK", "AWS_", "OS_", "OPENSTACK_")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where files are handed out in this order (--no-loadscope-reorder): the longest, then those of many tests."""
    if not config.getoption("loadscopereorder", True):
        tests = Counter(item.location[0] for item in items)
        items.sort(key=lambda item: (item.location[0] != LONGEST_FILE, -tests[item.location[0]]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Let no asynchronous test wait for ever."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = _bounded(item.obj)


def _bounded(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*args: object, **fixtures: object) -> None:
        async with asyncio.timeout(ASYNC_TEST_SECONDS):
            await test(*args, **fixtures)

    return run


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME with nothing in it, and none of the variables that the program reads."""
    for name in list(os.environ):
        if name.startswith(PERSONAL) and not name.startswith("MACHINE_TEST_"):
            monkeypatch.delenv(name)
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("DOCKER_CONFIG", str(place / ".docker"))
    return place


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user of this host comes to; `tmp_path` is closed to others, on macOS $TMPDIR too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)
