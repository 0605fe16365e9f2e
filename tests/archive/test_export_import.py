"""A machine travels from one store to another and is of use there."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

import certs
from machine import archive, authority
from machine.archive import bundle
from machine.drivers.images import clone_source
from machine.errors import CertificateError, MachineExists, NameInvalid, RecordBroken, StoreError
from machine.model import EngineOptions
from machine.ssh import keys
from machine.store import Record, Store
from tests.certs.handshake import client_context, handshake, server_context

ENV = ("HTTP_PROXY=http://me:hush@proxy:3128", "NO_PROXY=localhost", "API_TOKEN=hush")
MIRRORS = ("https://me:hush@mirror.example", "https://open.example")


@pytest.fixture
def mine(tmp_path: Path) -> Store:
    """The owner's store, with the machine dev."""
    store = Store(str(tmp_path / "mine" / "store"))
    add(store, "dev", "generic", {"IPAddress": "192.0.2.7", "SSHUser": "ops", "SSHPort": 2222, "EnginePort": 2376})
    return store


@pytest.fixture
def theirs(tmp_path: Path) -> Store:
    """The colleague's, with a CA of its own."""
    store = Store(str(tmp_path / "theirs" / "store"))
    authority.ensure(store.root)
    return store


def add(store: Store, name: str, driver_name: str, data: dict[str, object]) -> Path:
    store.add(name)
    here = Path(store.directory(name))
    own = authority.ensure(store.root)
    for file, content in (("ca.pem", own.ca), ("cert.pem", own.client.cert), ("key.pem", own.client.key)):
        (here / file).write_bytes(content)
    server = own.issue_server(name, ["192.0.2.7"])
    (here / "server.pem").write_bytes(server.cert)
    (here / "server-key.pem").write_bytes(server.key)
    private, public = keys.make(name)
    (here / "id_ed25519").write_text(private)
    (here / "id_ed25519.pub").write_text(public)
    (here / "known_hosts").write_text(f"{name} ssh-ed25519 AAAAC3Nz\nother ssh-rsa AAAAB3Nz\n")
    (here / "secrets.json").write_text('{"Password": "hush"}')
    (here / "machine.log").write_text("a log\n")
    data = {"SSHKeyPath": str(here / "id_ed25519"), **data}
    engine = EngineOptions(env=ENV, registry_mirrors=MIRRORS, install_url="https://me:hush@files.example/get.sh")
    record = Record.new(store.root, name, driver_name, data, engine)
    record.phase = "ready"
    store.save(record)
    return here


def test_with_keys_a_colleague_can_use_it(mine: Store, theirs: Store, tmp_path: Path) -> None:
    out = tmp_path / "dev.tar.gz"
    sent = archive.export(mine, "dev", str(out), True)
    assert out.stat().st_mode & 0o777 == 0o600
    assert "every engine whose certificates come from the same CA" in sent.notes[0]
    got = archive.import_(theirs, str(out))
    assert got.name == "dev"
    assert "owner's certificate, which ends on 20" in got.notes[0]
    record = theirs.load("dev")
    here, there = Path(theirs.directory("dev")), Path(mine.directory("dev"))
    assert record.url() == "tcp://192.0.2.7:2376"
    assert record.ssh_key_path() == str(here / "id_ed25519")
    assert (here / "id_ed25519").read_bytes() == (there / "id_ed25519").read_bytes()
    assert (here / "known_hosts").read_text() == "dev ssh-ed25519 AAAAC3Nz\n"
    assert record.auth["StorePath"] == str(here)
    endpoint = record.endpoint()
    assert endpoint is not None
    assert (endpoint.ssh_user, endpoint.ssh_port) == ("ops", 2222)
    engine = certs.Pair((there / "server.pem").read_bytes(), (there / "server-key.pem").read_bytes())
    pair = certs.Pair((here / "cert.pem").read_bytes(), (here / "key.pem").read_bytes())
    ca = (here / "ca.pem").read_bytes()
    handshake(server_context(engine, ca), client_context(pair, ca), "192.0.2.7")


def test_modes_of_what_was_imported(mine: Store, theirs: Store, tmp_path: Path) -> None:
    archive.import_(theirs, archive.export(mine, "dev", str(tmp_path / "x"), True).path)
    here = Path(theirs.directory("dev"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in here.iterdir()}
    assert modes == {
        "config.json": 0o600,
        "ca.pem": 0o644,
        "cert.pem": 0o644,
        "key.pem": 0o600,
        "server.pem": 0o644,
        "server-key.pem": 0o600,
        "id_ed25519": 0o600,
        "known_hosts": 0o600,
    }
    assert here.stat().st_mode & 0o777 == 0o700


def test_an_imported_machine_keeps_its_own_ca(mine: Store, theirs: Store, tmp_path: Path) -> None:
    archive.import_(theirs, archive.export(mine, "dev", str(tmp_path / "x"), True).path)
    before = Path(theirs.directory("dev"), "cert.pem").read_bytes()
    authority.ensure(theirs.root).renew_client()
    assert Path(theirs.directory("dev"), "cert.pem").read_bytes() == before


def test_without_keys_it_is_a_record_and_advice(mine: Store, theirs: Store, tmp_path: Path) -> None:
    sent = archive.export(mine, "dev", str(tmp_path / "x"))
    assert b"PRIVATE KEY" not in b"".join(bundle.unpack(sent.data, "x").values())
    got = archive.import_(theirs, sent.path)
    assert sorted(os.listdir(theirs.directory("dev"))) == ["ca.pem", "config.json", "known_hosts"]
    assert theirs.load("dev").url() == "tcp://192.0.2.7:2376"
    assert theirs.load("dev").ssh_key_path() == ""
    assert "machine export --with-keys dev" in got.notes[0]


@pytest.mark.parametrize("with_keys", [False, True])
def test_no_secret_and_no_path_of_the_owner_travels(mine: Store, tmp_path: Path, with_keys: bool) -> None:
    add(
        mine,
        "cloud",
        "linode",
        {
            "AccessToken": "hush",
            "nested": [{"apiKey": "hush", "Zone": "z1"}],
            "SSHKey": "/home/owner/.ssh/id_rsa",
            "IPAddress": "192.0.2.9",
        },
    )
    for name in ("dev", "cloud"):
        sent = archive.export(mine, name, str(tmp_path / name), with_keys)
        with tarfile.open(tmp_path / name) as tar:
            everything = b"".join(content.read() for info in tar if (content := tar.extractfile(info)))
        ca_key = Path(mine.root, "certs", "ca-key.pem").read_bytes()
        for word in (b"hush", mine.root.encode(), b"/home/owner", b"a log", ca_key):
            assert word not in everything, word
        kept = "--engine-env HTTP_PROXY, --engine-env NO_PROXY, --engine-env API_TOKEN"
        assert any(f"{kept}, --engine-registry-mirror, --engine-install-url" in note for note in sent.notes)
        config = json.loads(bundle.unpack(sent.data, "x")["config.json"])
        engine = config["HostOptions"]["EngineOptions"]
        assert engine["Env"] == []
        assert (engine["RegistryMirror"], engine["InstallURL"]) == (["https://open.example"], "")
    assert config["Driver"]["nested"] == [{"apiKey": "", "Zone": "z1"}]
    assert mine.load("cloud").driver_object["AccessToken"] == "hush", "the owner's record stays as it was"


def test_under_another_name(mine: Store, theirs: Store, tmp_path: Path) -> None:
    archive.export(mine, "dev", str(tmp_path / "x"), True)
    assert archive.import_(theirs, str(tmp_path / "x"), "shared").name == "shared"
    record = theirs.load("shared")
    assert record.ssh_key_path() == str(Path(theirs.directory("shared"), "id_ed25519"))
    assert Path(theirs.directory("shared"), "known_hosts").read_text() == "shared ssh-ed25519 AAAAC3Nz\n"
    assert record.raw["Machine"]["Imported"]
    with pytest.raises(NameInvalid):
        archive.import_(theirs, str(tmp_path / "x"), "../evil")


def test_an_existing_name_is_left_alone(mine: Store, theirs: Store, tmp_path: Path) -> None:
    archive.export(mine, "dev", str(tmp_path / "x"), True)
    archive.import_(theirs, str(tmp_path / "x"))
    before = Path(theirs.directory("dev"), "config.json").read_bytes()
    with pytest.raises(MachineExists):
        archive.import_(theirs, str(tmp_path / "x"))
    assert Path(theirs.directory("dev"), "config.json").read_bytes() == before


def test_an_existing_file_is_not_overwritten(mine: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        archive.export(mine, "dev", str(tmp_path / "x"))
    assert (tmp_path / "x").read_text() == "mine"
    archive.export(mine, "dev", str(tmp_path / "x"), replace=True)
    assert (tmp_path / "x").read_bytes()[:2] == b"\x1f\x8b"


def test_a_directory_that_does_not_exist_is_not_made(mine: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"there is no directory {tmp_path}/nowhere/at/all$"):
        archive.export(mine, "dev", str(tmp_path / "nowhere" / "at" / "all" / "x"), True)
    assert not (tmp_path / "nowhere").exists()


def test_missing_keys_cannot_be_exported(mine: Store, tmp_path: Path) -> None:
    Path(mine.directory("dev"), "key.pem").unlink()
    with pytest.raises(CertificateError, match=r"dev has no key\.pem"):
        archive.export(mine, "dev", str(tmp_path / "x"), True)
    assert not (tmp_path / "x").exists()
    archive.export(mine, "dev", str(tmp_path / "x"))


def test_a_machine_without_ssh_key_says_so(mine: Store, tmp_path: Path) -> None:
    Path(mine.directory("dev"), "id_ed25519").unlink()
    assert "no ssh key" in archive.export(mine, "dev", str(tmp_path / "x"), True).notes[1]


def test_a_virtual_machines_disk_stays_and_that_is_said(mine: Store, theirs: Store, tmp_path: Path) -> None:
    here = add(mine, "vm", "qemu", {"IPAddress": "127.84.1.2"})
    (here / "disk.qcow2").write_bytes(b"disk")
    sent = archive.export(mine, "vm", str(tmp_path / "x"), True)
    assert any("the disk of vm is not in the file" in note for note in sent.notes)
    got = archive.import_(theirs, str(tmp_path / "x"))
    assert "the disk of vm was not in the file" in got.notes[0]


def bent(mine: Store, **changes: bytes) -> bytes:
    """An export with some of its files replaced."""
    contents = bundle.unpack(archive.export(mine, "dev", "", True).data, "x")
    return bundle.pack({**contents, **{key.replace("_", "."): value for key, value in changes.items()}})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"manifest_json": b"["}, StoreError),
        ({"manifest_json": b'{"Format": 2, "Name": "dev"}'}, StoreError),
        ({"manifest_json": b'{"Format": 1, "Name": "../../x"}'}, NameInvalid),
        ({"manifest_json": b'{"Format": 1, "Name": 7}'}, StoreError),
        ({"config_json": b"{"}, RecordBroken),
        ({"config_json": b'{"ConfigVersion": 99}'}, RecordBroken),
        ({"key_pem": b"nonsense"}, CertificateError),
        ({"cert_pem": certs.make_ca("x").cert}, CertificateError),
        ({"server-key_pem": certs.make_ca("x").key}, CertificateError),
        ({"ca_pem": certs.make_ca("x").cert}, CertificateError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_bent_file_leaves_the_store_as_it_was(
    mine: Store, theirs: Store, tmp_path: Path, changes: dict[str, bytes], error: type[Exception]
) -> None:
    (tmp_path / "x").write_bytes(bent(mine, **changes))
    with pytest.raises(error):
        archive.import_(theirs, str(tmp_path / "x"))
    assert theirs.names() == []


def test_a_path_in_the_record_cannot_point_ssh_elsewhere(mine: Store, theirs: Store, tmp_path: Path) -> None:
    config = json.loads(bundle.unpack(archive.export(mine, "dev", "").data, "x")["config.json"])
    config["Driver"]["SSHKeyPath"] = "/etc/ssh/ssh_host_ed25519_key"
    (tmp_path / "x").write_bytes(bent(mine, config_json=json.dumps(config).encode()))
    archive.import_(theirs, str(tmp_path / "x"))
    assert theirs.load("dev").ssh_key_path() == str(Path(theirs.directory("dev"), "id_ed25519"))


def test_no_file_and_no_archive_are_advice(theirs: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        archive.import_(theirs, str(tmp_path / "nothing"))
    with pytest.raises(StoreError, match="cannot read"):
        archive.import_(theirs, str(tmp_path))
    (tmp_path / "big").write_bytes(bytes(5 * 2**20))
    with pytest.raises(StoreError, match="too large"):
        archive.import_(theirs, str(tmp_path / "big"))


def test_a_record_of_docker_machine_travels_too(mine: Store, theirs: Store, tmp_path: Path) -> None:
    here = add(mine, "old", "virtualbox", {"IPAddress": "192.168.99.100"})
    config = json.loads((here / "config.json").read_text())
    del config["Machine"]
    config["Driver"]["SSHKeyPath"] = str(here / "id_rsa")
    (here / "id_ed25519").rename(here / "id_rsa")
    (here / "config.json").write_text(json.dumps(config))
    archive.export(mine, "old", str(tmp_path / "x"), True)
    archive.import_(theirs, str(tmp_path / "x"))
    record = theirs.load("old")
    assert record.phase == "ready"
    assert record.ssh_key_path() == str(Path(theirs.directory("old"), "id_rsa"))


def test_no_file_from_elsewhere_shares_a_directory_of_ours(mine: Store, theirs: Store, tmp_path: Path) -> None:
    add(mine, "elsewhere", "generic", {"IPAddress": "192.0.2.1"})
    record = mine.load("elsewhere")
    record.set_shares({"/home": {"Writable": True, "Target": "/home"}})
    mine.save(record)
    archive.export(mine, "elsewhere", str(tmp_path / "x"), True)
    contents = bundle.unpack((tmp_path / "x").read_bytes(), "x")
    assert b"/home" not in contents["config.json"]
    config = json.loads(contents["config.json"])
    config["Machine"]["Shares"] = {"/home": {"Writable": True, "Target": "/home"}}
    contents["config.json"] = json.dumps(config).encode()
    archive.unpack(theirs, bundle.pack(contents), "x")
    assert theirs.load("elsewhere").shares() == {}


@pytest.mark.parametrize("driver", ["qemu", "virtualbox"])
def test_a_virtual_machines_record_names_no_file_of_this_computer(
    mine: Store, theirs: Store, tmp_path: Path, driver: str
) -> None:
    """Its program would be run by `ls`, its image read by a create that goes on."""
    named: dict[str, object] = {
        "IPAddress": "127.84.1.2",
        "Program": "/tmp/anything",
        "InstallPath": "/tmp",
        "Image": "/etc/shadow",
        "Base": {"name": "x", "disk": "/etc/shadow", "format": "raw", "origin": "https://example.com/x.img"},
        "TemplateDisk": "file://../x",
        "CloneOf": {"Machine": "dev", "Snapshot": "file://x"},
        "Snapshots": {"one": {"accel": "x://y"}},
        "Boot2DockerURL": "/etc/shadow",
    }
    add(mine, "vm", driver, named)
    record = mine.load("vm")
    record.clone_snapshots = ["clone-1"]
    mine.save(record)
    archive.export(mine, "vm", str(tmp_path / "vm.tgz"), True)
    archive.import_(theirs, str(tmp_path / "vm.tgz"))
    found = theirs.load("vm").driver_object
    assert not [key for key in named if key != "IPAddress" and found.get(key)]
    assert found["IPAddress"] == "127.84.1.2"
    assert theirs.load("vm").clone_snapshots == []
    assert clone_source.recorded(found) is None


@pytest.mark.parametrize("with_keys", [True, False])
def test_the_key_of_a_classic_swarm_goes_with_the_keys(
    mine: Store, theirs: Store, tmp_path: Path, with_keys: bool
) -> None:
    (Path(mine.directory("dev")) / "swarm.key").write_text("5ec4e7\n")
    out = tmp_path / "dev.tar.gz"
    archive.export(mine, "dev", str(out), with_keys)
    archive.import_(theirs, str(out))
    there = Path(theirs.directory("dev")) / "swarm.key"
    assert there.exists() == with_keys
    assert not with_keys or (there.read_text(), there.stat().st_mode & 0o777) == ("5ec4e7\n", 0o600)
