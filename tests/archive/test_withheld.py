"""What of the engine's settings stays at home, and how it comes to the other side."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from machine import archive, authority, redaction
from machine.archive import bundle
from machine.console import Console
from machine.errors import UsageError
from machine.lifecycle.remove import remove
from machine.model import EngineOptions, SwarmOptions
from machine.session import Session
from machine.store import Record, Store

SECRET = "hush-hush"
ENV = ("DB_PASS", "GPG_PASSPHRASE", "GITHUB_PAT", "AUTH", "MYSQL_PWD", "SSHPASS", "HARMLESS_LOOKING", "TZ")
OPTIONS = (
    "log-opt=splunk-token=hush-hush",
    "log-opt=gelf-address=hush-hush",
    "--log-opt=awslogs-group=hush-hush",
    "default-network-opt=bridge=key=hush-hush",
    "http-proxy=http://me:hush-hush@proxy:3128",
    "exec-opt=pwd=hush-hush",
)
OPEN = ("log-driver=splunk", "max-concurrent-downloads=3", "exec-opt=native.cgroupdriver=systemd")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path / "store"))
    authority.ensure(made.root)
    made.add("dev")
    engine = EngineOptions(
        env=tuple(f"{name}={SECRET}" for name in ENV),
        flags=(*OPTIONS, *OPEN),
        labels=("colour=blue", f"deploy.key={SECRET}", "monkey=see"),
        registry_mirrors=(f"https://mirror.example/?sig={SECRET}",),
        install_url=f"https://x.example/get.sh?sig={SECRET}",
    )
    swarm = SwarmOptions(
        is_swarm=True, discovery=f"consul://me:{SECRET}@kv:8500/x", flags=(f"discovery-opt=kv.token={SECRET}",)
    )
    made.save(Record.new(made.root, "dev", "generic", {"IPAddress": "192.0.2.7"}, engine, swarm))
    return made


def contents(sent: archive.Exported) -> bytes:
    return b"".join(bundle.unpack(sent.data, "x").values())


def test_no_value_that_may_be_a_secret_travels(store: Store, tmp_path: Path) -> None:
    sent = archive.export(store, "dev", str(tmp_path / "x"))
    assert SECRET.encode() not in contents(sent)
    (note,) = sent.notes
    for name in (*ENV, "log-opt=splunk-token", "http-proxy", "deploy.key"):
        assert name in note
    theirs = Store(str(tmp_path / "theirs"))
    archive.import_(theirs, sent.path)
    engine = theirs.load("dev").engine_options()
    assert (engine.env, engine.flags, engine.labels) == ((), OPEN, ("colour=blue", "monkey=see"))
    assert [item for item in store.load("dev").engine_options().env if SECRET in item], "the owner's stays as it was"


def test_what_is_asked_for_by_name_goes_along(store: Store) -> None:
    sent = archive.export(store, "dev", "", with_values=["TZ", "splunk-token", "http-proxy"])
    assert contents(sent).count(SECRET.encode()) == 3
    assert "TZ" not in sent.notes[0]
    whole = archive.export(store, "dev", "", with_values=["log-opt"])
    assert contents(whole).count(SECRET.encode()) == 3
    with pytest.raises(UsageError, match="'TYPO'") as caught:
        archive.export(store, "dev", "", with_values=["TYPO"])
    assert caught.value.resolution == "machine export dev names those that do"


def test_import_names_what_is_missing_and_takes_it(store: Store, tmp_path: Path) -> None:
    file = archive.export(store, "dev", str(tmp_path / "x")).path
    theirs = Store(str(tmp_path / "theirs"))
    note = archive.import_(theirs, file).notes[-1]
    assert "--engine-env DB_PASS" in note
    assert "machine import --engine-opt log-opt=splunk-token=VALUE" in note
    assert "--engine-env DB_PASS=VALUE --engine-env GPG_PASSPHRASE=VALUE" in note
    added_settings = archive.AddedSettings(
        engine_env=tuple(f"{name}=x" for name in ENV), engine_opt=("log-opt=splunk-token=y", "http-proxy=http://p")
    )
    got = archive.import_(theirs, file, "other", added_settings)
    engine = theirs.load("other").engine_options()
    assert engine.env == added_settings.engine_env
    assert engine.flags == (*OPEN, *added_settings.engine_opt)
    assert "DB_PASS" not in got.notes[-1]
    assert "log-opt=gelf-address" in got.notes[-1]


def test_a_manifest_that_lies_reaches_no_terminal(store: Store, tmp_path: Path) -> None:
    packed = bundle.unpack(archive.export(store, "dev", "").data, "x")
    for bad in (
        b'"x"',
        b'[["a"]]',
        b"[[1, 2]]",
        b'[["engine-env", "\\u001b[2J"]]',
        b'[["engine-env", "%s"]]' % (b"a" * 999),
    ):
        packed["manifest.json"] = b'{"Format": 1, "Name": "dev", "Withheld": %s}' % bad
        theirs = Store(str(tmp_path / f"t{len(bad)}"))
        assert not any("kept" in note for note in archive.unpack(theirs, bundle.pack(packed), "x").notes)


def test_a_dry_run_and_the_log_show_no_secret() -> None:
    options = EngineOptions(
        env=("DB_PASS=hush-hush", "TZ=UTC"),
        flags=("log-opt=splunk-token=hush-hush", "exec-opt=native.cgroupdriver=systemd"),
        install_url="https://me:hush-hush@x.example/get.sh",
    )
    shown = redaction.masked_engine(options, "*****")
    assert shown.env == ("DB_PASS=*****", "TZ=*****")
    assert shown.flags == ("log-opt=splunk-token=*****", "exec-opt=native.cgroupdriver=systemd")
    assert shown.install_url == "*****"
    assert set(redaction.secret_values(options)) == {"hush-hush"}


@pytest.mark.parametrize("discovery", [f"token://{SECRET}", f"token://disco.example:443/v1/{SECRET}"])
def test_the_token_of_a_swarm_goes_with_the_keys_only(tmp_path: Path, discovery: str) -> None:
    mine, theirs = Store(str(tmp_path / "mine")), Store(str(tmp_path / "theirs"))
    mine.add("dev")
    swarm = SwarmOptions(is_swarm=True, discovery=discovery)
    mine.save(Record.new(mine.root, "dev", "generic", {"IPAddress": "192.0.2.7"}, EngineOptions(), swarm))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        Path(mine.directory("dev"), name).write_text("x")
    sent = archive.export(mine, "dev", str(tmp_path / "x"))
    assert SECRET.encode() not in contents(sent)
    assert any("--swarm-discovery" in note for note in sent.notes)
    for asked in (
        archive.export(mine, "dev", "", True),
        archive.export(mine, "dev", "", with_values=["swarm-discovery"]),
    ):
        assert contents(asked).count(discovery.encode()) == 2
        assert any("the token of dev's swarm is in the file" in note for note in asked.notes)
    assert any("--swarm-discovery" in note for note in archive.import_(theirs, sent.path).notes)
    assert theirs.load("dev").swarm_options().discovery == ""


def test_a_password_in_a_discovery_stays_with_the_keys_too(store: Store) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        Path(store.directory("dev"), name).write_text("x")
    raw = store.load("dev").raw
    assert raw["Driver"]["SwarmDiscovery"].startswith("consul://me:")
    assert b"consul://" not in contents(archive.export(store, "dev", "", True))
    for discovery in (f"token://me:{SECRET}@disco.example/v1/t", f"etcd://me:{SECRET}@kv:2379/x"):
        record = store.load("dev")
        record.raw["HostOptions"]["SwarmOptions"]["Discovery"] = record.driver_object["SwarmDiscovery"] = discovery
        store.save(record)
        assert discovery.encode() not in contents(archive.export(store, "dev", "", True))


def test_a_machine_that_came_without_its_token_can_be_removed(tmp_path: Path) -> None:
    mine, theirs = Store(str(tmp_path / "mine")), Store(str(tmp_path / "theirs"))
    mine.add("dev")
    swarm = SwarmOptions(is_swarm=True, discovery=f"token://{SECRET}")
    known = {"IPAddress": "192.0.2.7", "SwarmEntered": ["192.0.2.7:2376"]}
    mine.save(Record.new(mine.root, "dev", "generic", known, EngineOptions(), swarm))
    archive.import_(theirs, archive.export(mine, "dev", str(tmp_path / "x")).path)
    remove(Session(theirs, Console(io.StringIO()), environ={"HOME": str(tmp_path)}), "dev")
    assert theirs.names() == []
