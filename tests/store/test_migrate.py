"""Stores as docker-machine 0.1 to 0.16 wrote them: read where they lie, moved elsewhere, and written back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from machine.model import Endpoint, EngineOptions
from machine.store import Record, Store

STORES = Path(__file__).parents[1] / "data" / "stores"
OLD = "/home/alice/.docker/machine"  # where all of them were written
ENDPOINTS = {
    "generic": Endpoint("192.0.2.10"),
    "none": Endpoint("192.0.2.7"),
    "virtualbox": Endpoint("192.168.99.100", "docker"),
    "openstack": Endpoint("198.51.100.4"),
    "azure": Endpoint("203.0.113.5", "docker-user", 22, 2377, "", 2377),
    "amazonec2": Endpoint("203.0.113.6", "ubuntu"),
    "digitalocean": Endpoint("2001:db8::7"),
}
CASES = [(version, driver) for version in range(4) for driver in ENDPOINTS]


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    shutil.copytree(STORES, tmp_path / "s")
    return tmp_path / "s"


def load(stores: Path, version: int, driver_name: str) -> Record:
    return Store(str(stores / f"v{version}")).load(f"{driver_name}-1")


@pytest.mark.parametrize("version", range(4))
def test_every_machine_is_listed(stores: Path, version: int) -> None:
    assert Store(str(stores / f"v{version}")).names() == sorted(f"{driver}-1" for driver in ENDPOINTS)


@pytest.mark.parametrize(("version", "driver"), CASES)
def test_every_machine_is_read(stores: Path, version: int, driver: str) -> None:
    record = load(stores, version, driver)
    assert record.driver_name == driver
    assert record.endpoint() == ENDPOINTS[driver]
    assert record.phase == "ready"
    assert record.raw["ConfigVersion"] == 3
    assert record.engine_options() == (
        EngineOptions() if version == 0 else EngineOptions(labels=("tier=test",), storage_driver="overlay2")
    )
    assert record.raw["HostOptions"]["EngineOptions"]["TlsVerify"] is True
    swarm = record.swarm_options()
    assert swarm.master is (driver == "openstack")
    assert swarm.is_swarm is (driver in ("openstack", "amazonec2"))
    assert swarm.host == "tcp://0.0.0.0:3376"
    assert swarm.discovery.startswith("token://") is swarm.is_swarm


@pytest.mark.parametrize(("version", "driver"), CASES)
def test_paths_are_those_of_the_store_as_it_lies_now(stores: Path, version: int, driver: str) -> None:
    record = load(stores, version, driver)
    root, here = str(stores / f"v{version}"), str(stores / f"v{version}" / "machines" / f"{driver}-1")
    assert OLD not in json.dumps(record.raw)
    auth = record.auth
    assert auth["StorePath"] == here == record.cert_dir()
    assert auth["CertDir"] == f"{root}/certs"
    assert auth["CaCertPath"] == f"{root}/certs/ca.pem"
    assert auth["CaPrivateKeyPath"] == f"{root}/certs/ca-key.pem"
    assert auth["ServerKeyPath"] == f"{here}/server-key.pem"
    assert record.driver_object["StorePath"] == root
    assert record.driver_object["SSHKeyPath"] == ("" if driver == "none" else f"{here}/id_rsa")
    if driver == "generic":
        assert record.driver_object["SSHKey"] == "/home/alice/.ssh/id_rsa"  # was never in the store


@pytest.mark.parametrize(("version", "driver"), CASES)
def test_saving_writes_version_3_and_keeps_the_old_bytes(stores: Path, version: int, driver: str) -> None:
    directory = stores / f"v{version}" / "machines" / f"{driver}-1"
    before = (directory / "config.json").read_bytes()
    store = Store(str(stores / f"v{version}"))
    record = store.load(f"{driver}-1")
    assert (directory / "config.json").read_bytes() == before  # reading changes nothing
    store.save(record)
    store.save(record)
    written = json.loads((directory / "config.json").read_bytes())
    assert list(written)[:5] == ["ConfigVersion", "Driver", "DriverName", "HostOptions", "Name"]
    assert written["ConfigVersion"] == 3
    assert set(written) - {"ConfigVersion", "Driver", "DriverName", "HostOptions", "Name"} == set()
    assert store.load(f"{driver}-1").raw == record.raw
    backup = directory / "config.json.bak"
    assert backup.exists() is (version < 3)
    if version < 3:
        assert backup.read_bytes() == before
        assert backup.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("driver", ENDPOINTS)
def test_version_3_comes_back_as_docker_machine_wrote_it(stores: Path, driver: str) -> None:
    """In its own place nothing changes but null lists and secrets."""
    data = (STORES / "v3" / "machines" / f"{driver}-1" / "config.json").read_bytes()
    old, new = json.loads(data), Record.parse(data, OLD, f"{driver}-1").raw
    old["HostOptions"]["EngineOptions"]["Dns"] = []
    old["HostOptions"]["SwarmOptions"]["Env"] = []
    assert new == old
    assert [list(new), list(new["Driver"])] == [list(old), list(old["Driver"])]


def moved(root: str, **changes: Any) -> Record:
    raw = json.loads((STORES / "v3" / "machines" / "generic-1" / "config.json").read_bytes())
    raw["Driver"].update(changes.pop("Driver", {}))
    raw["HostOptions"]["AuthOptions"].update(changes)
    return Record.parse(json.dumps(raw).encode(), root, "dev")


def test_what_docker_machine_made_of_old_records_is_repaired(tmp_path: Path) -> None:
    """It migrates version 0 to CertDir "certs" and StorePath ".", version 2 to Driver.StorePath "."."""
    record = moved(str(tmp_path), CertDir="certs", StorePath=".", Driver={"StorePath": "."})
    assert record.auth["CertDir"] == f"{tmp_path}/certs"
    assert record.auth["StorePath"] == f"{tmp_path}/machines/dev"
    assert record.driver_object["StorePath"] == str(tmp_path)


def test_a_recorded_store_path_may_be_the_store_itself(tmp_path: Path) -> None:
    """So docker-machine leaves what it migrates from version 1."""
    record = moved(str(tmp_path), StorePath=OLD, Driver={"StorePath": ""})
    assert record.auth["CaCertPath"] == f"{tmp_path}/certs/ca.pem"
    assert record.auth["ServerCertPath"] == f"{tmp_path}/machines/generic-1/server.pem"


def test_a_renamed_machine_takes_its_files_along(tmp_path: Path) -> None:
    assert moved(OLD).driver_object["SSHKeyPath"] == f"{OLD}/machines/dev/id_rsa"
    assert moved(OLD).driver_object["MachineName"] == "generic-1"  # what the platform calls it


def test_certificates_of_another_place_stay_where_they_are(tmp_path: Path) -> None:
    elsewhere = tmp_path / "pki"
    elsewhere.mkdir()
    record = moved(str(tmp_path), CertDir=str(elsewhere), CaCertPath=f"{elsewhere}/ca.pem")
    assert record.auth["CertDir"] == str(elsewhere)
    assert record.auth["CaCertPath"] == f"{elsewhere}/ca.pem"
    record = moved(str(tmp_path), CertDir="/gone/pki", CaCertPath="/gone/pki/ca.pem")
    assert record.auth["CaCertPath"] == f"{tmp_path}/certs/ca.pem"


def test_a_neighbour_with_a_longer_name_is_not_in_the_store() -> None:
    record = moved("/new", Driver={"SSHKeyPath": OLD + "-other/key"})
    assert record.driver_object["SSHKeyPath"] == OLD + "-other/key"


def test_a_store_from_windows_is_read_elsewhere(tmp_path: Path) -> None:
    old = "C:\\Users\\alice\\.docker\\machine"
    record = moved(
        str(tmp_path),
        CertDir=old + "\\certs",
        CaCertPath=old + "\\certs\\ca.pem",
        StorePath=old + "\\machines\\dev",
        Driver={"StorePath": old, "SSHKeyPath": old + "\\machines\\dev\\id_rsa"},
    )
    assert record.auth["CaCertPath"] == os.path.join(tmp_path, "certs", "ca.pem")
    assert record.driver_object["SSHKeyPath"] == os.path.join(tmp_path, "machines", "dev", "id_rsa")
