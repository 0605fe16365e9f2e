"""What of the engine's settings stays at home, and how it comes to the other side."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine import archive, authority, redaction
from machine.archive import bundle
from machine.errors import UsageError
from machine.model import EngineOptions, SwarmOptions
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
    values = archive.Values(
        engine_env=tuple(f"{name}=x" for name in ENV), engine_opt=("log-opt=splunk-token=y", "http-proxy=http://p")
    )
    got = archive.import_(theirs, file, "other", values)
    engine = theirs.load("other").engine_options()
    assert engine.env == values.engine_env
    assert engine.flags == (*OPEN, *values.engine_opt)
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
