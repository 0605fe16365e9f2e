"""The profile ConoHa: recognised by its URL, and asked as its documentation says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.cloud import errors
from machine.drivers.openstack import conoha, login
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.driver import OpenStackDriver
from machine.drivers.openstack.errors import BadAuthUrl
from machine.errors import PreflightFailed, UsageError
from machine.options import resolve
from tests.drivers import contexts, fake_cloud_init
from tests.drivers.cloud_contract import CloudContract
from tests.drivers.cloud_stand_in import again, make, new, unmake
from tests.drivers.openstack.conoha import AUTH_URL, Conoha
from tests.drivers.openstack.project import USER
from tests.drivers.openstack.server import PASSWORD, PROJECT


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Conoha]:
    found = Conoha()
    for name, value in found.proxy_environ().items():
        monkeypatch.setenv(name, value)
    yield found
    found.close()


class TestConoha:
    """Parts of the contract that its own way of making machines may break."""

    test_life = CloudContract.test_the_whole_life
    test_lost = pytest.mark.slow(CloudContract.test_every_answer_may_be_lost_once)
    test_power = CloudContract.test_power_is_idempotent
    test_forgotten = CloudContract.test_a_machine_that_the_cloud_lost


def asked(cloud: Conoha) -> dict[str, Any]:
    """The body of the one server."""
    (body,) = cloud.project.requests.values()
    return body


def test_a_server_as_conoha_wants_it(cloud: Conoha, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path, "worker.conoha00"))
    body = asked(cloud)
    (volume,) = cloud.project.volumes.values()
    assert (volume["size"], volume["volume_type"]) == (100, "c3j1-ds02-boot")
    assert body["metadata"]["instance_name_tag"] == "worker-conoha00"
    assert "networks" not in body
    assert "imageRef" not in body
    assert body["block_device_mapping_v2"][0]["uuid"] == volume["id"]
    endpoint = driver.endpoint()
    assert endpoint is not None
    assert endpoint.address.startswith("133.130.48.")
    assert endpoint.ssh_user == "root"
    assert cloud.project.floating == {}
    unmake(again(driver))
    assert cloud.project.volumes == {}


def test_it_is_recognised_in_a_clouds_yaml(cloud: Conoha, tmp_path: Path) -> None:
    auth = {"auth_url": AUTH_URL, "username": USER, "password": PASSWORD, "project_name": PROJECT}
    auth |= {"user_domain_name": "gnc", "project_domain_name": "gnc"}
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"mine": {"auth": auth}}}))
    flags = {"auth-url": "", "username": "", "tenant-name": "", "password": "", "cloud": "mine"}
    flags = {f"openstack-{name}": value for name, value in {**flags, "client-config-file": str(path)}.items()}
    driver = make(new(cloud, tmp_path, **flags))
    assert driver.dump()["Profile"] == "conoha"
    assert "instance_name_tag" in asked(cloud)["metadata"]
    unmake(again(driver))
    with pytest.raises(PreflightFailed, match="no floating addresses"):
        new(cloud, tmp_path, **flags, **{"openstack-floatingip-pool": "public"}).check()
    long = tmp_path / "long"
    long.write_text("#!/bin/sh\n" + "#" * 20000 + "\n")
    with pytest.raises(errors.BadUserData, match="too long"):
        new(cloud, tmp_path, **flags, **{"openstack-user-data-file": str(long)}).check()


def test_sizes_and_passwords(cloud: Conoha, tmp_path: Path) -> None:
    flags = {"openstack-flavor-name": "g2l-t-c1m512", "openstack-admin-password": "Of-my-own-1"}
    driver = make(new(cloud, tmp_path, **flags))
    (volume,) = cloud.project.volumes.values()
    assert volume["size"] == 30
    assert asked(cloud)["adminPass"] == "Of-my-own-1"
    unmake(driver)
    driver = make(new(cloud, tmp_path, **{"openstack-flavor-name": "g2d-t-c4m4"}))
    assert cloud.project.volumes == {}, "it has a disk of its own"
    unmake(driver)


def test_several_parts_of_user_data_come_in_one_piece(cloud: Conoha, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho grüße\n")
    driver = new(cloud, tmp_path, **{"openstack-user-data-file": str(script)})
    assert isinstance(driver, OpenStackDriver)
    driver.give_host_key("PRIVATE\n", "ssh-ed25519 PUBLIC")
    make(driver)
    text = base64.b64decode(asked(cloud)["user_data"]).decode()
    assert text.startswith("#cloud-config-archive\n")
    assert ("text/x-shellscript", script.read_text()) in fake_cloud_init.parts(text)
    assert fake_cloud_init.config(text)["ssh_keys"]["ed25519_private"] == "PRIVATE\n"
    unmake(driver)


@pytest.mark.parametrize("text", ["Content-Type: multipart/mixed\n\n", "#!/bin/sh\n" + "x" * 17000])
def test_user_data_that_conoha_does_not_take(cloud: Conoha, text: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text(text)
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, tmp_path, **{"openstack-user-data-file": str(path)}).check()
    assert isinstance(caught.value, errors.BadUserData)


def test_who_does_not_open_a_port_is_told(cloud: Conoha, tmp_path: Path) -> None:
    said: list[str] = []
    driver = new(cloud, tmp_path, **{"openstack-sec-groups": "default,IPv4v6-SSH"})
    driver.ctx = replace(driver.ctx, log=said.append)
    driver.check()
    assert [line for line in said if "port 2376" in line and "default, IPv4v6-SSH" in line]
    assert not [line for line in said if "port 22 " in line]


def configured(**given: Any) -> Config:
    """The config of these flags, over the least that is needed."""
    flags = {"auth-url": AUTH_URL, "username": USER, "tenant-name": PROJECT, "flavor-name": "f", "image-name": "i"}
    values = {f"openstack-{name.replace('_', '-')}": value for name, value in {**flags, **given}.items()}
    environ = {"OS_PASSWORD": PASSWORD}
    return OpenStackDriver.configure(
        contexts.forbidding(), resolve(OpenStackDriver.traits.options, values, environ)
    ).config


def region(config: Config) -> str:
    """The region that the SDK is told, "" for none."""
    return str(login.arguments(config).get("region_name", ""))


def test_it_is_known_by_its_url_or_by_its_profile() -> None:
    for url, wanted in (
        ("https://identity.c3j1.conoha.io/v3", True),
        ("https://identity.tyo1.conoha.io/v2.0", True),
        ("https://conoha.io.example/v3", False),
        ("https://keystone.example/v3", False),
    ):
        assert configured(**{"auth-url": url}).is_conoha is wanted
        assert Config.from_record({"AuthUrl": url}).is_conoha is wanted
        assert configured(**{"auth-url": url}, profile="openstack").is_conoha is False
        assert configured(**{"auth-url": url}, profile="conoha").is_conoha is True


def test_the_region_is_in_the_url() -> None:
    assert region(configured()) == "c3j1"
    assert region(configured(region="tyo3")) == "tyo3"
    assert region(configured(**{"auth-url": "https://keystone.example/v3"}, profile="conoha")) == ""


@pytest.mark.parametrize("text", ["short1A_", "no-digits-Here", "NO-SMALL-1", "no-capital-1", "NoSymbol1", "a" * 71])
def test_passwords_that_conoha_does_not_take(text: str) -> None:
    assert not conoha.is_password(text)
    with pytest.raises(UsageError, match="ConoHa") as caught:
        configured(**{"admin-password": text})
    assert text not in str(caught.value.brief + caught.value.resolution)


def test_passwords_of_its_own() -> None:
    made = {conoha.password() for _ in range(50)}
    assert len(made) == 50
    assert all(map(conoha.is_password, made))


def test_floating_addresses_are_not_asked_for() -> None:
    with pytest.raises(UsageError, match="floating"):
        configured(**{"floatingip-pool": "public"})


def test_its_old_service_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Conoha()
    old.cloud.identity = ("v2.0",)
    for name, value in old.proxy_environ().items():
        monkeypatch.setenv(name, value)
    try:
        with pytest.raises(PreflightFailed) as caught:
            new(old, tmp_path, **{"openstack-auth-url": "http://identity.tyo1.conoha.io/v2.0"}).check()
    finally:
        old.close()
    assert isinstance(caught.value, BadAuthUrl)
    assert "only v2.0" in caught.value.details
    assert conoha.AUTH_URL in caught.value.resolution
