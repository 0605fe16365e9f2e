"""swarmd's aggregate of real engines: volumes, networks and a compose project, by the real clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.clients.fixtures import DockerClient, trixie
from tests.sshd import free_port
from tests.swarm.engines import docker, needs_engines
from tests.swarm.network_namespaces import Islands, NamespacedEngine, needs_islands
from tests.swarmd.test_serve import swarmd

__all__ = ["trixie"]

pytestmark = [*needs_engines, *needs_islands]

COMPOSE = """
services:
  db:
    image: busybox
    command: sh -c 'test -e /data/n || echo first > /data/n; exec sleep 1000'
    stop_grace_period: 0s
    volumes: ["data:/data"]
  web:
    build: .
    command: sleep 1000
    stop_grace_period: 0s
    depends_on: [db]
volumes:
  data:
"""


@pytest.fixture(scope="module")
def islands() -> Iterator[Sequence[NamespacedEngine]]:
    with Islands(2) as made:
        yield made


@pytest.fixture
def url(islands: Sequence[NamespacedEngine]) -> Iterator[str]:
    """An aggregate of both engines."""
    address = f"tcp://127.0.0.1:{free_port()}"
    joined = " ".join(f'"dockerclient {engine.url}"' for engine in islands)
    with swarmd(f"dockerserver {address}", f"aggregate {joined}"):
        yield address


def engine_of(url: str, name: str) -> str:
    """The engine that a container is on."""
    return docker(url, "inspect", "-f", "{{.Node.Name}}", name).stdout.strip()


def test_data_is_where_the_next_container_finds_it(url: str, islands: Sequence[NamespacedEngine]) -> None:
    """A job runner's order: a volume is made, a container fills it and goes, others count on it."""
    docker(url, "volume", "create", "cache")
    docker(url, "run", "--rm", "-v", "cache:/c", "busybox", "sh", "-c", "echo kept > /c/file")
    for _ in range(3):
        docker(url, "run", "-d", "busybox", "sleep", "1000")
        assert docker(url, "run", "--rm", "-v", "cache:/c", "busybox", "cat", "/c/file").stdout == "kept\n"
    assert docker(url, "volume", "ls", "-q").stdout.split() == ["cache"]
    assert sorted(bool(engine.docker("volume", "ls", "-q").stdout) for engine in islands) == [False, True]
    docker(url, "rm", "-f", *docker(url, "ps", "-q").stdout.split())
    docker(url, "volume", "rm", "cache")


def test_containers_of_a_network_reach_each_other_by_name(url: str, islands: Sequence[NamespacedEngine]) -> None:
    docker(url, "network", "create", "net")
    docker(url, "run", "-d", "--name", "one", "--network", "net", "busybox", "sleep", "1000")
    docker(url, "run", "-d", "--name", "lone", "busybox", "sleep", "1000")
    for name in ("two", "three"):
        docker(url, "run", "-d", "--name", name, "--network", "net", "busybox", "sleep", "1000")
        assert engine_of(url, name) == engine_of(url, "one")
        assert docker(url, "exec", name, "busybox", "ping", "-c", "1", "one").returncode == 0
    assert engine_of(url, "lone") != engine_of(url, "one")
    apart = docker(url, "network", "connect", "net", "lone", check=False)
    assert "network net has its containers on" in apart.stderr
    docker(url, "rm", "-f", "one", "two", "three", "lone")
    docker(url, "network", "rm", "net")
    assert all(
        "net" not in engine.docker("network", "ls", "--format", "{{.Name}}").stdout.split() for engine in islands
    )


def test_a_compose_project_lives_on_one_engine(url: str, trixie: DockerClient, tmp_path: Path) -> None:
    place = tmp_path / "app"
    place.mkdir()
    (place / "compose.yaml").write_text(COMPOSE)
    (place / "Dockerfile").write_text("FROM busybox\nRUN echo built > /x\n")
    docker(url, "run", "-d", "--name", "other", "busybox", "sleep", "1000")

    def compose(*words: str) -> str:
        return trixie.run(url, "compose", *words, cwd=place, variables={"DOCKER_BUILDKIT": "0"}).stdout

    compose("up", "-d", "--build")
    compose("up", "-d", "--scale", "web=3")
    names = docker(url, "ps", "--format", "{{.Names}}", "--filter", "label=com.docker.compose.project=app").stdout
    services = [name.split(",")[0] for name in names.split()]
    assert len(services) == 4
    assert len({engine_of(url, name) for name in services}) == 1
    assert compose("exec", "-T", "db", "cat", "/data/n") == "first\n"
    compose("up", "-d", "--force-recreate", "--scale", "web=1")
    assert compose("exec", "-T", "web", "cat", "/x") == "built\n"
    compose("down")
    compose("up", "-d")
    assert compose("exec", "-T", "db", "cat", "/data/n") == "first\n", "the volume outlived the containers"
    compose("down", "-v")
    assert docker(url, "volume", "ls", "-q").stdout == ""
    assert "app_default" not in docker(url, "network", "ls").stdout
    docker(url, "rm", "-f", "other")


def test_an_engine_that_is_away_stops_nobody_and_catches_up(url: str, islands: Sequence[NamespacedEngine]) -> None:
    docker(url, "info")
    *_, second = islands
    second.hang(True)
    docker(url, "network", "create", "late")
    second.hang(False)
    for name in ("c1", "c2", "c3"):
        docker(url, "run", "-d", "--name", name, "busybox", "sleep", "1000")
    assert all("late" in engine.docker("network", "ls", "--format", "{{.Name}}").stdout.split() for engine in islands)
    docker(url, "rm", "-f", "c1", "c2", "c3")
    docker(url, "network", "rm", "late")
