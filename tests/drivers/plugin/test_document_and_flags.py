"""What of a plugin's driver needs no plugin: which names are secret, where a machine is, what goes on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from machine import secrets
from machine.drivers.plugin import document, flags, gob, rpc
from machine.drivers.plugin.address import endpoint_of
from machine.model import Endpoint
from machine.options import Option

# Flags of published plugins, as their sources declare them.
SECRET = "hetzner-api-token linode-token linode-root-pass vultr-api-key upcloud-passwd scaleway-token ovh-consumer-key"
PUBLIC = "hetzner-existing-key-path hetzner-existing-key-id vultr-ssh-key-ids linode-ssh-user kvm-memory ovh-project"


@pytest.mark.parametrize("name", SECRET.split())
def test_these_flags_are_secret(name: str) -> None:
    assert flags.secret(name)


@pytest.mark.parametrize("name", PUBLIC.split())
def test_these_are_not(name: str) -> None:
    assert not flags.secret(name)


def test_keys_of_json_are_known_by_their_words() -> None:
    config = {
        "APIToken": "a",
        "RootPassword": "b",
        "AccessKey": "c",
        "Answer": {"Instance": {"default_password": "d", "Name": "n"}},
        "SSHKeyPath": "/k",
        "KeyID": "7",
        "Token": "",
        "Secret": 5,
    }
    found = [place["Key"] for place in flags.secret_places(config)]
    assert found == ["APIToken", "RootPassword", "AccessKey", "Answer.Instance.default_password"]


def test_a_flag_of_a_kind_that_nobody_knows_is_left_out() -> None:
    known = gob.Named("*mcnflag.StringFlag", {"Name": "x-a", "Usage": "a\n  b", "EnvVar": "", "Value": "v"})
    odd = gob.Named("*mcnflag.DurationFlag", {"Name": "x-b"})
    dashed = gob.Named("*mcnflag.StringFlag", {"Name": "--x c"})
    assert flags.options([known, odd, dashed, None, 5]) == (Option("x-a", "string", "", "v", "a b"),)


DECLARED = (
    Option("x-token", env="X_TOKEN", secret=True),
    Option("x-size", "int", default=2),
    Option("x-tags", "list", default=["d"]),
    Option("x-on", "bool"),
)


def test_the_record_gives_back_what_create_was_told() -> None:
    """Falsy values where the default is another one, too; and no secret is on record."""
    values = {"x-token": "s3cret", "x-size": 0, "x-tags": [], "x-on": True}
    config = {"Deep": {"Er": {"Key": "s3cret"}}, "MachineName": "m", "SwarmHost": "h", "MachinePlugin": "theirs"}
    data = document.new_document(config, values, DECLARED)
    record = json.loads(json.dumps(document.to_record(data)))
    clean, hidden = secrets.split(record, document.secret_options(record))
    assert hidden == {"Deep.Er.Key": "s3cret"}
    assert "s3cret" not in json.dumps(clean)
    assert "SwarmHost" not in clean
    again = document.from_record({**clean, **hidden})
    assert again["Deep"] == config["Deep"]
    assert document.create_args(again, DECLARED) == values
    assert document.stage(again) == ""


def recorded(config: dict[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What goes to config.json and what to the secrets."""
    declared = (Option("x-password", env="X_PASSWORD", secret=True), Option("x-user"))
    record = json.loads(json.dumps(document.to_record(document.new_document(config, values, declared))))
    clean, hidden = secrets.split(record, document.secret_options(record))
    again = document.from_record({**clean, **hidden})
    assert document.plugin_config(again) == config
    assert document.create_args(again, declared) == values
    return clean, hidden


def test_a_secret_is_found_in_lists_and_under_names_with_dots() -> None:
    config = {
        "Labels": {"a.b/token": "s3cret", "a": {"c": "s3cret"}},
        "Arguments": ["--quiet", "s3cret"],
        "Answers": [{"Id": 7, "adminPass": "made-up"}, None, ["s3cret"]],
    }
    clean, hidden = recorded(config, {"x-password": "s3cret", "x-user": "ada"})
    assert "s3cret" not in json.dumps(clean)
    assert "made-up" not in json.dumps(clean)
    assert clean["Arguments"] == ["--quiet", ""]
    assert set(hidden.values()) == {"s3cret", "made-up"}


def test_a_password_that_says_the_same_as_something_public_hides_the_password_only() -> None:
    """Else the record would know no user to log in as."""
    config = {"SSHUser": "root", "MachineName": "root", "Account": "root", "Password": "root"}
    clean, hidden = recorded(config, {"x-password": "root", "x-user": "root"})
    assert hidden == {"Password": "root"}
    assert (clean["SSHUser"], clean["MachineName"], clean["Account"]) == ("root", "root", "root")
    _, hidden = recorded(config, {"x-password": "root", "x-user": "ada"})
    assert hidden == {"Password": "root", "Account": "root"}, "under an odd name, unless it is public anyway"


def test_one_of_two_places_may_be_empty_by_now() -> None:
    declared = (Option("x-password", secret=True),)
    data = document.new_document({"Token": "t", "Password": "t"}, {"x-password": "t"}, declared)
    data["Token"] = data["Password"] = ""
    assert document.create_args(data, declared) == {"x-password": ""}
    data["Token"] = "t"
    assert document.create_args(data, declared) == {"x-password": "t"}
    assert document.create_args(data, ())["x-password"] == "t", "a release of the plugin without that flag"


def test_what_docker_machine_wrote_stays_as_it_is() -> None:
    theirs = {"AccessToken": "clear", "SwarmHost": "h", "Deep": {"Password": "p"}}
    assert document.to_record(document.from_record(theirs)) == theirs
    assert document.secret_options(theirs) == ()
    assert document.stage(theirs) == "done"


def answers(**known: Any) -> Callable[[str], Any]:
    """A plugin that answers these questions and refuses others."""

    def ask(method: str) -> Any:
        if method not in known:
            raise rpc.PluginRefused("Host is not running")
        return known[method]

    return ask


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (
            {"GetIP": "192.0.2.7", "GetSSHHostname": "192.0.2.7", "GetSSHPort": 2222, "GetSSHUsername": "ubuntu"},
            Endpoint("192.0.2.7", "ubuntu", 2222),
        ),
        (
            {"GetIP": "192.0.2.7", "GetSSHHostname": "127.0.0.1", "GetSSHPort": 50022, "GetSSHUsername": ""},
            Endpoint("192.0.2.7", "root", 22),
        ),
        (
            {"GetIP": "127.0.0.1", "GetSSHHostname": "localhost", "GetSSHPort": 50022, "GetSSHUsername": "docker"},
            Endpoint("127.0.0.1", "docker", 50022),
        ),
        (
            {
                "GetIP": "[2001:db8::1]",
                "GetSSHHostname": "2001:db8::1",
                "GetSSHPort": 0,
                "GetSSHUsername": "root",
                "GetURL": "tcp://[2001:db8::1]:12376",
            },
            Endpoint("2001:db8::1", "root", 22, 12376, listen_port=12376),
        ),
        ({"GetIP": ""}, None),
    ],
)
def test_one_address_from_many_answers(known: dict[str, Any], wanted: Endpoint | None) -> None:
    assert endpoint_of(answers(**known)) == wanted


def test_why_there_is_no_address_is_passed_on() -> None:
    with pytest.raises(rpc.PluginRefused, match="not running"):
        endpoint_of(answers())
