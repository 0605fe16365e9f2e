"""What a machine can have besides: networks, addresses, groups, labels, prices; and the machines of the plugin."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.base import Priced
from machine.drivers.hetzner.driver import HetznerDriver
from machine.errors import DriverError
from machine.model import State
from machine.options import resolve
from tests.drivers import contexts
from tests.drivers.cloud_stand_in import again, make, new, unmake, wait_for_state
from tests.drivers.hetzner.fake_hetzner import Hetzner
from tests.drivers.hetzner.server import TOKEN
from tests.program import Program

ADDITIONAL = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5ZSBieWUgYnllIGJ5ZSBieWUgYnllIGJ5ZSBi a"


def given(**flags: Any) -> dict[str, Any]:
    return {f"hetzner-{name.replace('_', '-')}": value for name, value in flags.items()}


def body_of(cloud: Hetzner) -> dict[str, Any]:
    """What the one server was asked for with."""
    (body,) = cloud.project.asked_for.values()
    return dict(body)


def test_inside_of_a_network_only(cloud: Hetzner, tmp_path: Path) -> None:
    network = cloud.project.make_network("inside")
    driver = make(new(cloud, tmp_path, **given(networks=["INSIDE"], disable_public=True)))
    found = driver.endpoint()
    assert found is not None
    assert found.address == found.peer_address
    assert found.address.startswith("10.0.1.")
    assert body_of(cloud)["networks"] == [network["id"]]
    unmake(driver)
    assert network["servers"] == []


def test_a_network_beside_the_public_address(cloud: Hetzner, tmp_path: Path) -> None:
    cloud.project.make_network("inside")
    driver = make(new(cloud, tmp_path, **given(networks=["inside"])))
    found = driver.endpoint()
    assert found is not None
    assert found.address.startswith("203.0.113.")
    assert found.peer_address.startswith("10.0.1.")


def test_ipv6_alone(cloud: Hetzner, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path, **given(disable_public_ipv4=True)))
    found = driver.endpoint()
    assert found is not None
    assert found.address == "2001:db8:7::1"


@pytest.mark.parametrize("auto_delete", [False, True])
def test_addresses_that_exist(cloud: Hetzner, tmp_path: Path, auto_delete: bool) -> None:
    four = cloud.project.make_primary_ip("four", "198.51.100.7", auto_delete=auto_delete)
    six = cloud.project.make_primary_ip("six", "2001:db8:9::/64")
    said: list[str] = []
    driver = new(cloud, tmp_path, **given(primary_ipv4="198.51.100.7", primary_ipv6="2001:db8:9::"))
    driver.ctx = dataclasses.replace(driver.ctx, log=said.append)
    make(driver)
    found = driver.endpoint()
    assert found is not None
    assert found.address == "198.51.100.7"
    assert (four["assignee_id"], six["assignee_id"]) == (driver.dump()["ServerID"],) * 2
    assert bool([line for line in said if "machine rm will take it along" in line]) == auto_delete
    unmake(driver)
    assert sorted(cloud.project.primary_ips) == ([six["id"]] if auto_delete else [four["id"], six["id"]])


def test_volumes_stay(cloud: Hetzner, tmp_path: Path) -> None:
    volume = cloud.project.make_volume("data")
    driver = make(new(cloud, tmp_path, **given(volumes=[str(volume["id"])])))
    assert volume["server"] == driver.dump()["ServerID"]
    unmake(driver)
    assert (volume["server"], list(cloud.project.volumes)) == (None, [volume["id"]])


def test_a_group_goes_with_the_last_machine_in_it(cloud: Hetzner, tmp_path: Path) -> None:
    before = cloud.listing()
    one = make(new(cloud, tmp_path, "one", **given(auto_spread=True)))
    two = new(cloud, tmp_path, "two", **given(auto_spread=True))
    two.ctx = dataclasses.replace(two.ctx, siblings=lambda: [one.dump()])
    make(two)
    (group,) = cloud.project.placement_groups.values()
    assert group["labels"] == {"docker-machine/auto-spread": "true", "docker-machine/auto-created": "true"}
    unmake(two)
    assert len(cloud.project.placement_groups) == 1
    unmake(one)
    assert cloud.listing() == before


def test_a_group_of_the_users_stays(cloud: Hetzner, tmp_path: Path) -> None:
    group = cloud.project.make_placement_group({"name": "apart", "type": "spread"})
    for name in ("apart", str(group["id"])):
        driver = make(new(cloud, tmp_path / name, **given(placement_group=name)))
        assert group["servers"] == [driver.dump()["ServerID"]]
        unmake(driver)
    assert list(cloud.project.placement_groups) == [group["id"]]


def test_labels_and_more_keys(cloud: Hetzner, tmp_path: Path) -> None:
    flags = given(server_label=["tier=web"], key_label=["of=me"], additional_key=[ADDITIONAL])
    driver = make(new(cloud, tmp_path, **flags))
    mark = {"machine-id": driver.ctx.machine_id}
    (server,) = cloud.project.servers.values()
    assert server["labels"] == {"tier": "web", **mark}
    assert [key["labels"] for key in cloud.project.ssh_keys.values()] == [{"of": "me", **mark}] * 2
    assert body_of(cloud)["ssh_keys"] == list(cloud.project.ssh_keys)
    unmake(driver)
    assert cloud.project.ssh_keys == {}


@pytest.mark.parametrize("file", [False, True])
def test_user_data_as_text_and_as_a_file(cloud: Hetzner, tmp_path: Path, file: bool) -> None:
    text = "#!/bin/sh\necho told\n"
    (tmp_path / "told").write_text(text)
    flags = given(user_data_file=str(tmp_path / "told")) if file else given(user_data=text)
    driver = new(cloud, tmp_path, **flags)
    make(driver)
    assert "echo told" in next(iter(cloud.project.user_data.values()))
    assert driver.dump().get("UserData", "") == "", "it has been sent, and may hold secrets"


def test_user_data_that_cannot_be_used(cloud: Hetzner, tmp_path: Path) -> None:
    for text in ("no beginning that cloud-init knows", "#!" + "x" * 40000):
        with pytest.raises(DriverError, match="the user data") as caught:
            new(cloud, tmp_path, **given(user_data=text)).check()
        assert "--hetzner-user-data" in caught.value.resolution


def test_no_firewall_and_closed_ports(cloud: Hetzner, tmp_path: Path) -> None:
    make(new(cloud, tmp_path, "open", **given(firewalls=["none"])))
    assert "firewalls" not in body_of(cloud)
    rule = {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["192.0.2.0/24"]}
    wall = cloud.project.make_firewall({"name": "theirs", "rules": [rule, {**rule, "protocol": "icmp"}]})
    said: list[str] = []
    driver = new(cloud, tmp_path, "closed", **given(firewalls=["theirs"]))
    driver.ctx = dataclasses.replace(driver.ctx, log=said.append)
    make(driver)
    assert [line for line in said if "2376" in line and "theirs" in line]
    assert "192.0.2.0/24 only" in driver.explain()  # type: ignore[attr-defined]
    unmake(driver)
    assert list(cloud.project.firewalls) == [wall["id"]]


def test_questions_are_not_asked_more_often_than_wanted(cloud: Hetzner, tmp_path: Path) -> None:
    cloud.project.boot = 0.3
    driver = new(cloud, tmp_path, **given(wait_on_polling=2, wait_for_running_timeout=77))
    assert driver.boot_timeout == 77
    driver.check()
    driver.create()
    assert driver.state() is State.STARTING
    cloud.proxy.clear()
    assert {driver.state() for _ in range(20)} == {State.STARTING}
    assert cloud.proxy.names() == []
    wait_for_state(driver, State.RUNNING)
    unmake(driver)


def test_what_a_machine_costs(cloud: Hetzner, tmp_path: Path) -> None:
    driver = new(cloud, tmp_path)
    assert isinstance(driver, Priced)
    assert driver.prices() == [
        "cx23 in fsn1, nbg1: 0.0056 (0.006664 with tax) an hour, 3.49 (4.1531 with tax) a month at most"
    ]
    there = new(cloud, tmp_path, **given(server_type="CPX11", server_location="ASH"))
    assert isinstance(there, Priced)
    assert [line.partition(":")[0] for line in there.prices()] == ["cpx11 in ash"]


def test_the_plan_has_the_price(cloud: Hetzner, tmp_path: Path) -> None:
    program = Program(tmp_path)
    line = ["create", "-d", "hetzner", "--hetzner-endpoint", str(cloud.options()["hetzner-endpoint"]), "--dry-run"]
    plan = program(*line, "dev", environ=cloud.credentials()).fine().out
    assert "price: cx23 in fsn1, nbg1: 0.0056 " in plan
    wrong = program(*line, "dev", environ={"HETZNER_API_TOKEN": "ofNobody"}).fine().out
    assert "price: not known, for Hetzner refused" in wrong
    assert TOKEN not in plan + wrong
    assert [name for name in cloud.proxy.names() if cloud.changes(name)] == []
    assert program.names() == []


def plugins_machine(cloud: Hetzner, tmp_path: Path, **more: Any) -> HetznerDriver:
    """A machine as the plugin makes it: no label, its key and its group in the project, its ids in the record."""
    project = cloud.project
    ctx = contexts.real(tmp_path, "old")
    key = project.make_ssh_key({"name": "old", "public_key": ctx.public_key})
    other = project.make_ssh_key({"name": "old-additional-0", "public_key": ADDITIONAL})
    labels = {"docker-machine/auto-created": "true"}
    group = project.make_placement_group({"name": "g", "type": "spread", "labels": labels})
    kept = {"name": "old", "server_type": "cx23", "image": 161547269, "ssh_keys": [key["id"]]}
    server = project.make_server({**kept, "placement_group": group["id"]})
    record = {
        "AccessToken": TOKEN,
        "Endpoint": cloud.options()["hetzner-endpoint"],
        "KeyID": key["id"],
        "IsExistingKey": False,
        "AdditionalKeyIDs": [other["id"]],
        "ServerID": server["id"],
    }
    return HetznerDriver.load(ctx, {**record, **more})


def test_a_machine_of_the_plugin_lives_and_goes(cloud: Hetzner, tmp_path: Path) -> None:
    before = cloud.listing()
    driver = plugins_machine(cloud, tmp_path)
    wait_for_state(driver, State.RUNNING)
    found = driver.endpoint()
    assert found is not None
    assert found.address.startswith("203.0.113.")
    unmake(driver)
    assert cloud.listing() == before


def test_a_key_that_the_plugin_found_stays(cloud: Hetzner, tmp_path: Path) -> None:
    driver = plugins_machine(cloud, tmp_path, IsExistingKey=True)
    wait_for_state(driver, State.RUNNING)
    unmake(driver)
    assert [key["name"] for key in cloud.project.ssh_keys.values()] == ["old"]


def test_another_token_of_the_same_project_is_believed(cloud: Hetzner, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    cloud.server.strangers["rotated"] = cloud.project
    rotated = again(driver)
    assert isinstance(rotated, HetznerDriver)
    rotated.config.access_token = "rotated"
    assert rotated.current_account() == rotated.account_recorded() == driver.dump()["Account"]
    cloud.forget()
    assert rotated.current_account() != rotated.account_recorded()


def test_values_of_the_environment_are_taken() -> None:
    values = resolve(HetznerDriver.traits.options, {}, {"HETZNER_API_TOKEN": "t", "HETZNER_NETWORKS": "a, b"})
    assert HetznerDriver.configure(contexts.forbidding(), values).dump()["Networks"] == ["a", "b"]
