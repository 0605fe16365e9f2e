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


def service(*ports: Any, name: Any = "web") -> dict[str, Any]:
    return {"ID": "1", "Spec": {"Name": name}, "Endpoint": {"Ports": list(ports)}}


def of_swarm(number: Any, kind: Any = "tcp", mode: Any = "ingress") -> dict[str, Any]:
    return {"Protocol": kind, "TargetPort": 80, "PublishedPort": number, "PublishMode": mode}


def test_a_service_publishes_at_every_member() -> None:
    found = published.read([], [service(of_swarm(8080), of_swarm(53, "udp"), of_swarm(81, mode="host"))])
    assert found == {
        ("udp", 53): Published(53, "udp", "127.0.0.1", "web"),
        ("tcp", 8080): Published(8080, "tcp", "127.0.0.1", "web"),
    }


def test_a_port_of_a_container_counts_more_than_one_of_a_service() -> None:
    found = published.read([container(port(8080, "10.0.0.5"))], [service(of_swarm(8080), name="other")])
    assert found == {("tcp", 8080): Published(8080, "tcp", "10.0.0.5", "web")}


@pytest.mark.parametrize(
    "wrong",
    [
        *(of_swarm(number) for number in (0, -1, 65536, "80", 80.0, True, None, [80])),
        *(of_swarm(80, kind) for kind in ("sctp", None, ["tcp"])),
        *(of_swarm(80, mode=mode) for mode in (None, 7, ["ingress"], "Ingress")),
        *("x", None, [], {}),
    ],
)
def test_a_service_that_makes_no_sense_is_left_out(wrong: Any) -> None:
    assert published.read([], [service(wrong)]) == {}
    odd: list[Any] = [None, "x", {}, {"Endpoint": 3}, {"Endpoint": {"Ports": {}}}]
    odd += [{"Spec": 7, "Endpoint": {"Ports": [wrong]}}]
    assert published.read([], odd) == {}
    assert published.read([], {"message": "This node is not a swarm manager"}) == {}


def test_a_swarm_opens_a_bounded_number_of_ports_here() -> None:
    many = [service(*(of_swarm(number) for number in range(1, 60_000)), name="x" * 1000) for _ in range(3)]
    found = published.read([], many)
    assert len(found) == published.MOST_PORTS
    assert all(len(one.container) == published.LONGEST_NAME for one in found.values())
