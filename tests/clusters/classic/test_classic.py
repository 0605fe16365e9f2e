"""What the flags of classic swarm mean, and that whatever was registered is taken out again."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine import authority, files, paths
from machine.clusters.classic import containers, registration, settings
from machine.clusters.classic.leave import leave_swarm
from machine.clusters.classic.settings import DiscoveryRoute
from machine.console import Console
from machine.errors import UsageError, WaitTimeout
from machine.model import Endpoint, EngineOptions, SwarmOptions
from machine.session import Session
from machine.store import Record, Store
from tests.fake_engine import fake_engine
from tests.sshd import free_port

TOKEN = "0123456789abcdef0123456789abcdef"
NONE = ["create", "-d", "none", "--url", "tcp://192.0.2.7:2376", "--no-context"]
NODE = [*NONE, "--swarm", "--swarm-discovery", f"token://{TOKEN}", "m"]
AWAY = Endpoint("192.0.2.1", peer_address="10.0.0.1")  # a cloud's, with a private address
HOME = Endpoint("127.84.0.1", engine_port=12376, peer_address="10.84.0.1")  # a virtual machine on this computer


@pytest.mark.parametrize(
    ("discovery", "environ", "way"),
    [
        ("token://T", {}, DiscoveryRoute("token://T", token="T")),
        (
            "token://T",
            {"MACHINE_DISCOVERY_URL": "https://d.example/v1/"},
            DiscoveryRoute("token://d.example/v1/T", self_registering=True),
        ),
        ("token://T", {"MACHINE_DISCOVERY_URL": "http://127.0.0.1:8080/v1"}, DiscoveryRoute("token://T", token="T")),
        ("token://d.example:99/v1/T", {}, DiscoveryRoute("token://d.example:99/v1/T", self_registering=True)),
        ("token://localhost:8080/v1/T", {}, DiscoveryRoute("token://T", token="T")),
        ("token://[::1]:8080/v1/T", {}, DiscoveryRoute("token://T", token="T")),
        ("etcd://10.0.0.9/prod", {}, DiscoveryRoute("etcd://10.0.0.9/prod", self_registering=True)),
        ("consul://10.0.0.9", {}, DiscoveryRoute("consul://10.0.0.9", self_registering=True)),
        ("nodes://10.0.0.[1:9]:2376", {}, DiscoveryRoute("nodes://10.0.0.[1:9]:2376")),
        ("file:///etc/nodes", {}, DiscoveryRoute("file:///etc/nodes")),
    ],
)
def test_ways_of_becoming_known(discovery: str, environ: dict[str, str], way: DiscoveryRoute) -> None:
    assert settings.resolve_route(discovery, environ) == way


@pytest.mark.parametrize(
    ("address", "endpoint", "far", "near"),
    [
        ("", AWAY, "192.0.2.1:2376", "10.0.0.1:2376"),
        ("", HOME, "10.84.0.1:2376", "10.84.0.1:2376"),
        ("", Endpoint("2001:db8::1"), "[2001:db8::1]:2376", "[2001:db8::1]:2376"),
        ("10.9.9.9", AWAY, "10.9.9.9:2376", "10.9.9.9:2376"),
        ("node.example:4000", HOME, "node.example:4000", "node.example:4000"),
        ("2001:db8::2", AWAY, "[2001:db8::2]:2376", "[2001:db8::2]:2376"),
    ],
)
def test_the_address_for_others(address: str, endpoint: Endpoint, far: str, near: str) -> None:
    options = SwarmOptions(address=address)
    assert settings.peer_address(options, endpoint) == far
    assert settings.peer_address(options, endpoint, same_network=True) == near


def test_an_agents_discovery_options_on_this_computer() -> None:
    flags = ("ttl=3s", "discovery-opt=kv.cacertfile=/etc/docker/ca.pem", "discovery-opt=kv.path=a=b")
    found = settings.discovery_options(flags, {"/etc/docker/ca.pem": "/store/ca.pem"})
    assert found == {"kv.cacertfile": "/store/ca.pem", "kv.path": "a=b"}


def test_what_a_manager_says_of_a_node() -> None:
    status = [
        ["Role", "primary"],
        ["Nodes", "3"],
        [" a", "192.0.2.1:2376"],
        ["  └ Status", "Healthy"],
        [" 192.0.2.2:2376", "192.0.2.2:2376"],
        ["  └ Status", "Pending"],
        ["  └ Error", "connection refused"],
        [" c", "192.0.2.3:2376"],
        ["  └ Status", "Unhealthy"],
    ]
    assert settings.node_error(status, "192.0.2.1:2376") == ""
    assert settings.node_error(status, "192.0.2.2:2376") == "connection refused"
    assert settings.node_error(status, "192.0.2.3:2376") == "Unhealthy"
    assert settings.node_error(status, "192.0.2.4:2376") == "it is not in its list"
    assert settings.node_error([], "192.0.2.4:2376") == "it is not in its list"


def test_the_managers_words() -> None:
    options = SwarmOptions(True, True, True, "token://T", strategy="binpack", flags=("heartbeat=5s", "api-enable-cors"))
    typed = settings.manager_arguments(options, AWAY, settings.resolve_route("token://T", {}))
    assert " ".join(typed) == (
        "manage --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem"
        " --tlskey /etc/docker/server-key.pem -H tcp://0.0.0.0:3376 --strategy binpack --advertise 192.0.2.1:3376"
        " --registry /var/lib/machine-swarm/registry.db --cluster-opt swarm.key=/var/lib/machine-swarm/swarm.key"
        " --heartbeat=5s --api-enable-cors"
    )
    assert "--registry" not in settings.manager_arguments(options, AWAY, settings.resolve_route("etcd://e", {}))


@pytest.mark.parametrize(
    ("host", "at"),
    [
        ("tcp://0.0.0.0:3376", "tcp://0.0.0.0:3376"),
        ("tcp://0.0.0.0", "tcp://0.0.0.0:3376"),
        (":4000", "tcp://0.0.0.0:4000"),
        ("10.0.0.1:4000", "tcp://10.0.0.1:4000"),
        ("tcp://[::]:4000", "tcp://[::]:4000"),
    ],
)
def test_where_the_manager_listens_is_where_it_is_looked_for(host: str, at: str) -> None:
    options = SwarmOptions(True, True, True, "token://T", host=host)
    typed = settings.manager_arguments(options, AWAY, DiscoveryRoute("token://T", token="T"))
    assert [typed[number + 1] for number, word in enumerate(typed) if word == "-H"] == [at]
    assert typed[typed.index("--advertise") + 1] == f"192.0.2.1:{at.rpartition(':')[2]}"
    assert Record.new("/s", "m", "generic", {}, swarm=options).manager_port() == settings.manager_address(options).port


def test_a_master_that_has_an_ipv6_address_listens_there_too() -> None:
    typed = settings.manager_arguments(
        SwarmOptions(True, True), Endpoint("2001:db8::1"), DiscoveryRoute("token://T", token="T")
    )
    assert [typed[number + 1] for number, word in enumerate(typed) if word == "-H"] == [
        "tcp://0.0.0.0:3376",
        "tcp://[::]:3376",
    ]


@pytest.mark.parametrize(
    "flags",
    [
        {"discovery": ""},
        {"discovery": "", "use_containers": True},
        {"discovery": "token://[::1/T"},
        {"discovery": "token://two words"},
        {"discovery": "token://"},
        {"discovery": "zk://a/b", "master": False},
        {"host": "unix:///run/swarm.sock"},
        {"host": "tcp://0.0.0.0:99999"},
        {"address": "10.0.0.1:99999"},
        {"address": "two words"},
        {"flags": ("help",)},
        {"flags": ("nonsense=1",)},
        {"flags": ("replication",)},
        {"join_flags": ("ttl=5s",)},
        {"join_flags": ("heartbeat=soon",)},
        {"join_flags": ("delay=long",)},
    ],
)
def test_what_could_not_work_is_refused_before_anything_is_made(flags: dict[str, Any]) -> None:
    given: dict[str, Any] = {"is_swarm": True, "master": True, "is_node": True, "discovery": "token://T", **flags}
    with pytest.raises(UsageError):
        settings.check(SwarmOptions(**given))
    settings.check(SwarmOptions(True, True, True, "etcd://10.0.0.9/x", flags=("replication",), join_flags=("ttl=9m",)))


@pytest.mark.parametrize(
    ("port", "values", "said"),
    [
        (2376, {}, "port 2376 is the engine's"),
        (22, {}, "port 22 is sshd's"),
        (4000, {"generic-engine-port": 4000}, "port 4000 is the engine's"),
        (2376, {"generic-engine-port": 4000, "generic-open-port": ["1"]}, ""),
        (5000, {"azure-docker-port": 5000}, "port 5000 is the engine's"),
        (2222, {"generic-ssh-port": 2222}, "port 2222 is sshd's"),
        (22, {"generic-ssh-port": 2222}, ""),
        (3376, {}, ""),
        (3376, {"generic-engine-port": 3376}, "port 3376 is the engine's"),
    ],
)
def test_the_manager_does_not_take_the_hosts_own_ports(port: int, values: dict[str, Any], said: str) -> None:
    options = SwarmOptions(True, True, True, "token://T", host=f"tcp://0.0.0.0:{port}")
    settings.check_manager_port(replace(options, master=False), values, provisions=True)
    if not said:
        settings.check_manager_port(options, values, provisions=True)
        return
    with pytest.raises(UsageError, match=said) as caught:
        settings.check_manager_port(options, values, provisions=True)
    assert f"try {3377 if port == 3376 else 3376}" in caught.value.resolution


@pytest.mark.parametrize(
    ("service", "discovery"),
    [
        ("", "token://T"),
        ("https://d.example/v1/", "token://d.example/v1/T"),
        ("d.example:99/v1", "token://d.example:99/v1/T"),
        ("http://127.0.0.1:8080/v1", "token://127.0.0.1:8080/v1/T"),
        ("https://localhost/v1", "token://T"),
    ],
)
def test_what_is_recorded_does_not_depend_on_a_variable_later(service: str, discovery: str) -> None:
    options = SwarmOptions(True, discovery="token://T")
    environ = {"MACHINE_DISCOVERY_URL": service} if service else {}
    recorded = settings.resolve_discovery(options, environ)
    assert recorded.discovery == discovery
    assert settings.resolve_route(recorded.discovery, {}) == settings.resolve_route("token://T", environ)
    fixed = replace(options, discovery="nodes://a:1")
    assert settings.resolve_discovery(fixed, environ) == fixed


@pytest.mark.parametrize("service", ["http://10.0.0.5:8080/v1", "http://[::", "ftp://x"])
def test_a_variable_that_names_no_service_is_refused(service: str) -> None:
    with pytest.raises(UsageError, match="MACHINE_DISCOVERY_URL"):
        settings.resolve_discovery(SwarmOptions(True, discovery="token://T"), {"MACHINE_DISCOVERY_URL": service})


def known(store: Store, name: str, driver: dict[str, Any], *, master: bool = False) -> Record:
    """A machine that has entered its swarm; nothing listens at its address."""
    options = SwarmOptions(True, master, True, f"token://{TOKEN}")
    data = {"IPAddress": "127.0.0.1", "SSHUser": "root", "SwarmEntered": ["127.0.0.1:1"], **driver}
    record = Record.new(store.root, name, "amazonec2", data, swarm=options)
    store.add(name)
    record.driver["SwarmPort"] = free_port()
    pair = authority.ensure(store.root).client
    for file, data_ in ((paths.CA, authority.ensure(store.root).ca), (paths.CERT, pair.cert), (paths.KEY, pair.key)):
        files.write(str(Path(record.cert_dir()) / file), data_)
    store.save(record)
    return record


def test_masters_that_are_removed_with_their_nodes_may_be_gone_already(tmp_path: Path) -> None:
    err = io.StringIO()
    world = Session(Store(str(tmp_path)), Console(err), environ={})
    known(world.store, "head", {}, master=True)
    node = known(world.store, "node", {})
    leave_swarm(world, node, also_removed=["head", "node"])
    assert err.getvalue() == ""
    leave_swarm(world, world.store.load("node"))
    assert "head still lists node" in err.getvalue()


@pytest.mark.parametrize(
    ("master", "node", "address"),
    [
        ({"Region": "a", "VpcId": "v"}, {"Region": "a", "VpcId": "v"}, "172.31.0.1:2376"),
        ({"Region": "a", "VpcId": "v"}, {"Region": "a", "VpcId": "w"}, "192.0.2.1:2376"),
        ({"Region": "a"}, {"Region": "b"}, "192.0.2.1:2376"),
    ],
)
def test_a_private_address_is_told_in_its_own_network_only(
    tmp_path: Path, master: dict[str, Any], node: dict[str, Any], address: str
) -> None:
    store = Store(str(tmp_path))
    endpoint = Endpoint("192.0.2.1", peer_address="172.31.0.1")
    assert registration._address_seen_by(known(store, "head", master), known(store, "node", node), endpoint) == address


def test_docker_machines_containers() -> None:
    """As they were captured of docker-machine 0.16."""
    options = SwarmOptions(
        True, True, True, "token://T", image="swarm:1.2.9", flags=("a=b",), join_flags=("ttl=9m",), experimental=True
    )
    made = containers.container_bodies(options, EngineOptions(env=("HTTP_PROXY=http://p",)), Endpoint("192.0.2.1"))
    assert list(made) == ["swarm-agent-master", "swarm-agent"]
    assert " ".join(made["swarm-agent-master"].pop("Cmd")) == (
        "--experimental manage --tlsverify --tlscacert=/etc/docker/ca.pem --tlscert=/etc/docker/server.pem"
        " --tlskey=/etc/docker/server-key.pem -H tcp://0.0.0.0:3376 --strategy spread --advertise 192.0.2.1:3376"
        " --a=b token://T"
    )
    assert made["swarm-agent-master"] == {
        "Image": "swarm:1.2.9",
        "Env": ["HTTP_PROXY=http://p"],
        "ExposedPorts": {"2375/tcp": {}, "3376/tcp": {}},
        "HostConfig": {
            "Binds": ["/etc/docker:/etc/docker"],
            "PortBindings": {"3376/tcp": [{"HostIp": "0.0.0.0", "HostPort": "3376"}]},
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        },
    }
    joining = " ".join(made["swarm-agent"]["Cmd"])
    assert joining == "--experimental join --advertise 192.0.2.1:2376 --ttl=9m token://T"


def test_a_discovery_that_cannot_be_asked_from_here_is_said(tmp_path: Path) -> None:
    err = io.StringIO()
    world = Session(Store(str(tmp_path)), Console(err), environ={})
    node = known(world.store, "node", {})
    node.raw["HostOptions"]["SwarmOptions"]["Discovery"] = f"etcd://127.0.0.1:{free_port()}/p"
    registration.ensure_registered(world, node, "192.0.2.1:2376")
    assert "whether node has registered with its swarm cannot be checked from here" in err.getvalue()
    assert "machine ssh node sudo journalctl -u machine-swarm-agent -n 20" in err.getvalue()


def test_an_engine_on_the_managers_port_is_no_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that cannot have its port, and so starts again and again, while somebody else answers there."""
    monkeypatch.setattr(registration, "MANAGER_SECONDS", 0.5)
    world = Session(Store(str(tmp_path / "store")), Console(io.StringIO()), environ={})
    head = known(world.store, "head", {}, master=True)
    own = authority.ensure(world.store.root)
    with fake_engine(tmp_path / "engine", own.issue_server("head", ["127.0.0.1"]), own.ca) as port:
        head.driver["SwarmPort"] = port
        with pytest.raises(WaitTimeout) as caught:
            registration.wait_for_manager(world, head, Endpoint("127.0.0.1"))
    assert "not a manager but an engine, 27.9.9" in str(caught.value.details)
    assert "machine provision head" in caught.value.resolution
