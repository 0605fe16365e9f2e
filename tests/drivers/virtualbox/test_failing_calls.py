"""VBoxManage that fails, is killed, hangs or is not there, at whatever call: nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.virtualbox import errors
from machine.errors import DriverError, InProgress, PreflightFailed
from machine.model import State
from machine.process import Completed
from tests.drivers.virtualbox import paths
from tests.drivers.virtualbox.fake_vboxmanage import Fake

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def killed_after(tmp_path: Path, vbox: Fake, number: int) -> bool:
    """Whether a create that is killed the moment its call `number` is done was killed at all."""

    def run(argv: list[str], **how: Any) -> Completed:
        done = vbox.run(argv, **how)
        if len(vbox.calls()) >= number:
            os._exit(9)  # as a kill -9: no handler runs
        return done

    child = os.fork()
    if not child:
        try:
            paths.driver(tmp_path, run, no_share=False, share_folder=f"{tmp_path}:data").create()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("then", ["remove", "create"])
def test_killed_after_every_call(tmp_path: Path, then: str) -> None:
    number, killed = 0, True
    while killed:
        number += 1
        here = tmp_path / str(number)
        vbox = Fake(here / "virtualbox")
        shared = vbox.run(["VBoxManage", "hostonlyif", "create"])
        assert shared.status == 0, "an interface of somebody else's, to be left alone"
        before = vbox.listing()
        killed = killed_after(here, vbox, number + 1)
        again = paths.driver(here, vbox.run)
        if then == "create":
            again.create()
            assert again.state() is State.RUNNING
            after = vbox.listing()
            assert len(after["vms"]) == 1
            assert len(after["interfaces"]) == 2
            assert after["media"] == []
        again.remove()
        after = vbox.listing()
        interfaces = after.pop("interfaces")
        assert {**after, "interfaces": before["interfaces"]} == before, f"after call {number}"
        assert set(interfaces) - set(before["interfaces"]) <= {"vboxnet1"}
        assert all(
            address == ["192.168.59.1", "255.255.255.0"] for name, address in interfaces.items() if name != "vboxnet0"
        )
        assert paths.files(here) == [], f"after call {number}"
    assert number > 20


REFUSAL = (
    "VBoxManage: error: Code E_FAIL (0x80004005) - Unspecified error (extended info not available)\n"
    'VBoxManage: error: Context: "RunTheCall()" at line 1 of file VBoxManage.cpp\n'
)


def refused_at(vbox: Fake, number: int) -> Any:
    """A VBoxManage that fails at its call `number`, once, and has then not done it."""
    seen = iter(range(1, 10**6))

    def run(argv: list[str], **how: Any) -> Completed:
        return Completed(1, "", REFUSAL) if next(seen) == number else vbox.run(argv, **how)

    return run


def test_every_call_may_fail_once(tmp_path: Path) -> None:
    """It is an error with advice, a second create finishes the machine, and nothing is left of it in the end."""
    number, failed = 0, True
    while failed:
        number += 1
        here = tmp_path / str(number)
        vbox = Fake(here / "virtualbox")
        before = vbox.listing()
        made = paths.driver(here, refused_at(vbox, number), no_share=False, share_folder=f"{tmp_path}:data")
        try:
            made.create()
            failed = False
        except DriverError as error:
            assert error.resolution
            assert "E_FAIL" in error.details
            assert number != 1 or vbox.listing() == before
        again = paths.driver(here, vbox.run)
        again.create()
        assert again.state() is State.RUNNING, f"call {number}"
        after = vbox.listing()
        assert (len(after["vms"]), len(after["interfaces"]), after["media"]) == (1, 1, []), f"call {number}"
        again.remove()
        assert {**vbox.listing(), "interfaces": {}} == before, f"call {number}"
        assert paths.files(here) == [], f"call {number}"
    assert number > 20


def test_an_interface_that_may_not_have_the_address_is_not_left(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run, hostonly_cidr="192.168.99.1/24")
    with pytest.raises(errors.AddressForbidden) as caught:
        made.create()
    assert "192.168.99.0/24" in caught.value.resolution
    assert "networks.conf" in caught.value.resolution
    assert vbox.listing()["interfaces"] == {}
    made.remove()


def test_a_lock_that_is_still_held(tmp_path: Path, vbox: Fake) -> None:
    made = paths.driver(tmp_path, vbox.run)
    made.create()
    vbox.held.add("dev")
    with pytest.raises(InProgress):
        made.remove()
    assert made.state() is State.STOPPED
    made.remove()
    assert made.state() is State.MISSING


def test_calls_take_turns(tmp_path: Path, vbox: Fake) -> None:
    """Four creates at once: never two calls of VirtualBox at a time, but for the copying of disks."""
    import threading
    import time

    inside, most = [0], [0]

    def run(argv: list[str], **how: Any) -> Completed:
        if argv[1] == "convertfromraw":
            return vbox.run(argv, **how)
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.001)
        try:
            return vbox.run(argv, **how)
        finally:
            inside[0] -= 1

    made = [paths.driver(tmp_path, run, name=f"m{number}") for number in range(4)]
    threads = [threading.Thread(target=each.create) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert len(vbox.listing()["interfaces"]) == 1
    assert len({each.data["IPAddress"] for each in made}) == 4
    assert {vm["state"] for vm in vbox.listing()["vms"].values()} == {"running"}


def test_a_program_that_never_answers(tmp_path: Path) -> None:
    from machine import process

    silent = tmp_path / "VBoxManage"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    made = paths.driver(tmp_path, lambda argv, **how: process.run(argv, timeout=0.3, check=False), program=str(silent))
    (tmp_path / "dev.json").write_text(
        json.dumps({**made.dump(), "Boot2DockerURL": "x", "HostOnlyNetwork": "vboxnet0"})
    )
    leased = paths.driver(tmp_path, made.ctx.run)
    for ask in (made.state, made.check, made.create, leased.endpoint):
        with pytest.raises(errors.NoAnswer, match=r"VBoxManage .* does not answer") as caught:
            ask()
        assert "did not end within 0.3 s" in caught.value.details
        assert "VBoxSVC" in caught.value.resolution
        assert isinstance(caught.value, PreflightFailed) is (ask == made.check)


def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    from machine import process

    broken = tmp_path / "VBoxManage"
    broken.write_bytes(b"\x7fELF of another processor")
    broken.chmod(0o755)
    made = paths.driver(tmp_path, process.run, program=str(broken))
    with pytest.raises(errors.NotInstalled, match="cannot be run") as caught:
        made.state()
    assert "--virtualbox-program" in caught.value.resolution
