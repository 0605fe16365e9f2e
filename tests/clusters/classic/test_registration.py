"""Where engines are registered, under which address, and what is said when that cannot be seen."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from machine import authority
from machine.clusters.classic import registration
from machine.clusters.classic.discovery_route import DiscoveryRoute
from machine.console import Console
from machine.errors import WaitTimeout
from machine.model import Endpoint
from machine.session import Session
from machine.store import Store
from machine.swarm.discovery.token import Token
from tests.clusters.classic.members import saved_member
from tests.fake_engine import fake_engine
from tests.sshd import free_port


@pytest.mark.parametrize(
    ("master", "node", "address"),
    [
        ({"Region": "a", "VpcId": "v"}, {"Region": "a", "VpcId": "v"}, "172.31.0.1:2376"),
        ({"Region": "a", "VpcId": "v"}, {"Region": "a", "VpcId": "w"}, "192.0.2.1:2376"),
        ({"Region": "a"}, {"Region": "b"}, "192.0.2.1:2376"),
    ],
)
def test_a_private_address_is_told_in_its_own_network_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, master: dict[str, Any], node: dict[str, Any], address: str
) -> None:
    registered: list[str] = []

    async def register(_: Token, address: str, ttl: int) -> None:
        registered.append(address)

    monkeypatch.setattr(Token, "register", register)
    session = Session(Store(str(tmp_path)), Console(io.StringIO()), environ={})
    head = saved_member(session.store, "head", master)
    member = saved_member(session.store, "node", {**node, "IPAddress": "192.0.2.1", "PeerAddress": "172.31.0.1"})
    registration.register_on_master(session, head, member, DiscoveryRoute("token://T", token="T"), wait=False)
    assert registered == [address]


def test_a_discovery_that_cannot_be_asked_from_here_is_said(tmp_path: Path) -> None:
    err = io.StringIO()
    session = Session(Store(str(tmp_path)), Console(err), environ={})
    node = saved_member(session.store, "node", {})
    node.raw["HostOptions"]["SwarmOptions"]["Discovery"] = f"etcd://127.0.0.1:{free_port()}/p"
    registration.ensure_registered(session, node, "192.0.2.1:2376")
    assert "whether node has registered with its swarm cannot be checked from here" in err.getvalue()
    assert "machine ssh node sudo journalctl -u machine-swarm-agent -n 20" in err.getvalue()


def test_an_engine_on_the_managers_port_is_no_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that cannot have its port, and so starts again and again, while somebody else answers there."""
    monkeypatch.setattr(registration, "MANAGER_SECONDS", 0.5)
    session = Session(Store(str(tmp_path / "store")), Console(io.StringIO()), environ={})
    head = saved_member(session.store, "head", {}, master=True)
    own = authority.ensure(session.store.root)
    with fake_engine(tmp_path / "engine", own.issue_server("head", ["127.0.0.1"]), own.ca) as port:
        head.driver_object["SwarmPort"] = port
        with pytest.raises(WaitTimeout) as caught:
            registration.wait_for_manager(session, head, Endpoint("127.0.0.1"))
    assert "not a manager but an engine, 27.9.9" in str(caught.value.details)
    assert "machine provision head" in caught.value.resolution
