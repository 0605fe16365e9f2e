"""What driver openstack makes of the wishes for a machine, and what goes with it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.base import Driver
from machine.drivers.cloud import errors
from machine.drivers.openstack import addresses
from machine.drivers.openstack.driver import OpenStackDriver
from machine.errors import InProgress
from machine.model import Endpoint, State, Verb
from tests.drivers.cloud_stand_in import again, create_until_done, make, new, refused, unmake, wait_for_state
from tests.drivers.commands import line, running
from tests.drivers.fault_proxy import Answer, Call, FaultProxy, before_answer, reply_with
from tests.drivers.openstack.fake_openstack import Stack, refusal
from tests.drivers.openstack.server import PROJECT
from tests.program import Program


def test_what_security_groups_say(cloud: Stack, tmp_path: Path) -> None:
    said: list[str] = []
    driver = new(cloud, tmp_path, **{"openstack-sec-groups": "default"})
    driver.ctx = replace(driver.ctx, log=said.append)
    make(driver)
    assert [line for line in said if "lets port 22 in" in line]
    assert isinstance(driver, OpenStackDriver)
    assert driver.explain() == (
        "its state is ACTIVE; no rule of its security groups (default) lets port 22 in from here, nor 2376;"
        " `openstack security group rule create --protocol tcp --dst-port 22 default` and"
        " `openstack security group rule create --protocol tcp --dst-port 2376 default` would"
    )
    (default,) = [group for group in cloud.project.groups.values() if group["name"] == "default"]
    rule = {"security_group_id": default["id"], "protocol": "tcp", "port_range_min": 1, "port_range_max": 1000}
    (made,) = cloud.project.make_rules([{**rule, "remote_ip_prefix": "203.0.113.0/24"}])
    assert "let port 22 in from 203.0.113.0/24 only" in driver.explain()
    made["remote_ip_prefix"] = None
    assert driver.explain() == "its state is ACTIVE"
    assert "login:" in driver.console_log()
    driver.power(Verb.STOP)
    wait_for_state(driver, State.STOPPED)
    assert driver.explain() == "its state is SHUTOFF"
    unmake(driver)


def test_a_port_without_a_guard_keeps_nobody_out(cloud: Stack, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path, **{"openstack-sec-groups": "default"}))
    (port,) = cloud.project.ports.values()
    port |= {"security_groups": [], "port_security_enabled": False}
    assert isinstance(driver, OpenStackDriver)
    assert driver.explain() == "its state is ACTIVE"
    unmake(driver)


def test_the_rule_that_would_let_ipv6_in(cloud: Stack, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path, **{"openstack-sec-groups": "default"}))
    (server,) = cloud.project.servers.values()
    assert isinstance(driver, OpenStackDriver)
    said = addresses.ingress_problem(driver.api, server, Endpoint("2001:db8::5"))
    assert "--dst-port 22 --ethertype IPv6 default" in said
    unmake(driver)


def test_every_way_back_to_life(cloud: Stack, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    (server,) = cloud.project.servers.values()
    for status in ("SHUTOFF", "PAUSED", "SUSPENDED", "SHELVED_OFFLOADED"):
        server["status"] = status
        if status != "SHUTOFF":
            with pytest.raises(errors.WrongState, match=status.lower()) as caught:
                driver.power(Verb.STOP)
            assert "machine start contract" in caught.value.resolution
        driver.power(Verb.START)
        wait_for_state(driver, State.RUNNING)
    unmake(driver)


def test_a_group_that_others_made_or_use_stays(cloud: Stack, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    (ours,) = [group for group in cloud.project.groups.values() if group["name"] == "docker-machine"]
    ours["description"] = "made by hand"
    unmake(driver)
    assert ours["id"] in cloud.project.groups


def test_allowed_networks_and_own_ports(cloud: Stack, tmp_path: Path) -> None:
    flags = {"openstack-allow-from": ["203.0.113.0/24"], "openstack-open-port": ["8000-8100/udp"]}
    driver = make(new(cloud, tmp_path, **flags))
    (group,) = [group for group in cloud.project.groups.values() if group["name"] != "default"]
    ingress = [rule for rule in group["security_group_rules"] if rule["direction"] == "ingress"]
    assert {rule["remote_ip_prefix"] for rule in ingress} == {"203.0.113.0/24", None}
    assert {rule["port_range_min"] for rule in ingress} == {22, 2376, 8000}
    assert all(rule["remote_group_id"] == group["id"] for rule in ingress if not rule["remote_ip_prefix"])
    unmake(driver)


def test_a_volume_that_exists_stays(cloud: Stack, tmp_path: Path) -> None:
    volume = cloud.project.make_volume({"name": "mine", "size": 9, "imageRef": cloud.project.images[0]["id"]})
    volume["status"] = "available"
    driver = make(new(cloud, tmp_path, **{"openstack-volume-id": volume["id"], "openstack-image-name": ""}))
    (body,) = cloud.project.requests.values()
    assert body["block_device_mapping_v2"][0]["delete_on_termination"] is False
    unmake(again(driver))
    assert cloud.project.volumes[volume["id"]]["status"] == "available"


def test_all_that_a_server_can_be_given(cloud: Stack, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("#!/bin/sh\ntrue\n")
    flags = {
        "config-drive": True,
        "metadata": "team,red",
        "availability-zone": "nova",
        "server-group-name": "apart",
        "user-data-file": str(data),
        "admin-password": "of-my-own",
        "net-name": "private",
    }
    driver = make(new(cloud, tmp_path, **{f"openstack-{name}": value for name, value in flags.items()}))
    (body,) = cloud.project.requests.values()
    assert body["config_drive"] is True
    assert body["metadata"]["team"] == "red"
    assert body["availability_zone"] == "nova"
    assert body["hints"] == {"group": cloud.project.server_groups[0]["id"]}
    assert body["adminPass"] == "of-my-own"
    assert base64.b64decode(body["user_data"]).decode() == data.read_text()
    unmake(driver)


def test_the_login_of_an_image(cloud: Stack, tmp_path: Path) -> None:
    for image, user in (("ubuntu-24.04", "ubuntu"), ("debian-12", "debian")):
        driver = make(new(cloud, tmp_path, **{"openstack-image-name": image}))
        endpoint = driver.endpoint()
        assert endpoint is not None
        assert endpoint.ssh_user == user
        unmake(driver)


def test_the_project_is_the_account(cloud: Stack, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    assert isinstance(driver, OpenStackDriver)
    assert driver.account_recorded() == driver.current_account() == cloud.project.id != PROJECT
    unmake(driver)


def test_a_floating_address_that_nobody_wrote_down(cloud: Stack, tmp_path: Path) -> None:
    """The program died when it was made and not recorded yet."""
    before = cloud.listing()
    driver = make(new(cloud, tmp_path, **{"openstack-floatingip-pool": "public"}))
    older = again(driver)
    assert driver.endpoint() is not None
    assert len(cloud.project.floating) == 1
    assert older.endpoint() == driver.endpoint(), "it is taken, not made twice"
    third = again(driver)
    assert isinstance(third, OpenStackDriver)
    third.config.floating_ip = third.config.floating_ip_id = ""
    unmake(third)
    assert cloud.listing() == before


def lost(cloud: Stack, driver: Driver) -> None:
    """Somebody else deletes the server."""
    with cloud.cloud.lock:
        for server in list(cloud.project.servers):
            cloud.project.delete_server(server)
    wait_for_state(driver, State.MISSING)


def test_the_floating_address_of_a_server_that_was_lost(cloud: Stack, tmp_path: Path) -> None:
    """It leads nowhere any more: the next server gets one of its own."""
    before = cloud.listing()
    driver = make(new(cloud, tmp_path, **{"openstack-floatingip-pool": "public"}))
    assert driver.endpoint() is not None
    lost(cloud, driver)
    other = again(driver)
    create_until_done(other)
    wait_for_state(other, State.RUNNING)
    endpoint = other.endpoint()
    assert endpoint is not None
    (address,) = cloud.project.floating.values()
    assert address["floating_ip_address"] == endpoint.address
    assert address["port_id"] in cloud.project.ports
    unmake(again(other))
    assert cloud.listing() == before


def test_a_cloud_that_overlooks_the_filter(cloud: Stack, tmp_path: Path) -> None:
    """Other people's addresses are not given back."""
    driver = make(new(cloud, tmp_path, **{"openstack-floatingip-pool": "public"}))
    (port,) = cloud.project.ports
    (pool,) = [network for network in cloud.project.networks if network["name"] == "public"]
    theirs = cloud.project.make_floating({"floating_network_id": pool["id"], "port_id": port})

    def all_of_them(proxy: FaultProxy, call: Call) -> Answer:
        body = json.dumps({"floatingips": list(cloud.project.floating.values())}).encode()
        return Answer(200, body, {"Content-Type": "application/json"})

    cloud.proxy.on("GET network/v2.0/floatingips", all_of_them)
    killed = driver.dump() | {"FloatingIp": "", "FloatingIpId": ""}  # before the record had its address
    driver = type(driver).load(driver.ctx, killed)
    create_until_done(driver)
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert endpoint.address != theirs["floating_ip_address"]
    unmake(driver)
    assert list(cloud.project.floating) == [theirs["id"]]


def test_a_root_volume_without_its_mark(cloud: Stack, tmp_path: Path) -> None:
    """A cloud that keeps no metadata of volumes, or somebody who has renamed it: the record knows it."""
    before = cloud.listing()
    cloud.project.build = 1.0  # seconds, for the volume to be seen before it is ready
    driver = new(cloud, tmp_path, **{"openstack-volume-size": 20})
    driver.check()
    with pytest.raises(InProgress):
        driver.create()
    (volume,) = cloud.project.volumes.values()
    volume |= {"metadata": {}, "name": "another"}
    unmake(again(driver))
    assert cloud.listing() == before


def test_a_network_without_port_security(cloud: Stack, tmp_path: Path) -> None:
    """Nova refuses groups there, so that none is asked for, and that is said; nobody loses groups unasked."""
    before = cloud.listing()
    said: list[str] = []
    (network,) = [one for one in cloud.project.networks if one["name"] == "private"]
    network["port_security_enabled"] = False
    for flags in ({"sec_groups": "default"}, {"allow_from": ["203.0.113.0/24"]}):
        error = refused(cloud, tmp_path, **flags)
        assert isinstance(error, errors.BadNetwork)
        assert "--openstack-sec-groups" in error.resolution
    driver = new(cloud, tmp_path)
    driver.ctx = replace(driver.ctx, log=said.append)
    make(driver)
    (line,) = said
    assert "the network private has no port security" in line
    assert [group["name"] for group in cloud.project.groups.values()] == ["default"]
    unmake(again(driver))
    assert cloud.listing() == before


def test_an_answer_without_the_network_leaves_its_groups(cloud: Stack, tmp_path: Path) -> None:
    """What cannot be asked is no reason to do without groups; nonsense is one to stop."""
    for status in (403, 404):
        no = refusal(status, "forbidden", "No.")
        cloud.proxy.on("GET network/v2.0/networks/ID", reply_with(no), times=1)
        driver = new(cloud, tmp_path)
        driver.check()
        assert driver.dump()["SecurityGroups"] == ["docker-machine"]
    for broken in (cloud.broken, Answer(502, b"<html>", {"Content-Type": "text/html"}), Answer(200, b"<html>", {})):
        cloud.proxy.on("GET network/v2.0/networks/ID", reply_with(broken), times=1)
        assert isinstance(refused(cloud, tmp_path, retries=0), errors.ServiceBroken)


def test_zones_of_volumes_that_nobody_tells(cloud: Stack, tmp_path: Path) -> None:
    for status in (403, 404):
        no = refusal(status, "forbidden", "No.")
        cloud.proxy.on("GET volume/v3/ID/os-availability-zone", reply_with(no), times=1)
        driver = new(cloud, tmp_path, **{"openstack-availability-zone": "nova", "openstack-volume-size": 20})
        driver.check()
        assert not driver.dump().get("VolumeZone")


def test_the_volume_lies_in_the_servers_zone_where_there_is_one_of_that_name(cloud: Stack, tmp_path: Path) -> None:
    flags = {"openstack-availability-zone": "nova:host1", "openstack-volume-size": 20}
    for zones, chosen in ((["nova", "ssd"], "nova"), (["ssd"], None), (["ssd", "nova!"], None)):
        cloud.project.volume_zones = zones
        driver = make(new(cloud, tmp_path, **flags))
        assert driver.dump().get("VolumeZone") == chosen
        (volume,) = cloud.project.volumes.values()
        assert volume["availability_zone"] == zones[0]
        unmake(driver)


def test_killed_when_the_floating_address_was_made(cloud: Stack, tmp_path: Path) -> None:
    before = cloud.listing()
    program = Program(tmp_path)
    box: list[subprocess.Popen[str]] = []
    cloud.proxy.on("POST network/v2.0/floatingips", before_answer(lambda: os.kill(box[0].pid, signal.SIGKILL)), times=1)
    with running(cloud, program, [*line(cloud)[:-1], "--openstack-floatingip-pool=public", "dev"]) as process:
        box.append(process)
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert len(cloud.project.floating) == 1
    program("rm", "-y", "dev", environ=cloud.credentials()).fine()
    assert cloud.listing() == before


@pytest.mark.parametrize("restricted_first", [True, False])
def test_what_one_machine_opens_does_not_open_another(cloud: Stack, restricted_first: bool, tmp_path: Path) -> None:
    before = cloud.listing()
    flags: list[dict[str, Any]] = [{"openstack-allow-from": ["203.0.113.9/24"]}, {}]
    machines = {}
    for given in flags if restricted_first else reversed(flags):
        driver = make(new(cloud, tmp_path, "closed" if given else "open", **given))
        machines["closed" if given else "open"] = driver.dump()["SecurityGroupIds"]
        machines[driver.ctx.name + " machine"] = driver
    for name, sources in (("closed", {"203.0.113.0/24", None}), ("open", {"0.0.0.0/0", "::/0"})):
        (group,) = machines[name]
        rules = cloud.project.groups[group]["security_group_rules"]
        assert {rule["remote_ip_prefix"] for rule in rules if rule["direction"] == "ingress"} == sources
    for name in ("closed", "open"):
        unmake(again(machines[name + " machine"]))
    assert cloud.listing() == before


def test_a_restricted_machine_of_an_earlier_version_is_not_opened(cloud: Stack, tmp_path: Path) -> None:
    """Its rules are in the group that everybody has now."""
    older = make(new(cloud, tmp_path, "older"))
    record = {**older.dump(), "AllowFrom": ["203.0.113.0/24"]}
    del record["OwnGroup"]
    for flags, refusal_said in (({}, True), ({"openstack-allow-from": ["203.0.113.0/24"]}, False)):
        plain = new(cloud, tmp_path, "plain", **flags)
        plain.ctx = replace(plain.ctx, siblings=lambda: [record])
        if refusal_said:
            with pytest.raises(errors.BadFirewall, match="docker-machine has a machine of an earlier version"):
                plain.check()
        else:
            plain.check()
    unmake(older)


def test_ports_of_a_swarm_that_the_users_groups_keep_out_are_named(cloud: Stack, tmp_path: Path) -> None:
    said: list[str] = []
    driver = new(cloud, tmp_path, **{"openstack-sec-groups": "default"})
    driver.ctx = replace(driver.ctx, log=said.append)
    driver.ctx = replace(driver.ctx, cluster_ports=(2377, 7946))
    (default,) = cloud.project.groups.values()
    driver.check()
    named = "no rule of the security groups default lets port {} in: the swarm needs it"
    assert not [line for line in said if "swarm" in line], "its members reach each other"
    default["security_group_rules"] = []
    driver = new(cloud, tmp_path, "other", **{"openstack-sec-groups": "default"})
    driver.ctx = replace(driver.ctx, log=said.append)
    driver.ctx = replace(driver.ctx, cluster_ports=(2377, 7946))
    driver.check()
    assert [line for line in said if "swarm" in line] == [named.format(p) for p in ("2377/tcp", "7946/tcp", "7946/udp")]


def test_it_is_reached_by_ipv6(cloud: Stack, tmp_path: Path) -> None:
    error = refused(cloud, tmp_path, ip_version=6)
    assert error.brief == "the network private has no IPv6 subnet"
    for network in cloud.project.networks:
        network["prefix6"] = "2001:db8::"
    driver = make(new(cloud, tmp_path, **{"openstack-ip-version": 6}))
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert endpoint.address.startswith("2001:db8::")
    assert endpoint.peer_address == endpoint.address
    unmake(driver)
