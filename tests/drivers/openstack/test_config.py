"""Option values become a Driver object, and that a way to log in; nonsense is named with its flag."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.cloud import errors
from machine.drivers.openstack import conoha, login
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.driver import OpenStackDriver
from machine.drivers.openstack.errors import BadCloud
from machine.errors import UsageError
from machine.model import Endpoint, State
from machine.options import resolve
from tests.drivers import contexts
from tests.drivers.cloud_stand_in import again, new, unmake
from tests.drivers.openstack.fake_openstack import Stack
from tests.drivers.openstack.project import USER
from tests.drivers.openstack.server import CREDENTIAL, CREDENTIAL_SECRET, PASSWORD, PROJECT

URL = "https://keystone.example:5000/v3"
LEAST = {"auth-url": URL, "username": "u", "password": "p", "tenant-name": "t", "flavor-name": "f", "image-name": "i"}


def configured(environ: dict[str, str] | None = None, /, **given: Any) -> dict[str, Any]:
    """The Driver object of these flags (None: left out) over the least that is needed; nothing is touched for it."""
    flags = {**LEAST, **{name.replace("_", "-"): value for name, value in given.items()}}
    values = {f"openstack-{name}": value for name, value in flags.items() if value is not None}
    return OpenStackDriver.configure(
        contexts.forbidding(), resolve(OpenStackDriver.traits.options, values, environ or {})
    ).dump()


def arguments(data: dict[str, Any]) -> dict[str, Any]:
    """What the SDK is told of a Driver object."""
    return login.arguments(Config.from_record(data))


def test_the_keys_of_docker_machine() -> None:
    data = configured(sec_groups="default, web ,", keypair_name="k", private_key_file="/k", metadata="a,b")
    assert data["SecurityGroups"] == ["default", "web"]
    assert (data["KeyPairName"], data["ExistingKey"], data["PrivateKeyFile"]) == ("k", True, "/k")
    assert (data["AuthUrl"], data["Username"], data["TenantName"]) == (URL, "u", "t")
    assert (data["FlavorName"], data["ImageName"], data["IpVersion"], data["SSHPort"]) == ("f", "i", 4, 22)


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        ({"auth_url": None}, "--openstack-auth-url"),
        ({"auth_url": "keystone.example"}, "--openstack-auth-url"),
        ({"username": None}, "--openstack-username"),
        ({"password": None}, "--openstack-password"),
        ({"tenant_name": None}, "--openstack-project-name"),
        ({"tenant_name": None, "token": "T"}, "--openstack-project-name"),
        ({"project_name": "another"}, "--openstack-project-name"),
        ({"application_credential_id": "x"}, "--openstack-application-credential-secret"),
        ({"flavor_name": None}, "--openstack-flavor-name"),
        ({"image_name": None}, "--openstack-image-name"),
        ({"flavor_id": "1"}, "--openstack-flavor-id"),
        ({"net_id": "1", "net_name": "n"}, "--openstack-net-id"),
        ({"volume_id": "1", "volume_size": 5}, "--openstack-volume-id"),
        ({"keypair_name": "k"}, "--openstack-private-key-file"),
        ({"sec_groups": "default", "open_port": ["80"]}, "--openstack-open-port"),
        ({"open_port": ["http"]}, "--openstack-open-port"),
        ({"allow_from": ["here"]}, "--openstack-allow-from"),
        ({"metadata": "a"}, "--openstack-metadata"),
        ({"metadata": "machine-id,x"}, "--openstack-metadata"),
        ({"endpoint_type": "secret"}, "--openstack-endpoint-type"),
        ({"endpoint": ["compute"]}, "--openstack-endpoint"),
        ({"endpoint": ["compue=https://h:8774/v2.1"]}, "--openstack-endpoint"),
        ({"profile": "rackspace"}, "--openstack-profile"),
        ({"ip_version": 5}, "--openstack-ip-version"),
        ({"ip_version": 6, "floatingip_pool": "public"}, "--openstack-floatingip-pool"),
        ({"ssh_port": 0}, "--openstack-ssh-port"),
        ({"active_timeout": 0}, "--openstack-active-timeout"),
    ],
)
def test_nonsense_is_named(flags: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        configured(**flags)
    assert flag in caught.value.brief + caught.value.resolution


def test_the_groups_of_open_ports() -> None:
    assert configured(sec_groups="default,docker-machine", open_port=["80"])["OpenPorts"] == ["80"]
    assert configured(allow_from=["203.0.113.7"])["AllowFrom"] == ["203.0.113.7/32"]


@pytest.mark.parametrize("flag", ["volume_size", "volume_type", "volume_name", "volume_id"])
def test_flags_of_a_volume_ask_for_one(flag: str) -> None:
    assert configured()["BootFromVolume"] is False
    assert configured(**{flag: 9 if flag == "volume_size" else "x"})["BootFromVolume"] is True


@pytest.mark.parametrize(
    ("flags", "kind", "auth"),
    [
        (
            {},
            "password",
            {"username": "u", "user_domain_id": "default", "project_name": "t", "project_domain_id": "default"},
        ),
        (
            {"domain_name": "d"},
            "password",
            {"username": "u", "user_domain_name": "d", "project_name": "t", "project_domain_name": "d"},
        ),
        (
            {"user_domain_name": "d", "project_domain_id": "e"},
            "password",
            {"username": "u", "user_domain_name": "d", "project_name": "t", "project_domain_id": "e"},
        ),
        ({"user_id": "1", "project_id": "2", "tenant_name": None}, "password", {"user_id": "1", "project_id": "2"}),
        (
            {"auth_url": "https://identity.c3j1.conoha.io/v3"},
            "password",
            {"username": "u", "user_domain_name": "gnc", "project_name": "t", "project_domain_name": "gnc"},
        ),
        (
            {"application_credential_id": "1", "application_credential_secret": "s"},
            "applicationcredential",
            {"application_credential_id": "1", "application_credential_secret": "s"},
        ),
        (
            {"application_credential_name": "n", "application_credential_secret": "s"},
            "applicationcredential",
            {
                "application_credential_name": "n",
                "application_credential_secret": "s",
                "username": "u",
                "user_domain_id": "default",
            },
        ),
        (
            {"token": "T", "password": None, "username": None},
            "token",
            {"token": "T", "project_name": "t", "project_domain_id": "default"},
        ),
    ],
)
def test_ways_to_log_in(flags: dict[str, Any], kind: str, auth: dict[str, str]) -> None:
    data = configured(**flags)
    found = arguments(data)
    assert found["auth_type"] == f"v3{kind}"
    given = {key: value for key, value in found["auth"].items() if key not in ("auth_url", "password")}
    assert given == auth


def test_where_to_ask() -> None:
    data = configured(
        region="R",
        endpoint_type="internalURL",
        insecure=True,
        cacert="/ca",
        endpoint=["block-storage=https://h:8776/v3"],
    )
    found = arguments(data)
    assert (found["region_name"], found["interface"], found["verify"], found["cacert"]) == (
        "R",
        "internal",
        False,
        "/ca",
    )
    assert found["block_storage_endpoint_override"] == "https://h:8776/v3"
    assert "auth" not in arguments(configured(cloud="mine", auth_url=None, username=None))


@pytest.mark.parametrize(
    ("url", "root", "version"),
    [
        ("https://k:5000/v3", "https://k:5000", "v3"),
        ("https://k:5000/v3/", "https://k:5000", "v3"),
        ("https://k/identity/v2.0", "https://k/identity", "v2.0"),
        ("https://k/identity/", "https://k/identity", ""),
    ],
)
def test_versions_in_urls(url: str, root: str, version: str) -> None:
    assert login.without_version(url) == (root, version)


def test_what_version_documents_say() -> None:
    both = {"versions": {"values": [{"id": "v3.14"}, {"id": "v2.0"}]}}
    assert login.offers_v3(both)
    assert login.offers_v3({"version": {"id": "v3.8"}})
    assert login.offers_v3({"versions": [{"id": "v3.8"}]})
    others: list[Any] = [
        {"versions": {"values": [{"id": "v2.0"}]}},
        {},
        {"versions": "v3"},
        [],
        None,
        {"version": None},
    ]
    for other in others:
        assert not login.offers_v3(other)


def test_application_credentials_and_tokens_reach_the_cloud(cloud: Stack, tmp_path: Path) -> None:
    flags = {
        "openstack-username": "",
        "openstack-project-name": "",
        "openstack-application-credential-id": CREDENTIAL,
        "openstack-application-credential-secret": CREDENTIAL_SECRET,
    }
    new(cloud, tmp_path / "a", **flags).check()
    for key, value in (("id", "revoked"), ("secret", "another")):
        with pytest.raises(errors.BadCredentials):
            new(cloud, tmp_path / key, **{**flags, f"openstack-application-credential-{key}": value}).check()
    cloud.cloud.tokens.add("the-token")
    flags = {"openstack-username": "", "openstack-token": "the-token", "openstack-password": ""}
    new(cloud, tmp_path / "b", **flags).check()


def test_a_cloud_of_clouds_yaml(cloud: Stack, tmp_path: Path) -> None:
    auth = {"auth_url": f"{cloud.proxy.url}/identity/v2.0", "username": USER, "password": PASSWORD}
    auth |= {"project_name": PROJECT, "user_domain_name": "Default", "project_domain_name": "Default"}
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"mine": {"auth": auth}}}))
    given = {name: "" for name in cloud.options() if name.partition("-")[2] not in ("flavor-name", "image-name")}
    flags = {**given, "openstack-cloud": "mine", "openstack-client-config-file": str(path), "openstack-password": ""}
    driver = new(cloud, tmp_path, **flags)
    driver.check()
    assert PASSWORD not in json.dumps(driver.dump())
    assert driver.dump()["Profile"] == "openstack"
    said: list[str] = []
    driver = new(cloud, tmp_path, **{**flags, "openstack-username": "mallory"})
    driver.ctx = replace(driver.ctx, log=said.append)
    driver.check()
    assert said == ["not used, as the cloud mine has a login: --openstack-username (or their variables)"]
    conohas = {"openstack-auth-url": conoha.AUTH_URL, "openstack-floatingip-pool": "public"}
    driver = new(cloud, tmp_path, **{**flags, **conohas})
    driver.check()
    assert driver.dump()["Profile"] == "openstack", "that URL is not used"
    cloud.cloud.tokens.add("T")
    for key in ("username", "password", "project_name", "user_domain_name", "project_domain_name"):
        auth.pop(key)
    nowhere = {"clouds": {"mine": {"auth_type": "v3token", "auth": {"token": "T", **auth}}}}
    path.write_text(json.dumps(nowhere))
    with pytest.raises(errors.BadCredentials, match="no project"):
        new(cloud, tmp_path, **flags).check()
    with pytest.raises(BadCloud, match="configuration") as caught:
        new(cloud, tmp_path, **{**flags, "openstack-cloud": "another"}).check()
    assert "--openstack-cloud" in caught.value.resolution


def test_the_clouds_yaml_of_this_directory(cloud: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later commands are typed elsewhere. The password stands in a file beside it."""
    auth = {"auth_url": f"{cloud.proxy.url}/identity/v3", "username": USER, "project_name": PROJECT}
    auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"mine": {"auth": auth}}}))
    (tmp_path / "secure.yaml").write_text(json.dumps({"clouds": {"mine": {"auth": {"password": PASSWORD}}}}))
    given = {name: "" for name in cloud.options() if name.partition("-")[2] not in ("flavor-name", "image-name")}
    monkeypatch.chdir(tmp_path)
    driver = new(cloud, tmp_path, **{**given, "openstack-cloud": "mine", "openstack-password": ""})
    driver.check()
    driver.ctx.save(driver)
    monkeypatch.chdir("/")
    later = again(driver)
    assert isinstance(later, OpenStackDriver)
    assert later.api.log_in() == cloud.project.id
    assert PASSWORD not in json.dumps(later.dump())


def test_a_record_of_docker_machine(cloud: Stack, tmp_path: Path) -> None:
    """It has the clear password, no mark on its server, and a key pair of its own name."""
    project = cloud.project
    project.keys["old-1a2b"] = {"name": "old-1a2b", "public_key": "ssh-rsa A", "fingerprint": "", "type": "ssh"}
    body = {"name": "old", "flavorRef": project.flavors[0]["id"], "imageRef": project.images[0]["id"]}
    made = project.make_server({**body, "key_name": "old-1a2b"}, {}, (2, 1))
    record = {
        "AuthUrl": f"{cloud.proxy.url}/identity/v3",
        "Username": USER,
        "Password": PASSWORD,
        "TenantName": PROJECT,
        "DomainName": "Default",
        "EndpointType": "publicURL",
        "MachineId": made["id"],
        "KeyPairName": "old-1a2b",
        "ExistingKey": False,
        "SSHUser": "root",
        "SSHPort": 22,
        "SecurityGroups": None,
        "FloatingIpPool": "",
        "IpVersion": 4,
        "UserData": None,
        "ActiveTimeout": 200,
        "NetworkId": "",
        "ImageId": "",
        "FlavorId": "",
    }
    ctx = contexts.real(tmp_path)
    driver = OpenStackDriver.load(ctx, record)
    while driver.state() is not State.RUNNING:
        ctx.clock.sleep(0.05)
    assert driver.endpoint() == Endpoint("10.89.0.1", peer_address="10.89.0.1")
    assert driver.dump() == record
    assert Config.from_record(record).retries == 5, "as for a new machine"
    unmake(driver)
    assert project.listing()["keys"] == project.listing()["servers"] == []


def test_the_fork_spells_a_key_otherwise() -> None:
    config = Config.from_record({"DomainId": "d", "Other": 1})
    assert config.domain_id == "d"
    assert config.to_record() == {"DomainID": "d", "Other": 1}


def test_a_region_in_a_url_that_is_not_used() -> None:
    given = {"cloud": "mine", "auth_url": conoha.AUTH_URL, "profile": "conoha"}
    assert "region_name" not in arguments(configured(**given))
    assert arguments(configured(**{**given, "cloud": ""}))["region_name"] == "c3j1"
