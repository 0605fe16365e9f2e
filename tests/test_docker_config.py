"""Docker's config.json: which context decides, and that the file is never lost. The real docker client has its say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from machine import docker_config
from machine.errors import StoreError

needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker client is not installed")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "config.json"


@pytest.fixture
def environ(config: Path) -> dict[str, str]:
    return {"DOCKER_CONFIG": str(config.parent), "PATH": os.environ["PATH"], "HOME": str(config.parent.parent)}


def context_in_use(environ: dict[str, str]) -> str:
    """What the real client says it uses."""
    shown = subprocess.run(["docker", "context", "show"], env=environ, capture_output=True, text=True, timeout=60)
    return shown.stdout.strip()


@needs_docker
@pytest.mark.parametrize(
    ("variables", "content", "selected"),
    [
        ({}, "", ("", "")),
        ({}, "{}", ("", "")),
        ({}, '{"currentContext": "default"}', ("", "")),
        ({}, '{"currentContext": "dev"}', ("currentContext", "dev")),
        ({"DOCKER_CONTEXT": "other"}, '{"currentContext": "dev"}', ("DOCKER_CONTEXT", "other")),
        ({"DOCKER_CONTEXT": "default"}, '{"currentContext": "dev"}', ("DOCKER_CONTEXT", "default")),
        (
            {"DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "other"},
            '{"currentContext": "dev"}',
            ("DOCKER_HOST", "tcp://h:1"),
        ),
        ({"DOCKER_HOST": "", "DOCKER_CONTEXT": ""}, '{"currentContext": "dev"}', ("currentContext", "dev")),
        ({}, "{not json", ("", "")),
    ],
)
def test_the_order_is_that_of_the_docker_client(
    environ: dict[str, str], config: Path, variables: dict[str, str], content: str, selected: tuple[str, str]
) -> None:
    config.parent.mkdir()
    config.write_text(content)
    environ |= variables
    assert docker_config.selection(environ) == selected
    source, name = selected
    assert context_in_use(environ) == (name if source in ("DOCKER_CONTEXT", "currentContext") else "default")


def test_a_new_file_is_private_and_an_old_one_keeps_its_mode_and_content(environ: dict[str, str], config: Path) -> None:
    docker_config.set_current_context("dev", environ)
    assert json.loads(config.read_text()) == {"currentContext": "dev"}
    assert config.stat().st_mode & 0o777 == 0o600
    config.write_text('{"auths": {"r": {}}, "odd": "\\ud800 \\u00fc"}')
    config.chmod(0o640)
    docker_config.set_current_context("dev", environ)
    docker_config.set_current_context("", environ)
    assert json.loads(config.read_text()) == {"auths": {"r": {}}, "odd": "\ud800 \u00fc"}
    assert config.stat().st_mode & 0o777 == 0o640
    assert os.listdir(config.parent) == ["config.json"]


def test_only_what_is_expected_is_replaced(environ: dict[str, str], config: Path) -> None:
    """Two commands at once: the one that comes second leaves what the first has chosen."""
    assert docker_config.set_current_context("dev", environ, docker_config.NONE)
    assert not docker_config.set_current_context("other", environ, docker_config.NONE)
    assert not docker_config.set_current_context("", environ, ("other",))
    assert json.loads(config.read_text()) == {"currentContext": "dev"}
    assert docker_config.set_current_context("", environ, ("dev",))
    assert docker_config.set_current_context("other", environ, docker_config.NONE)


def test_a_link_stays_and_its_target_is_changed(environ: dict[str, str], config: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "docker.json"
    target.parent.mkdir()
    config.parent.mkdir()
    config.symlink_to(target)
    docker_config.set_current_context("dev", environ)
    assert config.is_symlink()
    assert json.loads(target.read_text()) == {"currentContext": "dev"}


@pytest.mark.parametrize("content", ["{not json", "[]", '"text"', "[" * 100_000, "\xff"])
def test_a_damaged_file_is_left_as_it_is(environ: dict[str, str], config: Path, content: str) -> None:
    config.parent.mkdir()
    config.write_bytes(content.encode("latin-1"))
    with pytest.raises(StoreError, match="is not a JSON object") as caught:
        docker_config.set_current_context("dev", environ)
    assert "left as it is" in caught.value.resolution
    assert config.read_bytes() == content.encode("latin-1")
    assert docker_config.current_context(environ) == ""


def test_what_is_no_plain_file_is_not_waited_for(environ: dict[str, str], config: Path) -> None:
    config.parent.mkdir()
    os.mkfifo(config)
    assert docker_config.current_context(environ) == ""
    with pytest.raises(StoreError, match="it is not a plain file"):
        docker_config.set_current_context("dev", environ)
    assert config.is_fifo()


def test_a_read_only_file_is_left_as_it_is(environ: dict[str, str], config: Path) -> None:
    config.parent.mkdir()
    config.write_text("{}")
    config.chmod(0o444)
    with pytest.raises(StoreError, match="is read-only") as caught:
        docker_config.set_current_context("dev", environ)
    assert "docker context use dev" in caught.value.resolution
    assert config.read_text() == "{}"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a file to another user: root")
def test_another_user_s_file_is_left_to_them(environ: dict[str, str], config: Path) -> None:
    config.parent.mkdir()
    config.write_text("{}")
    os.chown(config, 12345, -1)
    with pytest.raises(StoreError, match="belongs to another user"):
        docker_config.set_current_context("dev", environ)
    assert (config.read_text(), config.stat().st_uid) == ("{}", 12345)
