"""HOST:PORT: one reading of it in the program, and the same in the swarm that goes to machines alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from machine import hostport
from machine.swarm.http import hostport as of_swarm

READ = {
    "10.0.0.1:2376": ("10.0.0.1", "2376"),
    "example.org": ("example.org", ""),
    "example.org:": ("example.org", ""),
    ":2375": ("", "2375"),
    "[fd00::1]:2376": ("fd00::1", "2376"),
    "[fd00::1]": ("fd00::1", ""),
    "[fe80::1%eth0]:22": ("fe80::1%eth0", "22"),
    "fd00::1": ("fd00::1", ""),
    "::": ("::", ""),
    "[fd00::1]22": ("[fd00::1]22", ""),
    "[fd00::1": ("[fd00::1", ""),
    "host:port": ("host", "port"),
    "": ("", ""),
}


@pytest.mark.parametrize("text", READ)
def test_host_and_port_are_taken_apart(text: str) -> None:
    assert hostport.split(text) == READ[text]


@pytest.mark.parametrize("host", ["10.0.0.1", "example.org", "fd00::1", "::", "fe80::1%eth0"])
def test_what_is_joined_is_split_again(host: str) -> None:
    assert hostport.split(hostport.join(host, 2376)) == (host, "2376")


@given(some.text(alphabet="[]:a1.%"))
def test_the_swarm_reads_and_writes_as_the_program(text: str) -> None:
    assert of_swarm.split(text) == hostport.split(text)
    assert of_swarm.join(text, 1) == hostport.join(text, 1)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("tcp://10.0.0.1:2376", ("10.0.0.1", 2376)),
        ("tcp://[fd00::1]:2376/path", ("fd00::1", 2376)),
        ("tcp://fd00::1", ("fd00::1", 0)),
        ("tcp://user:word@host:2375", ("host", 2375)),
        ("10.0.0.1:2376", ("10.0.0.1", 2376)),
        ("tcp://host", ("host", 0)),
        ("tcp://host:many", ("host", 0)),
        ("tcp://host:١٢", ("host", 0)),
        ("unix:///var/run/docker.sock", ("", 0)),
        ("npipe:////./pipe/docker_engine", ("", 0)),
        ("", ("", 0)),
    ],
)
def test_of_a_url_the_address_is_read(url: str, found: tuple[str, int]) -> None:
    assert hostport.of_url(url) == found
