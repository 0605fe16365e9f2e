"""Images through a manager over real engines, each with images of its own: what clients build, load and run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker as dockerpy
import pytest

from tests.clients import packages
from tests.swarm.engines import DOCKER, Engines, needs_engines
from tests.swarm.real_manager import Manager

pytestmark = needs_engines
RUN = ("run", "--rm", "--network=none")


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    flags = ("--engine-refresh-min-interval", "300s", "--engine-refresh-max-interval", "301s")
    with Engines(2) as made, Manager(made, tmp_path_factory.mktemp("manager"), *flags) as one:
        yield one


@pytest.fixture(params=["the builder of the engine", "buildx"])
def build(request: pytest.FixtureRequest, manager: Manager, tmp_path: Path) -> Callable[..., str]:
    """Build what prints `says`; what `docker build -q` prints."""
    environ = {**os.environ, "DOCKER_HOST": manager.url, "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(tmp_path)}
    if request.param == "buildx":
        plugin = packages.require("docker-buildx") / "usr/libexec/docker/cli-plugins/docker-buildx"
        (tmp_path / "cli-plugins").mkdir()
        (tmp_path / "cli-plugins" / "docker-buildx").symlink_to(plugin)
        environ["DOCKER_BUILDKIT"] = "1"

    def make(says: str, *words: str) -> str:
        context = tmp_path / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(f'FROM busybox\nLABEL says="{says}"\nCMD ["echo", "{says}"]\n')
        done = subprocess.run(
            [DOCKER, "build", "-q", *words, str(context)], env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return make


def test_what_was_built_runs_at_once_by_tag_by_id_and_by_its_beginning(
    manager: Manager, build: Callable[..., str]
) -> None:
    tag = f"tagged-{os.urandom(4).hex()}"  # the two builders may be on two engines
    build("by tag", "-t", tag)
    (holder,) = [e.name for e in manager.engines if e.docker("inspect", tag, check=False).returncode == 0]
    for _ in range(2):  # so that the other engine would be chosen, if it had the image
        manager.docker("run", "-d", "--network=none", "-e", f"constraint:node=={holder}", "busybox", "sleep", "1000")
    try:
        build("again", "-t", tag)
        assert manager.docker(*RUN, tag) == "again"
        for number in range(2):
            identity = build(f"id {number}")
            for name in (identity, identity[7:19]):
                assert manager.docker(*RUN, name) == f"id {number}"
    finally:
        manager.clear()


def test_a_tag_is_its_newest_build(manager: Manager, build: Callable[..., str]) -> None:
    """By what builds by itself, wherever that is."""
    for says in ("v1", "v2", "v1"):
        build(says, "-t", "app")
        assert {manager.docker(*RUN, "app") for _ in range(2)} == {says}
        assert manager.docker("image", "inspect", "-f", "{{.Config.Labels.says}}", "app") == says
    assert manager.docker("images", "-q", "app").count("\n") == 0


def test_a_tag_is_its_newest_build_on_whatever_engine(manager: Manager, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    client = dockerpy.DockerClient(base_url=manager.url)
    for says, node in (("v1", "node-1"), ("v2", "node-2"), ("v1", "node-1")):
        (context / "Dockerfile").write_text(f'FROM busybox\nCMD ["echo", "{says}"]\n')
        client.images.build(path=str(context), tag="there", buildargs={"constraint:node": f"={node}"})
        assert {manager.docker(*RUN, "there") for _ in range(2)} == {says}
    client.close()


def test_an_import_and_a_load_print_one_id_as_an_engine_does(manager: Manager, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("hello")
        tar.addfile(entry, io.BytesIO())
    file = tmp_path / "imported.tar"
    file.write_bytes(packed.getvalue())
    identity = manager.docker("import", str(file), "imported:1")
    assert identity.startswith("sha256:")
    assert "\n" not in identity
    assert manager.docker("image", "inspect", "-f", "{{.RepoTags}}", identity) == "[imported:1]"
    for engine in manager.engines:
        engine.docker("image", "inspect", "imported:1")
    saved = tmp_path / "saved.tar"
    manager.docker("save", "-o", str(saved), "imported:1")  # of the engine whose id was printed
    manager.docker("rmi", "imported:1")
    assert manager.docker("load", "-i", str(saved)) == "Loaded image: imported:1"
    client = dockerpy.DockerClient(base_url=manager.url)
    (loaded,) = client.images.load(Path(saved).read_bytes())
    assert loaded.id == identity
    client.close()


def test_ancestors_order_and_ends_as_an_engine_lists_them(manager: Manager) -> None:
    client = dockerpy.DockerClient(base_url=manager.url)
    client.images.build(fileobj=io.BytesIO(b'FROM busybox\nLABEL derived="yes"\n'), tag="derived")
    client.close()
    try:
        for name, image in (("plain", "busybox:latest"), ("child", "derived"), ("third", "busybox")):
            manager.docker("run", "-d", "--network=none", "--name", name, image, "true")
            manager.docker("wait", name)

        def names(*words: str) -> list[str]:
            return [name.rpartition("/")[2] for name in manager.names(*words)]

        assert names("-f", "status=exited", "-f", "since=plain") == ["third", "child"]
        assert names("-a", "-f", "before=third", "-f", "since=plain") == ["child"]
        assert set(names("-a", "-f", "ancestor=busybox:latest")) >= {"plain", "third"}
        assert names("-a", "-f", "ancestor=derived") == ["child"]
        assert names("-n", "1") == ["third"]
    finally:
        manager.clear()


def test_clients_with_types_read_info(manager: Manager) -> None:
    shown = json.loads(manager.docker("info", "--format", "{{json .}}"))
    assert all(len(row) == 2 and all(isinstance(cell, str) for cell in row) for row in shown["SystemStatus"])
    assert all(shown[key] for key in ("CgroupDriver", "DefaultRuntime", "DockerRootDir", "LoggingDriver", "Driver"))
    assert (
        manager.docker("info", "--format", "{{.CgroupDriver}}")
        == manager.engines[0].docker("info", "--format", "{{.CgroupDriver}}").stdout.strip()
    )
    client = dockerpy.DockerClient(base_url=manager.url)
    assert {"Containers", "Volumes", "Images"} <= set(client.df())
    client.close()
