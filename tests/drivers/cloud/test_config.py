"""A config reads docker-machine's record, keeps what it does not know, and writes only what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from machine.drivers.cloud.config import (
    CloudConfig,
    RecordConfig,
    bool_field,
    list_field,
    mapping_field,
    number_field,
    optional_mapping_field,
    optional_text_field,
    path_field,
    text_field,
)
from machine.drivers.cloud.flags import DriverFlags
from machine.drivers.missing_options import MissingOption
from machine.errors import MissingOptions, RecordBroken, UsageError


@dataclass(repr=False)
class Config(RecordConfig):
    """One field of every kind."""

    region: str = text_field("Region", "north", flag="region", required=True)
    ssh_port: int = number_field("SSHPort", 22, flag="ssh-port", bounds=(1, 65535))
    retries: int = number_field("Retries", 5, flag="retries", bounds=(0, 9))
    backups: bool = bool_field("Backups", flag="backups")
    volumes: list[str] = list_field("Volumes", flag="volume")
    key_name: str | None = optional_text_field("KeyName")
    joined: dict[str, str] | None = optional_mapping_field("Joined")


FLAGS = DriverFlags("sky")
GIVEN = {"sky-region": "south", "sky-ssh-port": 2222, "sky-retries": 0, "sky-backups": True, "sky-volume": ["a"]}


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"MachineName": "dev", "Later": {"a": [1]}},  # keys that we do not know
        {"SSHPort": 0, "Region": "", "Volumes": None, "Joined": None},  # as Go writes what is not set
        {"SSHPort": "2222", "Backups": 1, "Volumes": [], "KeyName": ""},
    ],
)
def test_a_record_that_is_only_read_is_written_as_it_was(record: dict[str, Any]) -> None:
    assert Config.from_record(record).to_record() == record


def test_what_is_read() -> None:
    config = Config.from_record({"SSHPort": 0, "Retries": 0, "Backups": 1, "Volumes": ["a", 7], "Joined": {"1": "x"}})
    assert (config.region, config.ssh_port, config.retries, config.backups) == ("north", 22, 0, True)
    assert (config.volumes, config.key_name, config.joined) == (["a", "7"], None, {"1": "x"})


def test_what_has_changed_is_written() -> None:
    record = {"SSHPort": 0, "Later": 1, "Volumes": ["a"]}
    config = Config.from_record(record)
    config.key_name, config.joined = "", {}
    config.volumes.append("b")
    assert config.to_record() == {**record, "KeyName": "", "Joined": {}, "Volumes": ["a", "b"]}
    assert record["Volumes"] == ["a"]
    again = Config.from_record(config.to_record())
    assert (again.key_name, again.joined, again.volumes) == ("", {}, ["a", "b"])


def test_configs_share_no_list() -> None:
    first, second = Config(), Config()
    first.volumes.append("a")
    assert second.volumes == Config.from_record({}).volumes == []


@pytest.mark.parametrize(("key", "value"), [("SSHPort", "ssh"), ("SSHPort", [1]), ("Volumes", "a"), ("Joined", 7)])
def test_a_value_of_another_kind_is_named_and_not_shown(key: str, value: Any) -> None:
    with pytest.raises(RecordBroken, match=key) as caught:
        Config.from_record({key: value})
    assert caught.value.resolution


def test_flags_become_a_config_and_all_of_them_are_recorded() -> None:
    config = Config.from_flags(FLAGS, GIVEN)
    assert (config.region, config.ssh_port, config.retries, config.backups) == ("south", 2222, 0, True)
    assert config.to_record() == {
        "Region": "south",
        "SSHPort": 2222,
        "Retries": 0,
        "Backups": True,
        "Volumes": ["a"],
    }


@pytest.mark.parametrize(("flag", "value"), [("region", " "), ("ssh-port", 0), ("ssh-port", 65536), ("retries", 10)])
def test_a_flag_that_makes_no_sense_is_named(flag: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"--sky-{flag} cannot be"):
        Config.from_flags(FLAGS, {**GIVEN, f"sky-{flag}": value})


def test_secrets_are_not_in_its_repr() -> None:
    assert "south" not in repr(Config.from_flags(FLAGS, GIVEN))


@dataclass(repr=False)
class Parsed(CloudConfig):
    """Fields of which not what a flag gives is recorded, but what is made of it."""

    flags: ClassVar[DriverFlags] = FLAGS

    account: str = text_field("Account")
    project: str = text_field("Project", flag="project", alias="tenant")
    mode: str = text_field("Mode", "on", flag="mode", one_of=("on", "off"))
    price: str = text_field("Price", flag="price", pattern=(r"\d+", "dollars"))
    key: str = path_field("Key", flag="key")
    has_key: bool = bool_field("HasKey", flag="key")
    allow_from: list[str] = list_field("AllowFrom", flag="allow-from", convert=DriverFlags.network)
    total: str = text_field("Total")

    def missing_options(self) -> list[MissingOption]:
        return [] if self.project else [MissingOption("which project?", "add --sky-project")]

    def validate(self) -> None:
        self.total = f"{self.project} {self.price}"


PARSED = {"project": "", "tenant": "t", "mode": "", "price": "5", "key": "~/k", "allow-from": ["10.0.0.1"]}


def parsed(**given: Any) -> dict[str, Any]:
    """The record of these flags."""
    values = {f"sky-{name.replace('_', '-')}": value for name, value in {**PARSED, **given}.items()}
    return Parsed.from_values(values).to_record()


def test_what_is_made_of_flags_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    expected = {"Project": "t", "Mode": "on", "Price": "5", "Key": "/home/me/k", "HasKey": True}
    assert parsed() == {**expected, "AllowFrom": ["10.0.0.1/32"], "Total": "t 5"}
    assert parsed(project="t", key="")["HasKey"] is False


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("project", "u", "--sky-project and --sky-tenant differ"),
        ("mode", "of", "--sky-mode cannot be 'of'"),
        ("price", "dear", "--sky-price cannot be 'dear'"),
        ("allow_from", ["x"], "--sky-allow-from cannot be 'x'"),
    ],
)
def test_what_cannot_be_made_of_a_flag_is_named(flag: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parsed(**{flag: value})
    assert caught.value.resolution


def test_what_is_missing_is_told() -> None:
    with pytest.raises(MissingOptions, match="which project"):
        parsed(tenant="")


@dataclass(repr=False)
class Labelled(RecordConfig):
    """A field of texts by name that a flag sets."""

    labels: dict[str, str] = mapping_field("Labels", flag="label", pattern=(r"\w+=\w*", "KEY=VALUE"))


def test_labels_come_from_a_flag_and_from_a_record() -> None:
    assert Labelled.from_flags(FLAGS, {"sky-label": ["a=b"]}).to_record() == {"Labels": {"a": "b"}}
    assert Labelled.from_record({"Labels": None}).labels == {}
    assert Labelled.from_record({"Labels": {"a": 1}}).labels == {"a": "1"}
