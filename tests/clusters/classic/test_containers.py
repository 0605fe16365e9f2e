"""docker-machine's two containers of classic swarm."""

from __future__ import annotations

from machine.clusters.classic import containers
from machine.model import Endpoint, EngineOptions, SwarmOptions


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
