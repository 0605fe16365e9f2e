"""The lab itself: what it promises, and that it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.labs import image
from tests.labs.cleanup import sweep
from tests.labs.fixtures import lab
from tests.labs.nspawn import Lab

__all__ = ["lab"]

pytestmark = pytest.mark.lab

OWNER = """
import sys, time
from tests.labs.nspawn import Lab
with Lab() as lab:
    host = lab.host("orphan", engine="missing")
    print(lab.directory, lab.bridge, flush=True)
    time.sleep(600)
"""


def traces(directory: str, bridge: str) -> list[str]:
    """What there is of a lab: files, mounts, processes, networks, control groups."""
    found = [directory] if os.path.exists(directory) else []
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if directory in line]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        found += [str(path)] if directory.encode() in line else []
    found += [str(path) for path in Path("/run/netns").glob(bridge + "h*")]
    found += [str(path) for path in Path("/sys/class/net").glob(bridge + "*")]
    return found + [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{bridge}h*")]


def traces_at_last(directory: str, bridge: str) -> list[str]:
    """The same, once the kernel, which takes the ends of a removed network away in its own time, has had some."""
    deadline = time.monotonic() + 30
    while traces(directory, bridge) and time.monotonic() < deadline:
        time.sleep(0.1)
    return traces(directory, bridge)


def test_hosts_reach_each_other_and_are_what_was_asked_for(lab: Lab) -> None:
    first, second = lab.hosts(["one", "two"], engine="off")
    try:
        assert first.run("cat /etc/hostname") == "one\n"
        assert first.run("sudo -n id -u", user=first.user) == "0\n"
        assert second.run("systemctl is-active docker.service docker.socket", check=False).split() == ["inactive"] * 2
        banner = first.run(f"exec 3<>/dev/tcp/{second.address}/22; head -c 4 <&3", user=first.user)
        assert banner == "SSH-"
    finally:
        lab.drop(first)
        lab.drop(second)


def test_nothing_is_left(lab: Lab) -> None:
    with Lab() as other:
        other.host("brief", engine="running")
        directory, bridge = str(other.directory), other.bridge
        assert len(traces(directory, bridge)) >= 5
    assert traces_at_last(directory, bridge) == []


def test_a_host_that_is_dropped_is_gone_before_its_lab(lab: Lab) -> None:
    with Lab() as other:
        host = other.host("dropped", engine="missing")
        place, bridge = str(host.root.parent), other.bridge
        other.drop(host).join()
        assert traces_at_last(place, f"{bridge}h1") == []
        other.drop(other.host("going", engine="missing"))
        directory = str(other.directory)
    assert traces_at_last(directory, bridge) == []


def test_the_others_answer_at_once_when_a_host_is_gone(lab: Lab) -> None:
    """A bridge's address is the lowest of its hosts' unless it has one of its own; they know it by heart."""
    with Lab() as other:
        hosts = other.hosts(["first", "second"], engine="missing")
        address = (Path("/sys/class/net") / other.bridge / "address").read_text()
        for host in hosts:
            assert f"lladdr {address.strip()}" in host.run(f"ip neighbour show {other.gateway}")
            other.drop(host).join()
            assert (Path("/sys/class/net") / other.bridge / "address").read_text() == address


def test_the_next_lab_clears_up_after_one_that_was_killed(lab: Lab) -> None:
    environment = {**os.environ, "MACHINE_TEST_LAB_CACHE": str(image.cache()), "TMPDIR": tempfile.gettempdir()}
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment)
    assert owner.stdout is not None
    directory, bridge = owner.stdout.readline().split()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert len(traces(directory, bridge)) >= 5
    sweep()  # as every new lab does
    assert traces_at_last(directory, bridge) == []
