"""Driver openstack on a real OpenStack: a VM is made, becomes a Docker host, and nothing is left of it.

Takes minutes and gigabytes, so it has to be asked for: see tests/labs/openstack/fixtures.py.
"""

from __future__ import annotations

import calendar
import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.drivers.cloud import errors
from machine.drivers.openstack.driver import OpenStackDriver
from tests.drivers.cloud_contract import CloudContract
from tests.drivers.cloud_stand_in import again, make, new, unmake
from tests.drivers.openstack.real import Real
from tests.labs.openstack.api import Refused
from tests.labs.openstack.cloud import Cloud
from tests.labs.openstack.fixtures import openstack
from tests.program import Program

__all__ = ["openstack"]

pytestmark = pytest.mark.vm


@pytest.fixture
def cloud(openstack: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Real]:
    """The project `demo` behind a fault proxy."""
    found = Real(openstack)
    monkeypatch.setenv("http_proxy", found.proxy.url)
    monkeypatch.setenv("no_proxy", "")
    yield found
    found.close()


def typed(cloud: Real, *more: str) -> list[str]:
    """`create` of a machine that a whole Debian fits into; Docker is in the image, for there is no Internet."""
    options = {**cloud.options(), "openstack-flavor-name": cloud.lab.flavor}
    return ["create", "-d", "openstack", *(f"--{name}={value}" for name, value in options.items()), *more, "dev"]


def until_ssh(cloud: Real, program: Program) -> float:
    """When (monotonic seconds) an sshd first answered at the address of the program's machine."""
    while True:
        found = re.search(r'"FloatingIp": "([0-9.]+)"', _read(program.store / "machines/dev/config.json"))
        if found:
            try:
                with socket.create_connection((found[1], 22), 1) as link:
                    link.settimeout(5)
                    if link.recv(4) == b"SSH-":
                        return time.monotonic()
            except OSError:
                pass
        time.sleep(0.1)


def logged_in(program: Program) -> float:
    """When (Unix time, whole seconds) `create` began to look at the machine from within."""
    log = (program.store / "machines/dev/machine.log").read_text()
    (stamp,) = re.findall(r"(?m)^(\S+Z) step +Gathering facts about the machine$", log)
    return float(calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_from_nothing_to_a_container_and_back(cloud: Real, tmp_path: Path) -> None:
    """On a network of the project's own, reached by a floating address."""
    from threading import Thread

    program, environ, before = Program(tmp_path / "p"), cloud.credentials(), cloud.listing()
    began, up = time.monotonic(), [0.0]
    watch = Thread(target=lambda: up.insert(0, until_ssh(cloud, program)), daemon=True)
    watch.start()
    program(*typed(cloud), environ=environ, timeout=580).fine()
    ready = time.monotonic()
    watch.join(10)
    calls = len(cloud.proxy.names())
    within = logged_in(program) - (time.time() - time.monotonic() + up[0])
    print(f"\nssh after {up[0] - began:.1f} s, logged in {within:.0f} s later, ready {ready - up[0]:.1f} s later")
    print(f"{calls} calls of the API")
    address = program("ip", "dev").fine().out.strip()
    assert cloud.member.get("network", f"/floatingips?floating_ip_address={address}")["floatingips"]
    assert program("status", "dev", environ=environ).fine().out.strip() == "Running"
    assert program("ssh", "dev", "whoami").fine().out.strip() == "debian"
    said = program.shell('eval "$(machine env dev)"; docker version --format "{{.Server.Os}}"').fine()
    assert said.out.strip() == "linux"
    began = time.monotonic()
    program("stop", "dev", environ=environ).fine()
    assert program("status", "dev", environ=environ).fine().out.strip() == "Stopped"
    program("start", "dev", environ=environ).fine()
    program("config", "dev").fine()
    print(f"stop and start took {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    program("rm", "-y", "dev", environ=environ).fine()
    print(f"rm took {time.monotonic() - began:.1f} s")
    assert cloud.listing() == before
    assert program.names() == []


def test_a_closed_group_is_named_and_resume_goes_on(cloud: Real, tmp_path: Path) -> None:
    """docker-machine waits for six minutes without a word."""
    program, environ, before = Program(tmp_path / "p"), cloud.credentials(), cloud.listing()
    direct = ["--openstack-net-name=public", "--openstack-floatingip-pool="]
    closed = ["--openstack-sec-groups=default", "--openstack-active-timeout=90"]
    rules: list[str] = []
    try:
        failed = program(*typed(cloud, *direct, *closed), environ=environ, timeout=580)
        assert failed.status == 1
        assert "no rule of its security groups (default) lets port 22 in from here" in failed.err
        assert "its state is ACTIVE" in failed.err
        assert "the end of its console:" in failed.err
        rules = cloud.open(22, 2376)
        program("create", "--resume", "dev", environ=environ, timeout=580).fine()
        program("config", "dev").fine()
        program("rm", "-y", "dev", environ=environ).fine()
    finally:
        cloud.shut(rules)
    assert cloud.listing() == before


def test_ways_to_log_in(cloud: Real, tmp_path: Path) -> None:
    """A v2.0 URL of a Keystone that has v3; a token; an application credential, until it is revoked."""

    def project(**flags: str) -> str:
        driver = new(cloud, tmp_path, **{f"openstack-{flag.replace('_', '-')}": value for flag, value in flags.items()})
        assert isinstance(driver, OpenStackDriver)
        return driver.api.log_in()

    driver = new(cloud, tmp_path, **{"openstack-auth-url": cloud.lab.auth_url.removesuffix("v3") + "v2.0"})
    assert isinstance(driver, OpenStackDriver)
    found = driver.api.log_in()
    link = driver.api.cloud()
    assert project(username="", password="", token=link.session.get_token()) == found
    made = link.identity.create_application_credential(user=link.current_user_id, name="machine")
    given = {"application_credential_id": made.id, "application_credential_secret": made.secret}
    try:
        assert project(username="", project_name="", **given) == found
    finally:
        link.identity.delete_application_credential(link.current_user_id, made.id)
    for wrong in ({"username": "", "project_name": "", **given}, {"password": "wrong"}, {"project_name": "admin"}):
        with pytest.raises(errors.BadCredentials):
            project(**wrong)


def test_what_is_not_there(cloud: Real, tmp_path: Path) -> None:
    """The real sentences."""
    for flag, kind in (("image-name", errors.BadImage), ("sec-groups", errors.BadFirewall)):
        with pytest.raises(kind) as caught:
            new(cloud, tmp_path, **{f"openstack-{flag}": "none-such"}).check()
        assert f"--openstack-{flag}" in caught.value.resolution
    with pytest.raises(errors.BadNetwork) as caught:
        new(cloud, tmp_path, **{"openstack-net-name": ""}).check()
    assert "private, public" in caught.value.details


def test_a_server_deleted_elsewhere_takes_its_address_and_key_along(cloud: Real, tmp_path: Path) -> None:
    before = cloud.listing()
    driver = make(new(cloud, tmp_path))
    cloud.lose_servers()
    assert cloud.listing() != before
    unmake(again(driver))
    assert cloud.listing() == before


def until_gone(cloud: Real, network: str) -> None:
    """Neutron may sit on the first request for longer than a client waits."""
    for _ in range(5):
        with contextlib.suppress(TimeoutError, Refused):
            cloud.member.delete("network", f"/networks/{network}")
        if all(one["id"] != network for one in cloud.member.get("network", "/networks")["networks"]):
            return
        time.sleep(2)
    raise AssertionError(f"the network {network} stays")


@pytest.fixture
def open_network(cloud: Real) -> Iterator[str]:
    """A network of the project's own on which ports have no security groups."""
    body = {"name": "unguarded", "port_security_enabled": False}
    network = str(cloud.member.post("network", "/networks", {"network": body})["network"]["id"])
    try:
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.214.3.0/24"}
        cloud.member.post("network", "/subnets", {"subnet": subnet})
        yield "unguarded"
    finally:
        until_gone(cloud, network)


def test_a_network_without_port_security(cloud: Real, open_network: str, tmp_path: Path) -> None:
    before = cloud.listing()
    flags = {"openstack-net-name": open_network, "openstack-floatingip-pool": ""}
    with pytest.raises(errors.BadNetwork, match="has no port security"):
        new(cloud, tmp_path, **flags, **{"openstack-sec-groups": "default"}).check()
    driver = make(new(cloud, tmp_path, **flags))
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert endpoint.address.startswith("10.214.3.")
    assert isinstance(driver, OpenStackDriver)
    assert driver.explain() == "its state is ACTIVE"
    unmake(again(driver))
    assert cloud.listing() == before


class TestContract:
    """What the stand-in was held to, where servers take their time."""

    test_killed = CloudContract.test_kill_9_after_every_call_leaves_nothing
    test_forgotten = CloudContract.test_a_machine_that_the_cloud_lost
    test_swarm = CloudContract.test_the_swarm_gets_in_where_a_machine_has_a_part_in_it
