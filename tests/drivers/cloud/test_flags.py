"""Values of flags as people write them: what is taken, and which flags a wrong one belongs to."""

from __future__ import annotations

import pytest

from machine.drivers.cloud.flags import DriverFlags
from machine.errors import UsageError

GENERIC = DriverFlags("generic")


def address(text: str) -> str:
    return GENERIC.address("ip-address", text, "ssh-user", "ssh-port")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("web01.corp.example", "web01.corp.example"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_an_address_alone_is_taken(text: str, host: str) -> None:
    assert address(text) == host


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("root@192.0.2.1", "--generic-ip-address 192.0.2.1 --generic-ssh-user root"),
        ("192.0.2.1:2222", "--generic-ip-address 192.0.2.1 --generic-ssh-port 2222"),
        ("ssh://bob@h.example:22", "--generic-ip-address h.example --generic-ssh-user bob --generic-ssh-port 22"),
        ("ssh://h.example", "--generic-ip-address h.example"),
        ("ssh://h.example/", "--generic-ip-address h.example"),
        ("tcp://192.0.2.1:2376", "--generic-ip-address 192.0.2.1 --generic-ssh-port 2376"),
        ("bob@[2001:db8::1]:22", "--generic-ip-address 2001:db8::1 --generic-ssh-user bob --generic-ssh-port 22"),
        ("[2001:db8::1]:22", "--generic-ip-address 2001:db8::1 --generic-ssh-port 22"),
    ],
)
def test_the_parts_of_more_than_an_address_get_their_flags(text: str, flags: str) -> None:
    with pytest.raises(UsageError, match="takes an address alone") as caught:
        address(text)
    assert caught.value.resolution == f"write: {flags}"


def test_a_password_in_it_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        address("ssh://bob:hush-hush@h.example")
    assert "hush" not in caught.value.brief + caught.value.resolution


@pytest.mark.parametrize("text", ["a b", "host:ssh", "[::1", "1:2:3", "@", "ssh://", "[nope]:22", "u@"])
def test_what_is_no_address_at_all(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be") as caught:
        address(text)
    assert "an IP address or a host name" in caught.value.resolution


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,,c,d", "word 3, after 'b'"),
        ("a,b,", "word 3, after 'b'"),
        (",a,b", "word 1"),
        ("a,b,,c", "word 3, after 'b'"),
        ("a,b, ,c,d", "word 3, after 'b'"),
        ("a,b,c", "key without a value: 'c'"),
    ],
)
def test_an_empty_word_of_a_list_of_pairs_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match="--azure-tags") as caught:
        DriverFlags("azure").pairs("tags", text)
    assert said in caught.value.brief


def test_pairs_that_come_out_even_are_taken() -> None:
    assert DriverFlags("azure").pairs("tags", " a , b,c, ") == {"a": "b", "c": ""}
    assert DriverFlags("azure").pairs("tags", " ") == {}


def test_tags_that_are_set_already() -> None:
    flags = DriverFlags("sky")
    assert flags.tags("team,blue", ("Name", "machine-id"), refused="^aws:") == {"team": "blue"}
    for text in ("Name,x", "aws:a,x"):
        with pytest.raises(UsageError, match="--sky-tags cannot set") as caught:
            flags.tags(text, ("Name", "machine-id"), refused="^aws:")
        assert caught.value.resolution == "choose another key; Name and machine-id are set"
    with pytest.raises(UsageError, match="--sky-metadata cannot set"):
        flags.tags("id,x", ("id",), flag="metadata")


def test_an_address_and_flags_that_exclude_each_other() -> None:
    flags = DriverFlags("sky")
    assert flags.ip("address", "2001:db8::5") == "2001:db8::5"
    with pytest.raises(UsageError, match=r"--sky-address cannot be '10\.0\.0\.0/8'"):
        flags.ip("address", "10.0.0.0/8")
    flags.check_exclusive({"sky-net-name": "a", "sky-net-id": ""}, "net-name", "net-id")
    with pytest.raises(UsageError, match="--sky-net-name and --sky-net-id exclude each other"):
        flags.check_exclusive({"sky-net-name": "a", "sky-net-id": "b"}, "net-name", "net-id")


LABEL = (r"[a-z]+=[a-z]*", "KEY=VALUE")


def test_labels_are_read_and_nonsense_names_the_flag() -> None:
    assert GENERIC.labels("label", ["a=b", "c="], LABEL) == {"a": "b", "c": ""}
    for text in ("a", "=b", "A=b", "own=b"):
        with pytest.raises(UsageError, match="--generic-label cannot be") as caught:
            GENERIC.labels("label", [text], LABEL, own=["own"])
        assert caught.value.resolution == "give KEY=VALUE"


def test_a_public_key_is_a_line_of_authorized_keys() -> None:
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5ZSBieWUgYnllIGJ5ZSBieWUgYnllIGJ5ZSBi a"
    assert GENERIC.public_key(line) == line
    for text in ("", "ssh-rsa", "ssh-rsa no-base64"):
        with pytest.raises(UsageError, match="--generic-additional-key"):
            GENERIC.public_key(text)


def test_firewalls_to_join_exclude_rules_of_ones_own() -> None:
    GENERIC.check_firewalls("firewall", ["a", "b"], "none", own_rules=False)
    GENERIC.check_firewalls("firewall", [], "none", own_rules=True)
    GENERIC.check_firewalls("firewall", ["none"], "none", own_rules=False)
    with pytest.raises(UsageError, match="--generic-open-port"):
        GENERIC.check_firewalls("firewall", ["a"], "none", own_rules=True)
    with pytest.raises(UsageError, match="--generic-firewall cannot be 'none, a'"):
        GENERIC.check_firewalls("firewall", ["none", "a"], "none", own_rules=False)


def test_a_missing_token_names_flag_variable_and_page() -> None:
    missing = GENERIC.missing_token("token", "SKY_TOKEN", "https://sky.example")
    assert missing.credential
    assert missing.resolution == "set $SKY_TOKEN, or add --generic-token; https://sky.example makes one"
