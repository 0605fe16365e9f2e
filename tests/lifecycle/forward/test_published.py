"""What an engine's list of containers says of ports, and what of it is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from machine.lifecycle.forward import published
from machine.lifecycle.forward.published import Published


def container(*ports: dict[str, Any], name: str = "/web") -> dict[str, Any]:
    return {"Id": "1", "Names": [name], "Ports": list(ports)}


def port(number: Any, address: Any = "0.0.0.0", kind: Any = "tcp") -> dict[str, Any]:
    return {"IP": address, "PrivatePort": 80, "PublicPort": number, "Type": kind}


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("::", "::1"),
        ("::1", "::1"),
        ("10.0.0.5", "10.0.0.5"),
    ],
)
def test_where_the_machine_reaches_a_port(address: str, target: str) -> None:
    assert published.read([container(port(8080, address))]) == {("tcp", 8080): Published(8080, "tcp", target, "web")}


def test_both_addresses_of_a_port_are_one_and_tcp_and_udp_are_two() -> None:
    both = container(port(80, "::"), port(80), port(80, "0.0.0.0", "udp"), {"PrivatePort": 81, "Type": "tcp"})
    found = published.read([both])
    assert {key: one.target for key, one in found.items()} == {("tcp", 80): "127.0.0.1", ("udp", 80): "127.0.0.1"}


@pytest.mark.parametrize(
    "wrong",
    [
        *(port(number) for number in (0, -1, 65536, 1 << 80, "80", 80.0, True, None, [80])),
        *(port(80, address) for address in ("example.org", "127.0.0.1; rm -rf /", "-oProxyCommand=x", 7, None)),
        *(port(80, "0.0.0.0", kind) for kind in ("sctp", "", None, ["tcp"])),
        *("x", None, [], {}),
    ],
)
def test_what_makes_no_sense_is_left_out(wrong: Any) -> None:
    assert published.read([container(wrong)]) == {}
    assert published.read([{"Names": [], "Ports": [wrong, port(8080)]}]).keys() == {("tcp", 8080)}


@pytest.mark.parametrize("answer", [None, {}, "x", 7, [None, 1, "x", {}, {"Ports": 3}, {"Names": 3, "Ports": {}}]])
def test_an_answer_that_is_no_list_of_containers(answer: Any) -> None:
    assert published.read(answer) == {}


def test_an_engine_cannot_have_all_ports_of_this_computer() -> None:
    found = published.read([container(port(number), name="/" + "x" * 9999) for number in range(1, 60_000)])
    assert len(found) == published.MOST_PORTS
    assert all(len(one.container) <= published.LONGEST_NAME for one in found.values())
