"""What the contract suite needs to let a driver make a real machine: one function per driver.

`ARRANGEMENTS[name](directory)` gives the option values of a machine that can really be made here, inside a
`with` block that takes away whatever the platform's stand-in needs. A driver without an entry is only held to the
rules that need no machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.drivers.amazonec2.moto import KEYS, REGION, Moto
from tests.drivers.virtualbox.fake_vboxmanage import Fake
from tests.drivers.virtualbox.paths import bootable
from tests.sshd import Sshd


@contextmanager
def azure(directory: Path) -> Iterator[Mapping[str, Any]]:
    """A subscription of the fake Resource Manager."""
    from tests.drivers.azure.arm import Arm
    from tests.drivers.azure.cloud import Azure, pki

    arm = Arm(quick=True)
    cloud = Azure(arm, pki(directory))
    try:
        yield {**cloud.options(), "azure-client-secret": cloud.secrets[0]}
    finally:
        cloud.proxy.close()
        arm.stop()


@contextmanager
def digitalocean(directory: Path) -> Iterator[Mapping[str, Any]]:
    """An account behind DigitalOcean's own description, where a droplet runs as soon as it is made."""
    from tests.drivers.digitalocean.fake_digitalocean import Ocean

    cloud = Ocean(boot=0)
    try:
        yield {**cloud.options(), "digitalocean-access-token": cloud.secrets[0]}
    finally:
        cloud.close()


@contextmanager
def generic(directory: Path) -> Iterator[Mapping[str, Any]]:
    """A real sshd on this machine."""
    host = Sshd(directory)
    try:
        yield {
            "generic-ip-address": host.address,
            "generic-ssh-port": host.port,
            "generic-ssh-user": host.user,
            "generic-ssh-key": str(host.key),
        }
    finally:
        host.stop()


@contextmanager
def hetzner(directory: Path) -> Iterator[Mapping[str, Any]]:
    """A project in memory, where a server runs as soon as it is made and is gone as soon as it is removed."""
    from tests.drivers.hetzner.fake_hetzner import Hetzner

    cloud = Hetzner(boot=0, let_go=0)
    try:
        yield {**cloud.options(), "hetzner-api-token": cloud.secrets[0]}
    finally:
        cloud.close()


@contextmanager
def none(directory: Path) -> Iterator[Mapping[str, Any]]:
    """An address is all there is."""
    yield {"url": "tcp://127.0.0.1:2376"}


@contextmanager
def openstack(directory: Path) -> Iterator[Mapping[str, Any]]:
    """A project in memory, where a server is up as soon as it is asked for."""
    from tests.drivers.openstack.fake_openstack import Stack

    cloud = Stack(build=0, power=0, end=0)
    try:
        yield {**cloud.options(), "openstack-password": cloud.secrets[0]}
    finally:
        cloud.close()


@contextmanager
def amazonec2(directory: Path) -> Iterator[Mapping[str, Any]]:
    """moto_server."""
    account = Moto(directory)
    try:
        yield {
            "amazonec2-endpoint": account.url,
            "amazonec2-region": REGION,
            "amazonec2-access-key": KEYS[0],
            "amazonec2-secret-key": KEYS[1],
        }
    finally:
        account.stop()


@contextmanager
def virtualbox(directory: Path) -> Iterator[Mapping[str, Any]]:
    """A VBoxManage that keeps state and answers as the real one was recorded; nothing boots behind it."""
    fake = Fake(directory / "virtualbox")
    yield {
        "virtualbox-program": fake.script(directory / "VBoxManage"),
        "virtualbox-image": bootable(directory / "boot.img"),
        "virtualbox-no-share": True,
    }


ARRANGEMENTS: dict[str, Callable[[Path], AbstractContextManager[Mapping[str, Any]]]] = {
    "amazonec2": amazonec2,
    "azure": azure,
    "digitalocean": digitalocean,
    "generic": generic,
    "hetzner": hetzner,
    "none": none,
    "openstack": openstack,
    "virtualbox": virtualbox,
}
