"""Addresses, ports and MACs of machines."""

from __future__ import annotations

import socket
import sys

import pytest

from machine.drivers.qemu import net
from machine.errors import DriverError

LAN = net.Lan(octet=7, group="239.84.1.2", port=21000)


def everything(address: str, port: int) -> bool:
    return True


def test_a_store_keeps_its_network_and_another_has_another() -> None:
    assert net.lan_of("/home/a/.docker/machine") == net.lan_of("/home/a/.docker/machine")
    assert net.lan_of("/home/a/.docker/machine") != net.lan_of("/home/b/.docker/machine")
    lans = {net.lan_of(f"/store/{number}") for number in range(200)}
    assert len({(lan.group, lan.port) for lan in lans}) == 200
    for lan in lans:
        assert 0 <= lan.octet < 256
        assert lan.group.startswith("239.84.")
        assert 20000 <= lan.port < 32768


def test_the_first_free_place_with_the_usual_ports() -> None:
    place = net.choose(LAN, set(), [], everything, own_addresses=True)
    assert place == net.NetworkAddress("127.84.7.1", "10.84.7.1", 22, 2376, 3376)


def test_siblings_are_left_alone() -> None:
    taken = {"127.84.7.1", "10.84.7.2"}
    assert net.choose(LAN, taken, [], everything, own_addresses=True).address == "127.84.7.3"


def test_port_22_that_is_not_ours_becomes_2222() -> None:
    place = net.choose(LAN, set(), [], lambda _, port: port >= 1024, own_addresses=True)
    assert (place.ssh_port, place.engine_port) == (2222, 2376)


def test_an_engine_of_the_host_on_every_address_moves_ours() -> None:
    place = net.choose(LAN, set(), [], lambda _, port: port != 2376, own_addresses=True)
    assert place.engine_port == 12376


def test_an_address_that_another_store_uses_is_left_alone() -> None:
    place = net.choose(LAN, set(), [], lambda address, _: address != "127.84.7.1", own_addresses=True)
    assert place == net.NetworkAddress("127.84.7.2", "10.84.7.2", 22, 2376, 3376)


def test_a_published_port_that_is_taken_moves_the_machine() -> None:
    place = net.choose(
        LAN, set(), [8080], lambda address, port: (address, port) != ("127.84.7.1", 8080), own_addresses=True
    )
    assert place.address == "127.84.7.2"


def test_elsewhere_all_share_one_address() -> None:
    first = net.choose(LAN, set(), [], everything, own_addresses=False)
    second = net.choose(LAN, {"127.0.0.1", first.peer}, [], everything, own_addresses=False)
    assert first.address == second.address == "127.0.0.1"
    ports = [(place.ssh_port, place.engine_port, place.swarm_port) for place in (first, second)]
    assert len({*ports[0], *ports[1]}) == 6


def test_no_place_left() -> None:
    with pytest.raises(DriverError) as caught:
        net.choose(LAN, set(), [8080], lambda _, port: port != 8080, own_addresses=True)
    assert caught.value.details == "tried all of 127.84.7.1 to .254 with the published ports 8080"
    assert "machine ls" in caught.value.resolution


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="127.0.0.0/8 is local on Linux only")
def test_a_real_bind_decides() -> None:
    with socket.socket() as server:
        server.bind(("127.84.0.9", 0))
        server.listen(1)
        port = server.getsockname()[1]
        assert not net.can_listen("127.84.0.9", port)
        assert net.can_listen("127.84.0.10", port)
    assert net.can_listen("127.84.0.9", port)


def test_macs() -> None:
    assert net.nat_mac("a") == net.nat_mac("a")
    assert net.nat_mac("a") != net.nat_mac("b")
    assert net.nat_mac("a").startswith("52:54:00:")
    assert net.lan_mac("10.84.7.1") == "02:54:0a:54:07:01"
