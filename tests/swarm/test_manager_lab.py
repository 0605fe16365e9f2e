"""The manager over real engines, each in a network of its own, with the real docker client and docker-py."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker as dockerpy
import pytest

from tests.swarm.engines import Client, clients, docker, stdin_of
from tests.swarm.network_namespaces import Islands, NamespacedEngine, needs_islands
from tests.swarm.real_manager import Manager

pytestmark = needs_islands


@pytest.fixture(scope="module")
def islands() -> Iterator[Sequence[NamespacedEngine]]:
    with Islands(3) as made:
        yield made


@pytest.fixture
def manager(islands: Sequence[NamespacedEngine], tmp_path: Path) -> Iterator[Manager]:
    with Manager(islands, tmp_path) as one:
        yield one
        one.clear()


def test_three_containers_on_port_80_land_on_three_engines(manager: Manager) -> None:
    for _ in range(3):
        manager.docker("run", "-d", "-p", "80:80", "busybox", "sleep", "1000")
    assert sorted(name.split("/")[0] for name in manager.names()) == ["node-1", "node-2", "node-3"]
    ports = manager.docker("ps", "--format", "{{.Ports}}").splitlines()
    assert len(set(ports)) == 3
    assert all(port.startswith("10.98.") and port.endswith(":80->80/tcp") for port in ports)
    assert "80/tcp" in manager.refused("run", "-d", "-p", "80:80", "busybox", "sleep", "1000")
    info = manager.docker("info")
    assert "Nodes: 3" in info
    assert "Containers: 1 (1 Running, 0 Paused, 0 Stopped)" in info


def test_what_one_does_with_a_container(manager: Manager, tmp_path: Path) -> None:
    manager.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", "echo out; while true; do sleep 1; done")
    manager.until(lambda: manager.docker("logs", "web") == "out")
    assert manager.docker("exec", "web", "echo", "inside") == "inside"
    assert manager.docker("exec", "-i", "web", "cat", text="to it") == "to it"
    assert "sleep" in manager.docker("top", "web")
    (tmp_path / "file").write_text("copied")
    manager.docker("cp", str(tmp_path / "file"), "web:/tmp/file")
    assert manager.docker("exec", "web", "cat", "/tmp/file") == "copied"
    manager.docker("cp", "web:/tmp/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "copied"
    assert "/tmp/file" in manager.docker("diff", "web")
    manager.docker("rename", "web", "new")
    (name,) = manager.names("--filter", "name=new")
    assert name.endswith("/new")
    assert json.loads(manager.docker("inspect", "new"))[0]["Name"] == "/new"
    assert "MEM USAGE" in manager.docker("stats", "--no-stream", "new")
    for verb, status in (("pause", "Paused"), ("unpause", "Up"), ("kill", "Exited (137)"), ("start", "Up")):
        manager.docker(verb, name)
        assert status in manager.docker("ps", "-a", "--format", "{{.Status}}", "--filter", "name=new")
    manager.docker("kill", "new")
    assert manager.docker("wait", "new") == "137"
    manager.docker("commit", "new", "mine")
    assert "mine" in manager.docker("images", "--format", "{{.Repository}}")
    manager.docker("rm", "-f", "new")
    assert "No such container" in manager.refused("logs", "new")
    assert manager.docker("run", "--rm", "busybox", "echo", "gone") == "gone"
    assert manager.docker("run", "--rm", "-i", "busybox", "cat", text="through and back") == "through and back"
    assert docker(manager.url, "run", "--rm", "busybox", "sh", "-c", "exit 7", check=False).returncode == 7
    manager.docker("rmi", "-f", "mine")


def test_build_save_load_and_events(manager: Manager, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /built\nCMD cat /built\n")
    began = str(int(time.time()) - 1)
    env = {**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_HOST": manager.url}
    argv = ["docker", "build", "-t", "built", "--build-arg", "constraint:node==node-2", str(tmp_path)]
    subprocess.run(argv, env=env, check=True, capture_output=True, timeout=120)
    assert manager.docker("run", "--rm", "--name", "bb", "built") == "built"
    events = manager.docker(
        "events", "--since", began, "--until", str(int(time.time()) + 1), "--filter", "container=bb"
    )
    assert "container start" in events
    assert "node.name=node-2" in events
    manager.docker("save", "built", "-o", str(tmp_path / "image.tar"))
    manager.docker("rmi", "built")
    loaded = manager.docker("load", "-i", str(tmp_path / "image.tar"))
    assert loaded.count("Loaded image: built:latest") == 1
    for node in ("node-1", "node-3"):
        assert manager.docker("run", "--rm", "-e", f"constraint:node=={node}", "built") == "built"
    manager.docker("rmi", "built")
    assert "Images" in manager.docker("system", "df")


@pytest.mark.parametrize("client", clients(), ids=lambda client: client.version)
def test_every_docker_client_on_this_host(manager: Manager, client: Client, tmp_path: Path) -> None:
    def say(*words: str, text: str | None = None, **env: str) -> str:
        argv = [client.path, "-H", manager.url, *words]
        done = subprocess.run(
            argv,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **stdin_of(text),
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return str(done.stdout).strip()

    say("run", "-d", "--name", "web", "-e", "constraint:node==node-3", "busybox", "sh", "-c", "echo out; sleep 1000")
    assert say("ps", "--format", "{{.Names}}", "--filter", "node=node-3") == "web"
    assert say("logs", "web") == "out"
    assert say("exec", "-i", "web", "cat", text="to it") == "to it"
    assert say("run", "--rm", "-i", "busybox", "cat", text="through and back") == "through and back"
    assert "Nodes: 3" in say("info")
    assert "swarm/" in say("version")
    say("cp", "web:/bin/busybox", str(tmp_path / "busybox"))
    assert (tmp_path / "busybox").stat().st_size > 100_000
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /built\nCMD cat /built\n")
    (tmp_path / ".dockerignore").write_text("busybox\n")
    builders = ("0", "1") if client.buildkit else ("0",)
    for number, kit in enumerate(builders, 1):
        node = f"constraint:node==node-{number}"
        say("build", "-t", f"built{number}", "--build-arg", node, str(tmp_path), DOCKER_BUILDKIT=kit)
        found = say("images", "--filter", f"node=node-{number}", "--format", "{{.Repository}}")
        assert f"built{number}" in found
        assert say("run", "--rm", f"built{number}") == "built"
        say("rmi", f"built{number}")
    say("system", "df")
    say("rm", "-f", "web")


def test_networks_and_volumes(manager: Manager, islands: Sequence[NamespacedEngine]) -> None:
    manager.docker("network", "create", "front")
    assert "front" in manager.docker("network", "ls", "--format", "{{.Name}}").split()
    (holder,) = [i.name for i in islands if i.docker("network", "ls", "-q", "--filter", "name=front").stdout.strip()]
    for name in ("one", "two"):
        manager.docker("run", "-d", "--name", name, "--network", "front", "busybox", "sleep", "1000")
    assert {name.split("/")[0] for name in manager.names()} == {holder}
    manager.clear()
    manager.docker("network", "rm", f"{holder}/front")
    manager.docker("volume", "create", "data")
    assert manager.docker("volume", "ls", "-q").split().count("data") == 1
    assert manager.docker("run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", "echo x > /d/x; cat /d/x") == "x"
    manager.docker("volume", "rm", "data")


def test_binpack_fills_one_engine(islands: Sequence[NamespacedEngine], tmp_path: Path) -> None:
    with Manager(islands, tmp_path, "--strategy", "binpack") as manager:
        for _ in range(4):
            manager.docker("run", "-d", "-m", "64m", "busybox", "sleep", "1000")
        assert len({name.split("/")[0] for name in manager.names()}) == 1
        manager.clear()


def test_docker_py(manager: Manager) -> None:
    client = dockerpy.DockerClient(base_url=manager.url, timeout=30)
    assert client.ping()
    assert client.info()["SystemStatus"][3] == ["Nodes", "3"]
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    made = client.containers.run(
        "busybox", ["sleep", "1000"], detach=True, name="py", environment=["constraint:node==node-3"]
    )
    assert made.attrs["Node"]["Name"] == "node-3"
    assert made.exec_run(["echo", "inside"]).output == b"inside\n"
    assert [c.id for c in client.containers.list(filters={"name": "py"})] == [made.id]
    made.stop(timeout=0)
    made.reload()
    assert made.status == "exited"
    made.remove()
    assert client.images.get("busybox").tags == ["busybox:latest"]
    client.close()


def test_a_killed_engine_reschedules_and_its_return_starts_nothing_twice(
    islands: Sequence[NamespacedEngine], tmp_path: Path
) -> None:
    with Manager(islands, tmp_path) as manager:
        moves = ["-e", "reschedule:on-node-failure", "-e", "constraint:node!=node-3"]
        manager.docker("run", "-d", "--name", "mover", *moves, "-p", "81:80", "-v", "kept:/k", "busybox", "sleep", "99")
        manager.docker("run", "-d", "--name", "stay", "-e", "affinity:container==mover", "busybox", "sleep", "99")
        (before,) = manager.names("--filter", "name=mover")
        lost = next(island for island in islands if island.name == before.split("/")[0])
        other = next(i for i in islands if i is not lost and i.name != "node-3")
        lost.kill()
        try:
            manager.until(lambda: manager.names("--filter", "name=mover") == [f"{other.name}/mover"])
            manager.until(lambda: "Up" in manager.docker("ps", "--format", "{{.Status}}", "--filter", "name=mover"))
            assert "Host Down" in manager.docker("ps", "-a", "--format", "{{.Status}}", "--filter", "name=stay")
        finally:
            lost.start()
            lost.wait()
        manager.until(lambda: manager.docker("info").count("Status: Healthy") == 3)
        manager.until(lambda: "mover" not in lost.docker("ps", "-a", "--format", "{{.Names}}").stdout)
        assert manager.names("-a", "--filter", "name=mover") == [f"{other.name}/mover"]
        assert "kept" in lost.docker("volume", "ls", "-q").stdout
        manager.clear()


def test_an_engine_that_hangs_stalls_nobody(manager: Manager, islands: Sequence[NamespacedEngine]) -> None:
    islands[0].hang(True)
    try:
        for _ in range(3):
            manager.docker("run", "-d", "-e", "constraint:node!=node-1", "busybox", "sleep", "1000")
        assert len(manager.names()) == 3
    finally:
        islands[0].hang(False)


def test_a_manager_killed_and_started_again_has_the_same_state(
    islands: Sequence[NamespacedEngine], tmp_path: Path
) -> None:
    with Manager(islands, tmp_path) as manager:
        for n in range(4):
            manager.docker("run", "-d", "--name", f"c{n}", "-m", "32m", "busybox", "sleep", "1000")
        before = sorted(manager.names())
        manager.process.kill()
        manager.process.wait()
    with Manager(islands, tmp_path) as manager:
        assert sorted(manager.names()) == before
        manager.until(lambda: manager.docker("info").count("Reserved Memory: 0 B") == 0)
        manager.clear()
