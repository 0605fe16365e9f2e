from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.discovery.fetch import DiscoveryError
from machine.swarm.discovery.ranges import address, addresses, expand


def test_ranges_are_written_out() -> None:
    assert expand("10.0.0.[1:3]:2375") == ["10.0.0.1:2375", "10.0.0.2:2375", "10.0.0.3:2375"]
    assert expand("h[1:2]:[10:11]") == ["h1:10", "h1:11", "h2:10", "h2:11"]
    assert expand("node[08:10]:1") == ["node08:1", "node09:1", "node10:1"]
    assert expand("a:1") == ["a:1"]


@pytest.mark.parametrize("text", ["[3:1]:1", "[0:99999]:1", "[1:200].[1:200]:1"])
def test_ranges_that_are_refused(text: str) -> None:
    with pytest.raises(DiscoveryError):
        expand(text)


@pytest.mark.parametrize("text", ["a:1", "10.0.0.1:2376", "[fe80::1]:2376", "my-host.example.com:65535"])
def test_addresses(text: str) -> None:
    assert address(f" {text} ") == text


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:0", "a:65536", "a b:1", "a:1/x", "[::1]", "-h:1", "a:1\nb:2"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(DiscoveryError):
        address(text)


def test_each_address_once_in_order() -> None:
    assert addresses(["b:1", " ", "a:[1:2]", "b:1"]) == ["b:1", "a:1", "a:2"]


@given(st.text(max_size=40))
def test_any_text_gives_addresses_or_is_refused(text: str) -> None:
    try:
        found = addresses(text.split(","))
    except DiscoveryError:
        return
    assert found == [address(one) for one in found]
