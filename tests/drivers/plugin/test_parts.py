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
    data = document.begin(config, values, DECLARED)
    record = json.loads(json.dumps(document.folded(data)))
    clean, hidden = secrets.split(record, document.secret_options(record))
    assert hidden == {"Deep.Er.Key": "s3cret"}
    assert "s3cret" not in json.dumps(clean)
    assert "SwarmHost" not in clean
    again = document.unfolded({**clean, **hidden})
    assert again["Deep"] == config["Deep"]
    assert document.told(again, DECLARED) == values
    assert document.stage(again) == ""


def test_what_docker_machine_wrote_stays_as_it_is() -> None:
    theirs = {"AccessToken": "clear", "SwarmHost": "h", "Deep": {"Password": "p"}}
    assert document.folded(document.unfolded(theirs)) == theirs
    assert document.secret_options(theirs) == ()
    assert document.stage(theirs) == "done"


def answers(**known: Any) -> Callable[[str], Any]:
    """A plugin that answers these questions and refuses others."""

    def ask(method: str) -> Any:
        if method not in known:
            raise rpc.Refused("Host is not running")
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
    with pytest.raises(rpc.Refused, match="not running"):
        endpoint_of(answers())
