"""What a droplet can have besides: volumes, reserved addresses, firewalls, keys; made, found again, and gone."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.base import AcceptsHostKey, Diagnosable, Driver, ProvidesSshKey
from machine.errors import DriverError, InProgress
from machine.model import State, Verb
from tests.drivers import fake_cloud_init
from tests.drivers.cloud_stand_in import again, make, new, unmake, wait_for_state
from tests.drivers.commands import line, running
from tests.drivers.digitalocean.account import Account
from tests.drivers.digitalocean.fake_digitalocean import Ocean
from tests.drivers.digitalocean.server import Server
from tests.drivers.fault_proxy import before_answer, drop_answer
from tests.program import Program
from tests.sshd import keygen


def machine(cloud: Ocean, place: Path, **given: Any) -> Driver:
    """A driver with these flags."""
    return new(cloud, place, **{f"digitalocean-{name.replace('_', '-')}": value for name, value in given.items()})


def address(driver: Driver) -> str:
    """Its address once it has one."""
    for _ in range(200):
        if (endpoint := driver.endpoint()) is not None:
            return endpoint.address
    raise AssertionError("no address")


def only(things: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """The one there is."""
    (thing,) = things.values()
    return thing


def test_a_droplet_is_what_was_asked_for(cloud: Ocean, tmp_path: Path) -> None:
    driver = make(machine(cloud, tmp_path, tags="web,blue", ipv6=True, monitoring=True, region="fra1"))
    droplet = only(cloud.account.droplets)
    assert droplet["tags"] == [f"machine-id:{driver.ctx.machine_id}", "web", "blue"]
    assert droplet["features"] == ["ipv6", "monitoring"]
    assert droplet["region"]["slug"] == "fra1"
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert [n["ip_address"] for n in droplet["networks"]["v4"]] == [endpoint.peer_address, endpoint.address]


def test_the_private_address(cloud: Ocean, tmp_path: Path) -> None:
    driver = make(machine(cloud, tmp_path, use_private_address=True, vpc_uuid=next(iter(cloud.account.vpcs))))
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert endpoint.address == endpoint.peer_address
    assert endpoint.address.startswith("10.100.")


def test_the_firewall_selects_the_droplet_from_its_first_moment(cloud: Ocean, tmp_path: Path) -> None:
    driver = machine(cloud, tmp_path, open_port=["80"], allow_from=["203.0.113.0/24"])
    make(driver)
    walls = cloud.account.walls_of(only(cloud.account.droplets))
    assert [wall["name"] for wall in walls] == [driver.dump()["FirewallName"]]
    assert {rule["ports"] for rule in walls[0]["inbound_rules"]} == {"22", "80", "2376"}
    assert walls[0]["inbound_rules"][0]["sources"]["addresses"] == ["203.0.113.0/24", "10.100.0.0/20"]
    names = cloud.proxy.names()
    assert names.index("POST /v2/firewalls") < names.index("POST /v2/droplets")
    assert isinstance(driver, Diagnosable)
    assert "from 10.100.0.0/20, 203.0.113.0/24 only" in driver.explain()


def test_no_firewall(cloud: Ocean, tmp_path: Path) -> None:
    driver = make(machine(cloud, tmp_path, firewall=["none"]))
    assert cloud.account.firewalls == {}
    assert isinstance(driver, Diagnosable)
    assert driver.explain() == ""
    unmake(driver)


def theirs(account: Account, name: str, *tags: str) -> str:
    """A firewall that somebody else made; its id."""
    account.tags |= set(tags)
    rule = {"protocol": "tcp", "ports": "443", "sources": {"addresses": ["0.0.0.0/0"]}}
    return str(account.make_firewall({"name": name, "tags": list(tags), "inbound_rules": [rule]})["id"])


def test_joining_firewalls_leaves_them_as_they_were(cloud: Ocean, tmp_path: Path) -> None:
    tagged, bare = theirs(cloud.account, "web", "web"), theirs(cloud.account, "bare")
    before = cloud.listing()
    first, second = (make(machine(cloud, tmp_path / name, firewall=["web", bare])) for name in ("a", "b"))
    for droplet in cloud.account.droplets.values():
        assert {wall["id"] for wall in cloud.account.walls_of(droplet)} == {tagged, bare}
    assert len(cloud.account.firewalls) == 2
    assert isinstance(first, Diagnosable)
    assert "no rule of its firewalls (web, bare) lets port 22 in" in first.explain()
    unmake(again(first))
    assert {wall["id"] for wall in cloud.account.walls_of(only(cloud.account.droplets))} == {tagged, bare}
    unmake(again(second))
    assert cloud.listing() == before


def test_what_joined_firewalls_keep_out_is_said(cloud: Ocean, tmp_path: Path) -> None:
    """Before anything is made; another firewall that the machine's tags bring counts too."""
    said: list[str] = []

    def looked(**given: Any) -> list[str]:
        driver = machine(cloud, tmp_path, firewall=["web"], **given)
        driver.ctx = dataclasses.replace(driver.ctx, log=said.append, cluster_ports=(3376, 2377, 7946, 4789))
        said.clear()
        driver.check()
        return said

    web = cloud.account.firewalls[theirs(cloud.account, "web", "web")]
    begins = "no rule of the firewalls web lets port"
    swarm = [f"{begins} {port} in: the swarm needs it" for port in ("3376/tcp", "2377/tcp", "7946/tcp", "7946/udp")]
    swarm.append(f"{begins} 4789/udp in: the swarm needs it")
    docker = f"{begins} 2376 in from here: Docker needs it"
    assert looked() == [f"{begins} 22 in from here: ssh needs it", docker, *swarm]
    assert looked(ssh_port=2222)[0] == f"{begins} 2222 in from here: ssh needs it"
    assert looked(ssh_port=443) == [docker, *swarm]
    web["inbound_rules"] = [
        {"protocol": "tcp", "ports": "1-2376", "sources": {"tags": ["web"]}},
        {"protocol": "udp", "ports": "0", "sources": {"tags": ["web"]}},
        {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["203.0.113.0/24"]}},
    ]
    assert looked() == [docker, *swarm[:3]], "machines with that tag get in, this one here does not"
    everything = [
        {"protocol": protocol, "ports": "0", "sources": {"addresses": ["::/0"]}} for protocol in ("tcp", "udp")
    ]
    cloud.account.tags.add("blue")
    cloud.account.make_firewall({"name": "blue", "tags": ["blue"], "inbound_rules": everything})
    assert looked() == [docker, *swarm[:3]], "of others' tags"
    assert looked(tags="green,blue") == []
    assert cloud.machines() == 0


def test_a_volume_goes_with_the_machine_and_one_of_the_users_stays(cloud: Ocean, tmp_path: Path) -> None:
    mine = cloud.account.make_volume({"name": "mine", "size_gigabytes": 5, "region": "nyc3"})["id"]
    before = cloud.listing()
    cloud.account.let_go = 1.0
    driver = make(machine(cloud, tmp_path, volume=["mine"], volume_size=10))
    assert len(cloud.account.volumes) == 2
    assert all(volume["droplet_ids"] for volume in cloud.account.volumes.values())
    with pytest.raises(InProgress) as caught:
        again(driver).remove()
    assert "attached" in caught.value.details
    assert caught.value.resolution
    unmake(again(driver))
    assert cloud.listing() == before
    assert mine in cloud.account.volumes


def test_a_new_reserved_address(cloud: Ocean, tmp_path: Path) -> None:
    before = cloud.listing()
    driver = make(machine(cloud, tmp_path, reserved_ip="new"))
    found = address(driver)
    assert list(cloud.account.reserved) == [found]
    assert driver.endpoint() == again(driver).endpoint()
    unmake(again(driver))
    assert cloud.listing() == before


@pytest.mark.parametrize("silence", [False, True])
def test_a_reserved_address_whose_answer_was_lost_is_found(cloud: Ocean, silence: bool, tmp_path: Path) -> None:
    """The repetition is refused, for the droplet has one now; or the program was killed and `rm` comes."""
    before = cloud.listing()
    cloud.proxy.on("POST /v2/reserved_ips", drop_answer, times=1)
    driver = make(machine(cloud, tmp_path, reserved_ip="new", retry_seconds=0 if silence else 30))
    assert address(driver) in cloud.account.reserved
    unmake(again(driver))
    assert cloud.listing() == before


def test_a_kill_before_the_address_was_saved(cloud: Ocean, tmp_path: Path) -> None:
    before = cloud.listing()
    driver = make(machine(cloud, tmp_path, reserved_ip="new"))
    assert address(driver) in cloud.account.reserved
    saved: list[dict[str, Any]] = driver.saved  # type: ignore[attr-defined]  # by `new`
    killed = type(driver).load(driver.ctx, [dump for dump in saved if not dump.get("ReservedAddress")][-1])
    assert not killed.dump().get("ReservedAddress")
    unmake(killed)
    assert cloud.listing() == before


@pytest.mark.parametrize("given", [False, True])
def test_killed_when_the_address_was_reserved_or_assigned(cloud: Ocean, given: bool, tmp_path: Path) -> None:
    """As by kill -9 in the moment when DigitalOcean has done it and the record does not say so; `rm` then."""
    wanted = str(cloud.account.make_reserved({"region": "nyc3"})["ip"]) if given else "new"
    before = cloud.listing()
    program = Program(tmp_path)
    box: list[subprocess.Popen[str]] = []
    call = "POST /v2/reserved_ips/ID/actions" if given else "POST /v2/reserved_ips"
    cloud.proxy.on(call, before_answer(lambda: os.kill(box[0].pid, signal.SIGKILL)), times=1)
    with running(cloud, program, [*line(cloud)[:-1], f"--digitalocean-reserved-ip={wanted}", "dev"]) as process:
        box.append(process)
        _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    (address,) = cloud.account.reserved.values()
    assert address["droplet"] is only(cloud.account.droplets)
    assert address["ip"] not in "".join(path.read_text() for path in program.store.rglob("config.json")) or given
    program("rm", "-y", "dev", environ=cloud.credentials()).fine()
    assert cloud.listing() == before
    assert program.names() == []
    assert all(one["droplet"] is None for one in cloud.account.reserved.values())


def test_an_address_that_was_reserved_before(cloud: Ocean, tmp_path: Path) -> None:
    kept = cloud.account.make_reserved({"region": "nyc3"})["ip"]
    before = cloud.listing()
    driver = make(machine(cloud, tmp_path, reserved_ip=kept))
    assert address(driver) == kept
    unmake(again(driver))
    assert cloud.listing() == before
    assert only(cloud.account.reserved)["droplet"] is None


def test_a_key_that_the_account_had_stays(cloud: Ocean, tmp_path: Path) -> None:
    key = keygen(tmp_path / "own" / "id")
    public = Path(f"{key}.pub").read_text().strip()
    known = cloud.account.make_key({"name": "laptop", "public_key": public})
    before = cloud.listing()
    driver = make(machine(cloud, tmp_path, ssh_key_fingerprint=known["fingerprint"], ssh_key_path=str(key)))
    assert isinstance(driver, ProvidesSshKey)
    assert driver.key_path() == str(key)
    unmake(again(driver))
    assert cloud.listing() == before


def test_a_key_of_the_users_own_that_the_account_has_under_another_name(cloud: Ocean, tmp_path: Path) -> None:
    driver = machine(cloud, tmp_path)
    cloud.account.make_key({"name": "laptop", "public_key": driver.ctx.public_key})
    before = cloud.listing()
    make(driver)
    unmake(again(driver))
    assert cloud.listing() == before


def test_cloud_init_is_told_the_host_key_and_what_the_user_says(cloud: Ocean, tmp_path: Path) -> None:
    user_data = tmp_path / "user-data"
    user_data.write_text("#!/bin/sh\ntouch /srv/told\n")
    driver = machine(cloud, tmp_path, userdata=str(user_data))
    assert isinstance(driver, AcceptsHostKey)
    driver.give_host_key("the private half", "ssh-ed25519 AAAA")
    make(driver)
    (told,) = cloud.account.user_data.values()
    assert fake_cloud_init.config(told)["ssh_keys"] == {
        "ed25519_private": "the private half",
        "ed25519_public": "ssh-ed25519 AAAA",
    }
    assert "text/x-shellscript" in [kind for kind, _ in fake_cloud_init.parts(told)]


def test_every_page_of_a_list_is_read(cloud: Ocean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "largest_page", 1)
    before = cloud.listing()
    for number in range(3):
        cloud.account.make_key({"name": f"k{number}", "public_key": f"ssh-ed25519 A{number}"})
    listed = cloud.listing()
    driver = make(machine(cloud, tmp_path, region="fra1"))
    assert driver.dump()["SSHKeyID"]
    unmake(again(driver))
    assert cloud.listing() == listed != before


def test_a_record_of_docker_machine(cloud: Ocean, tmp_path: Path) -> None:
    """Its droplet has no tag of ours and its key another name; rm removes both."""
    before = cloud.listing()
    key = cloud.account.make_key({"name": "old", "public_key": "ssh-rsa AAAA"})
    body = {"name": "old", "region": "nyc3", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "ssh_keys": [key["id"]]}
    droplet = cloud.account.make_droplet(body)
    record = {
        "DropletID": droplet["id"],
        "DropletName": "old",
        "SSHKeyID": key["id"],
        "SSHKeyFingerprint": "",
        "SSHKey": "",
        "SSHUser": "root",
        "SSHPort": 22,
        "Region": "nyc3",
        "AccessToken": cloud.secrets[0],
        "Endpoint": cloud.proxy.url,  # the one key that docker-machine has not
    }
    ctx = machine(cloud, tmp_path).ctx
    from machine.drivers.digitalocean.driver import DigitalOceanDriver

    driver = DigitalOceanDriver.load(ctx, record)
    wait_for_state(driver, State.RUNNING)
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert endpoint.address == droplet["networks"]["v4"][1]["ip_address"]
    unmake(driver)
    assert cloud.listing() == before


def test_a_stopped_half_made_machine_is_started_by_a_second_create(cloud: Ocean, tmp_path: Path) -> None:
    driver = make(machine(cloud, tmp_path))
    cloud.account.droplets[driver.dump()["DropletID"]]["status"] = "off"
    again(driver).create()
    wait_for_state(driver, State.RUNNING)
    assert cloud.machines() == 1


def test_a_droplet_that_is_being_switched_on_is_not_stopped(cloud: Ocean, tmp_path: Path) -> None:
    """DigitalOcean calls it off until it is on; whoever waits for it must not give up."""
    driver = make(machine(cloud, tmp_path))
    driver.power(Verb.STOP)
    wait_for_state(driver, State.STOPPED)
    cloud.account.boot = 3600
    driver.power(Verb.START)
    assert driver.state() is State.STARTING
    assert again(driver).state() is State.STOPPED, "another process cannot know"
    cloud.account.ready[driver.dump()["DropletID"]] = (time.monotonic(), "active")
    wait_for_state(driver, State.RUNNING)


def test_a_broken_answer_to_the_one_call_that_must_not_come_twice(cloud: Ocean, tmp_path: Path) -> None:
    """Done, but the answer was an error: it is looked for before it is asked for again."""
    from tests.drivers.fault_proxy import Answer, Call, FaultProxy

    def done_and_denied(proxy: FaultProxy, call: Call) -> Answer:
        proxy.forward(call)
        return cloud.broken

    cloud.proxy.on(cloud.making, done_and_denied, times=1)
    driver = make(machine(cloud, tmp_path))
    assert cloud.machines() == 1
    assert cloud.proxy.names().count(cloud.making) == 1
    assert driver.dump()["DropletID"] in cloud.account.droplets


def test_too_slow_an_answer_to_that_call(cloud: Ocean, tmp_path: Path) -> None:
    """It may still be made a moment later, so it is not asked for again; `rm` finds what came of it."""
    from tests.drivers.fault_proxy import hang

    driver = machine(cloud, tmp_path, api_timeout=1)
    driver.check()
    driver.ctx.save(driver)
    cloud.proxy.on(cloud.making, hang)
    with pytest.raises(DriverError) as caught:
        driver.create()
    assert type(caught.value).__name__ == "ApiTimeout"
    assert cloud.proxy.names().count(cloud.making) == 1
    cloud.proxy.clear()
    again(driver).create()
    assert cloud.machines() == 1


def test_the_judge_can_say_no(cloud: Ocean) -> None:
    """What the description forbids is refused and counted, in requests as in answers."""
    headers = {"Authorization": f"Bearer {cloud.secrets[0]}", "Content-Type": "application/json"}
    good = {"name": "dev", "region": "nyc3", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}
    for number, bad in enumerate(({**good, "user_data": None}, {**good, "image": None}, {"region": "nyc3"}), 1):
        status, *_ = cloud.server.answer("POST", "/v2/droplets", headers, json.dumps(bad).encode())
        assert status == 400
        assert len(cloud.server.wrong) == number
    cloud.account.limit = "many"  # type: ignore[assignment]  # what the description forbids
    cloud.server.answer("GET", "/v2/account", headers, b"")
    assert len(cloud.server.wrong) == 4
    cloud.server.answer("GET", "/v2/nonsense", headers, b"")
    assert len(cloud.server.wrong) == 5
    cloud.server.wrong.clear()
