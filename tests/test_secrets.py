"""Drivers' secrets: from the environment, a private file or the keyring, and never in config.json."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from machine import secrets
from machine.drivers.record_keys import record_keys_of
from machine.errors import StoreError
from machine.options import Option
from machine.store import Record, Store

OPTIONS = (
    Option("cloud-size", env="CLOUD_SIZE"),
    Option("cloud-token", env="CLOUD_TOKEN", secret=True, key="AccessToken"),
    Option("cloud-password", secret=True, key="Password"),
)
CLEAR = {
    "openstack": {"Password": "pa55-os"},
    "azure": {"ClientSecret": "pa55-az"},
    "amazonec2": {"AccessKey": "pa55-ak", "SecretKey": "pa55-sk", "SessionToken": "pa55-st"},
    "digitalocean": {"AccessToken": "pa55-do"},
    "hetzner": {"AccessToken": "pa55-hz"},
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A machine's directory, empty."""
    (tmp_path / "dev").mkdir()
    return tmp_path / "dev"


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A package `keyring` that keeps the secrets in this dictionary."""
    kept: dict[tuple[str, str], str] = {}
    package = types.SimpleNamespace(
        set_password=lambda service, user, text: kept.update({(service, user): text}),
        get_password=lambda service, user: kept.get((service, user)),
    )
    monkeypatch.setitem(sys.modules, "keyring", package)
    return kept


def test_split_takes_the_secrets_out_and_leaves_their_keys() -> None:
    driver_object = {"Size": "s", "AccessToken": "t", "Password": ""}
    assert secrets.split(driver_object, OPTIONS) == (
        {"Size": "s", "AccessToken": "", "Password": ""},
        {"AccessToken": "t"},
    )
    assert driver_object["AccessToken"] == "t"


def test_the_environment_wins_then_the_file_then_clear_text(place: Path) -> None:
    driver_object = {"Size": "s", "AccessToken": "clear", "Password": "clear"}
    assert secrets.merge(driver_object, str(place), OPTIONS, {})["AccessToken"] == "clear"
    secrets.save(str(place), {"AccessToken": "filed"}, {})
    merged = secrets.merge(driver_object, str(place), OPTIONS, {"CLOUD_SIZE": "big"})
    assert merged == {"Size": "s", "AccessToken": "filed", "Password": "clear"}
    assert secrets.merge(driver_object, str(place), OPTIONS, {"CLOUD_TOKEN": "env"})["AccessToken"] == "env"
    assert driver_object["AccessToken"] == "clear"


PAIR = (
    Option("cloud-id", env="CLOUD_ID", secret=True, key="AccessKey"),
    Option("cloud-secret", env="CLOUD_SECRET", secret=True, key="SecretKey", belongs_to="cloud-id"),
    Option("cloud-session", env="CLOUD_SESSION", secret=True, key="SessionToken", belongs_to="cloud-id"),
)
NAMED = (
    Option("cloud-user", env="CLOUD_USER", key="User"),
    Option("cloud-password", env="CLOUD_PASSWORD", secret=True, key="Password", belongs_to="cloud-user"),
)
KEPT = {"AccessKey": "id1", "SecretKey": "secret1", "SessionToken": "session1"}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("id1", "secret1", "session1")),
        ({"CLOUD_SESSION": "left over"}, ("id1", "secret1", "session1")),
        ({"CLOUD_SECRET": "left over"}, ("id1", "secret1", "session1")),
        ({"CLOUD_ID": "id2", "CLOUD_SECRET": "secret2"}, ("id2", "secret2", "")),
        ({"CLOUD_ID": "id2", "CLOUD_SECRET": "secret2", "CLOUD_SESSION": "s2"}, ("id2", "secret2", "s2")),
        ({"CLOUD_ID": "id2"}, ("id2", "", "")),
        ({"CLOUD_ID": "id1"}, ("id1", "secret1", "session1")),
        ({"CLOUD_ID": "id1", "CLOUD_SESSION": "renewed"}, ("id1", "secret1", "renewed")),
    ],
)
def test_a_unit_whose_head_is_secret_comes_from_one_place(
    place: Path, environ: dict[str, str], found: tuple[str, ...]
) -> None:
    secrets.save(str(place), KEPT, {})
    empty = dict.fromkeys(KEPT, "")
    assert tuple(secrets.merge(empty, str(place), PAIR, environ).values()) == found
    differ = [name for name, key in zip(environ, KEPT, strict=False) if environ[name] not in KEPT.values()]
    overruled = secrets.overridden(empty, str(place), PAIR, environ)
    assert bool(overruled) == (found != tuple(KEPT.values()))
    assert set(overruled) <= set(differ) | {"CLOUD_SESSION"}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, "kept"),
        ({"CLOUD_PASSWORD": "new"}, "new"),
        ({"CLOUD_USER": "ada", "CLOUD_PASSWORD": "new"}, "new"),
        ({"CLOUD_USER": "bob", "CLOUD_PASSWORD": "bob's"}, "kept"),
        ({"CLOUD_USER": "bob"}, "kept"),
    ],
)
def test_a_secret_belongs_to_the_recorded_user(place: Path, environ: dict[str, str], found: str) -> None:
    secrets.save(str(place), {"Password": "kept"}, {})
    merged = secrets.merge({"User": "ada", "Password": ""}, str(place), NAMED, environ)
    assert merged == {"User": "ada", "Password": found}


def test_what_a_variable_brings_is_not_the_machines_own() -> None:
    hidden = {"AccessKey": "id2", "SecretKey": "secret1"}
    assert secrets.exclude_env(hidden, PAIR, {"CLOUD_ID": "id2"}) == {"SecretKey": "secret1"}
    assert secrets.exclude_env(hidden, PAIR, {}) == hidden


def test_clear_text_of_other_keys_is_not_mixed_into_kept_ones(place: Path) -> None:
    secrets.save(str(place), {"AccessKey": "id1", "SecretKey": "secret1"}, {})
    driver_object = {"AccessKey": "id2", "SecretKey": "secret2", "SessionToken": "session2"}
    secrets.move(str(place), record_keys_of("amazonec2").secrets, driver_object, {}, together=True)
    assert secrets.read(str(place)) == {"AccessKey": "id1", "SecretKey": "secret1"}
    assert set(driver_object.values()) == {""}


def test_the_file_is_private_keeps_the_others_and_forgets_the_empty(place: Path) -> None:
    before = os.umask(0)
    try:
        secrets.save(str(place), {"A": "1", "B": "2"}, {})
    finally:
        os.umask(before)
    path = place / "secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secrets.save(str(place), {"A": "", "C": "é"}, {})
    assert secrets.read(str(place)) == {"B": "2", "C": "é"}
    assert os.listdir(place) == ["secrets.json"]
    written = path.stat().st_mtime_ns
    secrets.save(str(place), {"B": "2"}, {})
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("text", ["{", "[]", '{"A": 1}', '"s3cret"', "[" * 100_000])
def test_a_broken_file_is_an_error_that_does_not_tell_its_text(place: Path, text: str) -> None:
    (place / "secrets.json").write_text(text)
    with pytest.raises(StoreError) as caught:
        secrets.merge({}, str(place), OPTIONS, {})
    assert "secrets.json" in caught.value.brief
    assert "s3cret" not in f"{caught.value.brief}{caught.value.details}"
    assert secrets.merge({"Size": "s"}, str(place), OPTIONS[:1], {}) == {"Size": "s"}  # needs none


def test_no_secret_ever_stands_in_a_saved_record(place: Path) -> None:
    """The clear text of docker-machine's drivers moves to the file at the first save; other keys are left alone."""
    store = Store(str(place))
    for driver_name, hidden in CLEAR.items():
        store.add(driver_name)
        directory = Path(store.directory(driver_name))
        old = Record.new(store.root, driver_name, driver_name, {"IPAddress": "192.0.2.1", **hidden}).encode()
        (directory / "config.json").write_bytes(old)
        record = store.load(driver_name)
        assert {key: record.driver_object[key] for key in hidden} == hidden  # readable before the move
        assert "pa55" not in json.dumps(record.redacted())
        store.save(record)
        written = json.loads((directory / "config.json").read_bytes())["Driver"]
        assert {key: written[key] for key in hidden} == dict.fromkeys(hidden, "")
        assert secrets.read(str(directory)) == hidden
        assert stat.S_IMODE((directory / "secrets.json").stat().st_mode) == 0o600
        options = tuple(Option(key.lower(), secret=True, key=key) for key in hidden)
        found = secrets.merge(store.load(driver_name).driver_object, str(directory), options, {})
        assert {key: found[key] for key in hidden} == hidden  # and after it
        assert not any("pa55" in path.read_text() for path in directory.iterdir() if path.name != "secrets.json")


def test_a_secret_that_is_kept_already_is_not_replaced(place: Path) -> None:
    secrets.save(str(place), {"Password": "new"}, {})
    driver_object = {"Password": "old"}
    secrets.move(str(place), record_keys_of("openstack").secrets, driver_object, {})
    assert driver_object == {"Password": ""}
    assert secrets.read(str(place)) == {"Password": "new"}


def test_a_failed_move_loses_nothing(place: Path) -> None:
    (place / "secrets.json").write_text("{")
    driver_object = {"Password": "old"}
    with pytest.raises(StoreError):
        secrets.move(str(place), record_keys_of("openstack").secrets, driver_object, {})
    assert driver_object == {"Password": "old"}


def test_drivers_that_are_not_known_are_left_as_they_are(place: Path) -> None:
    driver_object = {"Password": "theirs"}
    secrets.move(str(place), record_keys_of("vmwarevsphere").secrets, driver_object, {})
    assert driver_object == {"Password": "theirs"}
    assert os.listdir(place) == []


RING = """
import json, os
PATH = os.environ["RING"]
def _load():
    return json.load(open(PATH)) if os.path.exists(PATH) else {}
def set_password(service, user, value):
    ring = _load()
    ring[service + "|" + user] = value
    json.dump(ring, open(PATH, "w"))
def get_password(service, user):
    if os.environ.get("LOCKED"):
        raise RuntimeError("s3cret is locked")
    return _load().get(service + "|" + user)
def delete_password(service, user):
    ring = _load()
    del ring[service + "|" + user]
    json.dump(ring, open(PATH, "w"))
"""

USER = """
import os, sys
from machine import secrets
from machine.errors import StoreError
from machine.options import Option
options = (Option("t", secret=True, key="AccessToken"),)
where = sys.argv[1]
try:
    if "save" in sys.argv:
        secrets.save(where, {"AccessToken": "tok"}, os.environ)
    print(secrets.merge({}, where, options, os.environ).get("AccessToken"))
    if "forget" in sys.argv:
        secrets.forget(where, ["AccessToken", "Other"], os.environ)
        print(secrets.merge({}, where, options, os.environ).get("AccessToken"))
except StoreError as error:
    print(error.brief, "|", error.resolution)
"""


def with_ring(tmp_path: Path, *arguments: str, ring: bool = True, **environ: str) -> list[str]:
    """A process that has a `keyring` package (an own small one, on a file) or none at all."""
    packages = tmp_path / "packages"
    packages.mkdir(exist_ok=True)
    (packages / "keyring.py").write_text(RING if ring else "raise ImportError('none')")
    where = tmp_path / "dev"
    where.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", USER, str(where), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(packages), "RING": str(tmp_path / "ring"), **environ},
    )
    return done.stdout.splitlines()


def test_the_keyring_is_used_when_it_is_chosen(tmp_path: Path) -> None:
    assert with_ring(tmp_path, "save", MACHINE_SECRETS="keyring") == ["tok"]
    assert not (tmp_path / "dev" / "secrets.json").exists()
    assert with_ring(tmp_path, MACHINE_SECRETS="keyring") == ["tok"]
    assert with_ring(tmp_path) == ["None"]  # not chosen, not asked
    assert with_ring(tmp_path, "forget", MACHINE_SECRETS="keyring") == ["tok", "None"]


def test_a_keyring_that_is_missing_or_locked_is_advice(tmp_path: Path) -> None:
    (said,) = with_ring(tmp_path, "save", ring=False, MACHINE_SECRETS="keyring")
    assert "not installed" in said
    assert "pipx inject container-hosts keyring" in said
    (said,) = with_ring(tmp_path, LOCKED="1", MACHINE_SECRETS="keyring")
    assert "refused" in said
    assert "s3cret" not in said


def test_move_leaves_a_secret_alone_that_the_keyring_keeps(place: Path, ring: dict[tuple[str, str], str]) -> None:
    environ = {"MACHINE_SECRETS": "keyring"}
    secrets.save(str(place), {"AccessToken": "kept"}, environ)
    driver_object = {"AccessToken": "old clear text", "Password": "only clear text"}
    secrets.move(str(place), ["AccessToken", "Password"], driver_object, environ)
    assert driver_object == {"AccessToken": "", "Password": ""}
    assert secrets.find(str(place), "AccessToken", environ) == "kept"
    assert secrets.find(str(place), "Password", environ) == "only clear text"


def test_move_does_not_mix_clear_text_with_keys_that_the_keyring_keeps(
    place: Path, ring: dict[tuple[str, str], str]
) -> None:
    environ = {"MACHINE_SECRETS": "keyring"}
    secrets.save(str(place), {"AccessKey": "id1", "SecretKey": "secret1"}, environ)
    before = dict(ring)
    driver_object = {"AccessKey": "id2", "SecretKey": "secret2", "SessionToken": "session2"}
    secrets.move(str(place), record_keys_of("amazonec2").secrets, driver_object, environ, together=True)
    assert ring == before
    assert set(driver_object.values()) == {""}


def test_move_asks_no_keyring_that_was_not_chosen(place: Path, ring: dict[tuple[str, str], str]) -> None:
    secrets.save(str(place), {"AccessToken": "kept"}, {"MACHINE_SECRETS": "keyring"})
    driver_object = {"AccessToken": "clear"}
    secrets.move(str(place), ["AccessToken"], driver_object, {})
    assert secrets.read(str(place)) == {"AccessToken": "clear"}


@pytest.mark.parametrize("choice", ["keyring", "file"])
def test_the_environment_of_the_store_chooses_where_old_clear_text_goes(
    tmp_path: Path, ring: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    monkeypatch.setenv("MACHINE_SECRETS", "file" if choice == "keyring" else "keyring")
    store = Store(str(tmp_path), {"MACHINE_SECRETS": choice})
    store.add("dev")
    store.save(Record.new(store.root, "dev", "digitalocean", {"AccessToken": "tok"}))
    assert bool(ring) == (choice == "keyring")
    assert os.path.exists(os.path.join(store.directory("dev"), "secrets.json")) == (choice == "file")
