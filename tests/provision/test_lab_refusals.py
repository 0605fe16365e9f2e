"""Real hosts that do not run our script: each cause is told from the others, and the script is never shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from machine.errors import ProvisionError
from machine.provision import gather, names_in_errors
from machine.provision.gather_script import GATHER_SCRIPT
from tests.labs.image import USER
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import shell

pytestmark = pytest.mark.lab

KEYS = f"/home/{USER}/.ssh/authorized_keys"
CASES = {
    "requiretty": (f"echo 'Defaults:{USER} requiretty' >/etc/sudoers.d/95-tty", "requiretty", "!requiretty"),
    "expired password": (f"chage -d 0 {USER}", f"password of {USER}", "chage -M -1"),
    "password for sudo": (
        f"rm /etc/sudoers.d/90-{USER}; echo '{USER} ALL=(ALL) ALL' >/etc/sudoers.d/90-{USER}",
        "cannot become root",
        f"echo '{USER} ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/{USER}",
    ),
    "no sudo": ("mv /usr/bin/sudo /usr/bin/sudo.away", "neither sudo nor doas", "log in as root"),
    "forced command": (
        f"sed -i 's/^ssh/command=\"echo for backups only\" ssh/' {KEYS}",
        "runs a command of its own",
        f"command=... from the key in ~{USER}/.ssh/authorized_keys",
    ),
    "nologin": (f"usermod -s /usr/sbin/nologin {USER}", "has no login shell", f"usermod -s /bin/sh {USER}"),
    "bashrc to cat": (f"sed -i '1i exec cat' /home/{USER}/.bashrc", "starts another program", "case $- in"),
    "bashrc to a note": (f"sed -i '1i exec echo hello' /home/{USER}/.bashrc", "", f"an exec in ~{USER}/.bashrc"),
    "bashrc to nothing": (f"sed -i '1i exec other' /home/{USER}/.bashrc", "starts another program", "case $- in"),
}


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    made = lab.host("refuses", engine="missing")
    made.run(f"touch /home/{USER}/.bashrc; chown {USER}: /home/{USER}/.bashrc")
    made.run(f"cp -a /home/{USER} /etc/sudoers.d /etc/passwd /etc/shadow /srv/ && mv /srv/{USER} /srv/home")
    yield made
    lab.drop(made)


@pytest.fixture
def restored(host: Host) -> Iterator[Host]:
    yield host
    host.run(
        f"rm -rf /home/{USER} /etc/sudoers.d; cp -a /srv/home /home/{USER}; cp -a /srv/sudoers.d /etc/;"
        " cp -a /srv/passwd /srv/shadow /etc/; [ ! -e /usr/bin/sudo.away ] || mv /usr/bin/sudo.away /usr/bin/sudo"
    )


@pytest.mark.parametrize("case", CASES)
def test_the_cause_and_its_cure_are_named(restored: Host, case: str) -> None:
    change, brief, cure = CASES[case]
    restored.run(change)
    named = names_in_errors("dev", USER, restored.address)
    with pytest.raises(ProvisionError) as caught, shell(restored, USER) as connection, named:
        gather(connection, lambda _: None)
    error = caught.value
    assert brief in error.brief
    assert cure in error.resolution
    said = f"{error.brief}\n{error.details}\n{error.resolution}"
    for line in GATHER_SCRIPT.script.splitlines():
        assert line.strip() not in said.splitlines() or not line.strip()
    assert "NAME" not in said
    assert len(error.details.splitlines()) <= 16
