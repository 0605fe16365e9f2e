"""The real Compose v2 through a manager over two real engines: what it made it finds again, under the same names.

Counts are checked on the engines themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.clients.fixtures import Compose1, DockerClient, compose1, trixie
from tests.swarm.network_namespaces import Islands, NamespacedEngine, needs_islands
from tests.swarm.real_manager import Manager

__all__ = ["compose1", "trixie"]
pytestmark = needs_islands

APP = """
services:
  db:
    image: busybox
    command: sh -c 'echo hello from db; exec sleep 1000'
    volumes: ["data:/data", "/anonymous"]
    stop_grace_period: 0s
  web:
    image: busybox
    command: sh -c 'echo hello from web; exec sleep 1000'
    depends_on: [db]
    environment: {VALUE: "${VALUE:-1}"}
    ports: ["${PORT:-8090:80}"]
    stop_grace_period: 0s
  side:
    image: busybox
    command: sleep 1000
    network_mode: "service:web"
    pid: "service:db"
    stop_grace_period: 0s
volumes: {data: {}}
"""


OLDER = """
version: "2.4"
services:
  db: {image: busybox, command: sleep 1000, volumes: ["data:/data"], stop_grace_period: 0s}
  web:
    image: busybox
    command: sleep 1000
    environment: {VALUE: "${VALUE:-1}"}
    ports: ["8090:80"]
    stop_grace_period: 0s
volumes: {data: {}}
"""


@pytest.fixture(scope="module")
def islands() -> Iterator[Sequence[NamespacedEngine]]:
    with Islands(2) as made:
        yield made


@pytest.fixture(scope="module")
def manager(islands: Sequence[NamespacedEngine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with Manager(islands, tmp_path_factory.mktemp("manager")) as one:
        yield one


@pytest.fixture
def project(
    trixie: DockerClient, manager: Manager, islands: Sequence[NamespacedEngine], tmp_path: Path
) -> Iterator[Project]:
    (tmp_path / "app").mkdir()
    made = Project(trixie, manager, islands, tmp_path / "app")
    (made.place / "compose.yaml").write_text(APP)
    yield made
    trixie.run(manager.url, "compose", "down", "-v", "-t", "0", cwd=made.place, check=False)
    manager.clear()
    manager.docker("network", "prune", "-f")
    for engine in islands:
        volumes = engine.docker("volume", "ls", "-q").stdout.split()
        if volumes:
            engine.docker("volume", "rm", *volumes)


class Project:
    """`project("up", "-d")` runs Compose in the application's directory, through the manager."""

    def __init__(
        self, client: DockerClient, manager: Manager, islands: Sequence[NamespacedEngine], place: Path
    ) -> None:
        self.client, self.manager, self.islands, self.place = client, manager, islands, place

    def __call__(self, *words: str, **environ: str) -> str:
        argv = ["compose", "--progress", "plain", *words]
        done = self.client.run(self.manager.url, *argv, cwd=self.place, variables=environ)
        return (done.stdout + done.stderr).strip()

    def on_engines(self, *words: str) -> list[list[str]]:
        """What each engine itself prints, as lists of lines, fullest first."""
        return sorted((e.docker(*words).stdout.split() for e in self.islands), key=len, reverse=True)

    def containers(self) -> list[str]:
        """Names on the one engine that has them all; nothing on the other."""
        here, there = self.on_engines("ps", "-a", "--format", "{{.Names}}")
        assert there == []
        return sorted(here)

    def listed(self, service: str) -> list[dict[str, Any]]:
        """Entries of `compose ps` of one service."""
        return [json.loads(line) for line in self("ps", "-a", "--format", "json", service).splitlines()]


def test_up_again_exec_logs_recreate_scale_run_and_down(project: Project) -> None:
    project("up", "-d")
    assert project.containers() == ["app-db-1", "app-side-1", "app-web-1"]
    before = project.on_engines("ps", "-aq")
    again = project("up", "-d")
    assert "Creat" not in again, again
    assert project.on_engines("ps", "-aq") == before
    for kind in ("network", "volume"):
        listed = project.manager.docker(kind, "ls", "--filter", "label=com.docker.compose.project=app", "-q").split()
        assert len(listed) == 1, (kind, listed)
    assert sorted(project.manager.docker("ps", "--format", "{{.Names}}").split()) == project.containers()

    project("exec", "-T", "db", "sh", "-c", "echo kept > /data/f; echo kept too > /anonymous/f")
    logs = project("logs", "--no-color")
    assert "hello from db" in logs
    assert "hello from web" in logs

    project("up", "-d", VALUE="2")  # the same host port as its predecessor
    assert project("exec", "-T", "web", "sh", "-c", "echo $VALUE") == "2"
    (web,) = project.listed("web")
    assert (web["Name"], [p["PublishedPort"] for p in web["Publishers"]]) == ("app-web-1", [8090])
    project("up", "-d", "--force-recreate", "db", VALUE="2")
    assert project("exec", "-T", "db", "cat", "/data/f", "/anonymous/f").split() == ["kept", "kept", "too"]
    assert project.containers() == ["app-db-1", "app-side-1", "app-web-1"]

    assert project("run", "--rm", "-T", "db", "cat", "/data/f").endswith("kept")
    project("up", "-d", "--scale", "web=3", VALUE="2", PORT="80")
    assert [each["State"] for each in project.listed("web")] == ["running"] * 3
    assert len(project.containers()) == 5
    project("up", "-d", "--scale", "web=1", VALUE="2", PORT="80")
    assert len(project.containers()) == 3

    project("down", "-v", "-t", "0")
    assert project.on_engines("ps", "-aq") == [[], []]
    assert project.on_engines("network", "ls", "-q", "--filter", "type=custom") == [[], []]
    assert project.on_engines("volume", "ls", "-q", "--filter", "name=app_data") == [[], []]


def test_data_that_stayed_draws_the_project_back(project: Project) -> None:
    project("up", "-d", "db")
    (engine,) = [e for e in project.islands if e.docker("ps", "-q").stdout]
    project("exec", "-T", "db", "sh", "-c", "echo kept > /data/f")
    project("down", "-t", "0")
    for _ in range(3):  # so that the emptiest engine is the other one
        project.manager.docker("run", "-d", "-e", f"constraint:node=={engine.name}", "busybox", "sleep", "1000")
    project("up", "-d", "db")
    assert project("exec", "-T", "db", "cat", "/data/f") == "kept"


def test_a_volume_and_a_network_made_apart_meet(project: Project) -> None:
    """A volume that was written to stays where it is; a network that nobody is in goes there."""
    manager = project.manager
    manager.docker("run", "--rm", "-v", "node-2/cache:/c", "busybox", "sh", "-c", "echo kept > /c/f")
    manager.docker("run", "-d", "-e", "constraint:node==node-2", "busybox", "sleep", "1000")
    network = manager.docker("network", "create", "build")
    assert project.islands[0].docker("network", "ls", "-q", "--filter", "name=build").stdout
    assert manager.docker("run", "--rm", "--network", network, "-v", "cache:/c", "busybox", "cat", "/c/f") == "kept"
    assert manager.docker("network", "ls", "--format", "{{.Name}}", "--filter", "name=build") == "build"
    manager.docker("network", "rm", network)  # its first id still means it
    assert manager.docker("network", "ls", "-q", "--filter", "name=build") == ""
    assert project.on_engines("volume", "ls", "-q", "--filter", "name=cache") == [["cache"], []]


def test_the_older_compose_recreates_a_service_with_a_host_port(project: Project, compose1: Compose1) -> None:
    """It stops the old container and renames it, makes the new one, and removes the old one."""
    (project.place / "docker-compose.yml").write_text(OLDER)
    (project.place / "compose.yaml").unlink()

    def compose(*words: str, **environ: str) -> str:
        return compose1.run(project.manager.url, *words, cwd=project.place, **environ)

    compose("up", "-d")
    assert project.containers() == ["app_db_1", "app_web_1"]
    before = project.on_engines("ps", "-aq")
    compose("up", "-d")
    assert project.on_engines("ps", "-aq") == before
    compose("exec", "-T", "db", "sh", "-c", "echo kept > /data/f")
    compose("up", "-d", VALUE="2")
    assert project.containers() == ["app_db_1", "app_web_1"]
    assert compose("exec", "-T", "web", "sh", "-c", "echo $VALUE").strip() == "2"
    assert compose("exec", "-T", "db", "cat", "/data/f").strip() == "kept"
    compose("down", "-v", "-t", "0")
    assert project.on_engines("ps", "-aq") == [[], []]
    assert project.on_engines("volume", "ls", "-q", "--filter", "name=app_data") == [[], []]


def test_two_projects_with_a_volume_of_one_name_on_two_engines_are_told_apart(project: Project) -> None:
    manager = project.manager
    for node in ("node-1", "node-2"):
        manager.docker("volume", "create", f"{node}/twin")
    assert sorted(manager.docker("volume", "ls", "-q").split()) == ["node-1/twin", "node-2/twin"]
    assert manager.docker("volume", "inspect", "-f", "{{.Name}}", "node-2/twin") == "twin"
    manager.docker("run", "--rm", "-v", "node-2/twin:/t", "busybox", "sh", "-c", "echo second > /t/f")
    manager.docker("run", "-d", "-e", "constraint:node==node-2", "busybox", "sleep", "1000")
    assert manager.docker("run", "--rm", "-v", "twin:/t", "busybox", "cat", "/t/f") == "second"  # it has the data
    manager.docker("volume", "rm", "node-1/twin")
    assert manager.docker("volume", "ls", "-q") == "twin"
