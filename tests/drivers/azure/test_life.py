"""What is asked for, in which shape; what the states mean; what Azure's refusals become."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.azure.driver import AzureDriver
from machine.drivers.base import AcceptsHostKey, ConsoleLog, Diagnosable
from machine.drivers.cloud import errors
from machine.errors import DriverError, InProgress, PreflightFailed
from machine.model import State, Verb
from tests.drivers import contexts
from tests.drivers.azure.arm import CONSOLE, SUBSCRIPTION
from tests.drivers.azure.cloud import Azure, refusal
from tests.drivers.azure.resources import NOT_PROVISIONED, Refused
from tests.drivers.cloud_stand_in import again, create_until_done, make, new, unmake, wait_for_state

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/docker-machine"


def body(cloud: Azure, name: str) -> dict[str, Any]:
    """What the last call of that name carried."""
    return dict(json.loads([call.body for call in cloud.proxy.calls if call.name == name][-1]))


def flags(**given: Any) -> dict[str, Any]:
    """Flags with _ for -."""
    return {f"azure-{key.replace('_', '-')}": value for key, value in given.items()}


def test_what_a_plain_machine_is(cloud: Azure, tmp_path: Path) -> None:
    driver = new(cloud, tmp_path)
    assert isinstance(driver, AcceptsHostKey)
    driver.give_host_key("PRIVATE", "ssh-ed25519 PUBLIC")
    make(driver)
    asked = body(cloud, "PUT virtualMachines")
    inner = asked["properties"]
    assert inner["storageProfile"]["imageReference"] == {
        "publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest",
    }  # fmt: skip
    assert inner["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert inner["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"] is True
    assert "PRIVATE" in base64.b64decode(inner["osProfile"]["customData"]).decode()
    assert inner["availabilitySet"]["id"].endswith("/availabilitySets/docker-machine")
    assert asked["tags"]["machine-id"] == driver.ctx.machine_id
    assert body(cloud, "PUT availabilitySets")["properties"]["platformFaultDomainCount"] == 2, "all the region has"
    assert body(cloud, "PUT publicIPAddresses")["sku"] == {"name": "Standard"}
    ports = [rule["properties"] for rule in body(cloud, "PUT networkSecurityGroups")["properties"]["securityRules"]]
    assert [(p["destinationPortRange"], p["sourceAddressPrefix"]) for p in ports] == [("22", "*"), ("2376", "*")]
    own = [thing for thing in cloud.arm.account.things.values() if "machine-id" in thing["tags"]]
    assert len(own) == 5
    found = driver.endpoint()
    assert found is not None
    assert found.address.startswith("20.0.0.")
    assert found.peer_address.startswith("192.168.0.")
    assert isinstance(driver, ConsoleLog)
    assert driver.console_log().replace("\r\n", "\n") == CONSOLE.replace("\r\n", "\n")
    unmake(driver)


def test_what_everything_else_becomes(cloud: Azure, tmp_path: Path) -> None:
    identity = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
    driver = new(
        cloud,
        tmp_path,
        **flags(
            size="standard_d2s_v5", image="somebody:hardened:sold:latest", disk_size=64, storage_type="Premium_LRS",
            spot=True, spot_max_price="0.05", availability_zone="2", accelerated_networking=True, dns="mine-4711",
            private_ip_address="192.168.7.7", identity=[identity, "system"], tags="owner,ada,team,x",
            open_port=["80", "53/udp"], allow_from=["203.0.113.9"], docker_port=2377,
        ),
    )  # fmt: skip
    make(driver)
    asked = body(cloud, "PUT virtualMachines")
    inner = asked["properties"]
    assert inner["hardwareProfile"]["vmSize"] == "Standard_D2s_v5"
    assert (inner["priority"], inner["billingProfile"]) == ("Spot", {"maxPrice": 0.05})
    assert asked["zones"] == ["2"] == body(cloud, "PUT publicIPAddresses")["zones"]
    assert "availabilitySet" not in inner
    assert asked["plan"] == {"publisher": "somebody", "product": "hardened", "name": "sold"}, "the image's own"
    assert asked["identity"] == {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {identity: {}}}
    assert asked["tags"]["owner"] == "ada"
    assert body(cloud, "PUT publicIPAddresses")["properties"]["dnsSettings"] == {"domainNameLabel": "mine-4711"}
    nic = body(cloud, "PUT networkInterfaces")["properties"]
    assert nic["enableAcceleratedNetworking"] is True
    assert nic["ipConfigurations"][0]["properties"]["privateIPAddress"] == "192.168.7.7"
    rules = [rule["properties"] for rule in body(cloud, "PUT networkSecurityGroups")["properties"]["securityRules"]]
    assert {rule["sourceAddressPrefix"] for rule in rules} == {"203.0.113.9/32"}
    assert {rule["destinationPortRange"] for rule in rules} == {"22", "2377", "80", "53"}
    found = driver.endpoint()
    assert found is not None
    assert (found.engine_port, found.peer_address) == (2377, "192.168.7.7")
    assert isinstance(driver, Diagnosable)
    assert "203.0.113.9/32 only" in driver.explain()
    unmake(driver)
    assert cloud.listing() == {}


def test_arm64_takes_the_image_for_it(cloud: Azure, tmp_path: Path) -> None:
    driver = new(cloud, tmp_path, **flags(size="Standard_B2pls_v2"))
    driver.check()
    assert driver.dump()["Image"] == "Canonical:ubuntu-24_04-lts:server-arm64:latest"


def test_no_public_address(cloud: Azure, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path, **flags(no_public_ip=True)))
    assert "PUT publicIPAddresses" not in cloud.proxy.names()
    found = driver.endpoint()
    assert found is not None
    assert found.address == found.peer_address
    assert body(cloud, "PUT virtualNetworks")["properties"]["subnets"][0]["properties"]["defaultOutboundAccess"]
    unmake(driver)


def test_what_others_made_stays(cloud: Azure, tmp_path: Path) -> None:
    """A group, a network without our subnet and a firewall that somebody made: used, and left as they were."""
    make(probe := new(cloud, tmp_path / "probe"))
    for thing in cloud.arm.account.things.values():
        thing["tags"] = {"made-by": "ada"}
    shown = json.dumps(
        cloud.arm.account.things[f"{GROUP}/providers/microsoft.network/virtualnetworks/docker-machine-vnet".lower()]
    )
    before = cloud.listing()
    nsg = str(probe.dump()["NSGID"])
    given = flags(nsg=nsg, vnet="docker-machine:docker-machine-vnet", availability_set="none")
    driver = make(new(cloud, tmp_path, **given))
    assert body(cloud, "PUT networkInterfaces")["properties"]["networkSecurityGroup"]["id"] == nsg
    unmake(driver)
    assert cloud.listing() == before
    driver = new(cloud, tmp_path, **flags(subnet="another", subnet_prefix="192.168.200.0/24", availability_set="none"))
    network = cloud.arm.account.things[
        f"{GROUP}/providers/microsoft.network/virtualnetworks/docker-machine-vnet".lower()
    ]
    network["properties"]["addressSpace"]["addressPrefixes"].append("10.0.0.0/8")
    with pytest.raises(DriverError):
        new(cloud, tmp_path, **flags(subnet="third", subnet_prefix="172.16.0.0/12")).check()
    driver.check()
    make(driver)
    assert len(network["properties"]["subnets"]) == 2
    unmake(driver)
    assert cloud.listing() == before
    network["properties"]["addressSpace"]["addressPrefixes"].pop()
    assert json.dumps(network) == shown


def test_a_machine_that_somebody_else_has_in_the_network_keeps_it(cloud: Azure, tmp_path: Path) -> None:
    """Of another store: Azure says that network and set are in use, and so the group stays too."""
    before = cloud.listing()
    one, two = make(new(cloud, tmp_path / "one")), make(new(cloud, tmp_path / "two"))
    unmake(one)
    assert two.state() is State.RUNNING
    assert cloud.machines() == 1
    unmake(two)
    assert cloud.listing() == before


def test_machines_that_go_at_once_leave_nothing(cloud: Azure, tmp_path: Path) -> None:
    """Each sees the others in the store; the last one through cleans up all the same."""
    made = {name: make(new(cloud, tmp_path, name)) for name in ("a", "b", "c")}

    def others(name: str) -> Callable[[], list[dict[str, Any]]]:
        return lambda: [driver.dump() for other, driver in made.items() if other != name]

    for name, driver in made.items():
        driver.ctx = dataclasses.replace(driver.ctx, siblings=others(name))
    with ThreadPoolExecutor() as pool:
        list(pool.map(unmake, made.values()))
    assert cloud.listing() == {}


def test_what_only_its_tag_tells_goes_too(cloud: Azure, tmp_path: Path) -> None:
    """A disk of another name with the machine's tag; one with another machine's stays, and so does its group."""
    driver = make(new(cloud, tmp_path))
    for name, machine_id in (("stray", driver.ctx.machine_id), ("strange", "another")):
        disk_id = f"{GROUP}/providers/Microsoft.Compute/disks/{name}"
        cloud.arm.account.things[disk_id.lower()] = {
            "id": disk_id, "name": name, "type": "Microsoft.Compute/disks", "location": "westus",
            "tags": {"machine-id": machine_id}, "properties": {},
        }  # fmt: skip
    unmake(driver)
    assert [thing_id.rpartition("/")[2] for thing_id in cloud.listing()] == ["docker-machine", "strange"]


def test_a_missing_sdk_is_a_pip_install_away(cloud: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.mgmt.compute", None)
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, tmp_path).check()
    assert caught.value.resolution.startswith("pip install '.[azure]' in the source's directory")
    assert "pipx inject container-hosts azure-identity " in caught.value.resolution


def test_a_record_of_docker_machines(cloud: Azure, tmp_path: Path) -> None:
    """It named everything after the machine, and Azure named the disk."""
    before = cloud.listing()
    made = make(new(cloud, tmp_path, "old"))
    renamed = json.loads(json.dumps(cloud.arm.account.things).replace(str(made.dump()["ResourceName"]), "old"))
    renamed = {key.lower(): thing for key, thing in renamed.items()}
    disk = next(thing for thing in renamed.values() if thing["type"].endswith("/disks"))
    cloud.arm.account.things = json.loads(json.dumps(renamed).replace(disk["name"], "old_OsDisk_1_119c7c0b"))
    cloud.arm.account.things = {thing["id"].lower(): thing for thing in cloud.arm.account.things.values()}
    kept = ("SubscriptionID", "TenantID", "ClientID", "ClientSecret", "ResourceGroup", "VirtualNetwork", "SubnetName",
            "AvailabilitySet", "DockerPort", "SSHUser", "Location", "Endpoint", "AuthorityHost", "CaCert")  # fmt: skip
    data = {key: value for key, value in made.dump().items() if key in kept}
    old = AzureDriver.load(contexts.real(tmp_path, "old"), {**data, "PollingInterval": 0})
    assert old.state() is State.RUNNING
    assert old.endpoint() is not None
    unmake(old)
    assert cloud.listing() == before


def test_stop_after_kill_ends_what_it_costs(cloud: Azure, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    driver.power(Verb.KILL)
    wait_for_state(driver, State.STOPPED)
    driver.power(Verb.STOP)
    wait_for_state(driver, State.STOPPED)
    assert [name for name in cloud.proxy.names() if name.startswith("POST")] == [
        "Login token", "POST powerOff", "POST deallocate",
    ][1:]  # fmt: skip
    create_until_done(again(driver))
    wait_for_state(driver, State.RUNNING)
    unmake(driver)


def test_nothing_is_waited_for(cloud: Azure, tmp_path: Path) -> None:
    """Each call of `create` returns while Azure is at it; no operation is polled, and nothing is asked for twice."""
    driver = new(cloud, tmp_path)
    driver.check()
    cloud.proxy.clear()
    reasons = []
    for _ in range(20):
        try:
            driver.create()
            break
        except InProgress as error:
            assert error.brief == "Azure is still making contract"
            reasons += error.details.splitlines()
    assert {line.rpartition(" is ")[2] for line in reasons} == {"Updating"}
    assert {line.partition(" is ")[0].rpartition("-")[2] for line in reasons} == {"vnet", "firewall", "ip", "nic"}
    asked = [name for name in cloud.proxy.names() if name.startswith("PUT ")]
    assert len(asked) == len(set(asked)) == 7
    wait_for_state(driver, State.RUNNING)
    unmake(driver)
    assert "Poll" not in cloud.proxy.names()


def test_what_azure_begins_and_cannot_make(cloud: Azure, tmp_path: Path) -> None:
    """It took the request and failed later: the operation says why, and a second create asks once more."""
    before = cloud.listing()
    cloud.arm.failures["publicIPAddresses"] = Refused(400, "PublicIPCountLimitReached", "Cannot create more than 10.")
    driver = new(cloud, tmp_path)
    driver.check()
    with pytest.raises(errors.QuotaExceeded) as caught:
        create_until_done(driver)
    assert "Cannot create more than 10." in caught.value.details
    assert caught.value.resolution
    make(again(driver))
    assert cloud.machines() == 1
    unmake(again(driver))
    assert cloud.listing() == before


def test_a_refusal_that_passes_is_waited_out(cloud: Azure, tmp_path: Path) -> None:
    """Azure has said that a subnet is made, and refuses what refers to it all the same."""
    said = refusal(409, "ReferencedResourceNotProvisioned", NOT_PROVISIONED.format("subnet", "interface"))
    for call in ("PUT networkInterfaces", "PUT virtualMachines"):
        cloud.proxy.on(call, lambda proxy, call: said, times=1)
    driver = make(new(cloud, tmp_path))
    assert cloud.proxy.names().count("PUT networkInterfaces") == 2
    unmake(driver)


def test_a_group_that_is_going_is_waited_for(cloud: Azure, tmp_path: Path) -> None:
    """The last machine of another store went just then, and took the group with it."""
    driver = new(cloud, tmp_path)
    driver.check()
    make(other := new(cloud, tmp_path / "other"))
    while cloud.arm.account.things[GROUP.lower()]["properties"]["provisioningState"] != "Deleting":
        with contextlib.suppress(InProgress):
            other.remove()
    with pytest.raises(InProgress) as caught:
        driver.create()
    assert "docker-machine is Deleting" in caught.value.details
    create_until_done(driver)
    unmake(other)
    assert cloud.machines() == 1
    unmake(driver)
    assert cloud.listing() == {}


def test_a_subnet_of_a_create_that_was_cut_short_goes(cloud: Azure, tmp_path: Path) -> None:
    """In a network that somebody else made: the next create finds the subnet, and knows that it is ours."""
    make(probe := new(cloud, tmp_path / "probe"))
    for thing in cloud.arm.account.things.values():
        thing["tags"] = {"made-by": "ada"}
    network = cloud.arm.account.of("virtualNetworks")[0]
    network["properties"]["addressSpace"]["addressPrefixes"].append("10.0.0.0/8")
    driver = new(cloud, tmp_path, **flags(subnet="another", subnet_prefix="10.1.0.0/16", availability_set="none"))
    driver.check()
    with pytest.raises(InProgress):
        driver.create()
    assert len(network["properties"]["subnets"]) == 2
    driver = make(again(driver))
    unmake(again(driver))
    assert [subnet["name"] for subnet in network["properties"]["subnets"]] == ["docker-machine"]
    unmake(probe)


def test_azure_is_not_asked_more_often_than_the_interval_says(cloud: Azure, tmp_path: Path) -> None:
    driver = new(cloud, tmp_path, **flags(polling_interval=5))
    now = [100.0]
    clock = types.SimpleNamespace(now=lambda: now[0], sleep=None)
    driver.ctx = dataclasses.replace(driver.ctx, clock=clock)
    driver.check()
    for passed, looks in ((0.0, True), (4.9, False), (0.2, True)):
        now[0] += passed
        cloud.proxy.clear()
        with pytest.raises(InProgress):
            driver.create()
        assert bool(cloud.proxy.calls) is looks
    unmake(driver)


def test_a_machine_that_failed(cloud: Azure, tmp_path: Path) -> None:
    """It is an error that says why, and a second create asks once more."""
    driver = make(new(cloud, tmp_path))
    machine = cloud.arm.account.of("virtualMachines")[0]
    machine["properties"]["provisioningState"], machine["power"] = "Failed", ""
    machine["failure"] = "Allocation failed. We do not have sufficient capacity."
    assert driver.state() is State.ERROR
    assert isinstance(driver, Diagnosable)
    assert "sufficient capacity" in driver.explain()
    cloud.proxy.clear()
    create_until_done(again(driver))
    assert cloud.proxy.names().count("PUT virtualMachines") == 1
    assert cloud.machines() == 1
    unmake(driver)
    assert cloud.listing() == {}
