"""Docker contexts as the real docker client sees them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

import certs
from machine import docker_config, docker_context
from machine.errors import CertificateError, MachineNotFound, StoreError
from tests.fake_engine import fake_engine

needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker client is not installed")
URL = "tcp://192.0.2.7:2376"
CA = certs.make_ca("me")
CLIENT = certs.make_client(CA, "me")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "DOCKER_CONFIG": str(tmp_path / "docker"), "PATH": os.environ["PATH"]}


@pytest.fixture
def machine(tmp_path: Path) -> str:
    return machine_dir(tmp_path / "store", "dev")


def machine_dir(store: Path, name: str, ca: bytes = CA.cert, client: certs.Pair = CLIENT) -> str:
    here = store / "machines" / name
    here.mkdir(parents=True)
    for file, content in (("ca.pem", ca), ("cert.pem", client.cert), ("key.pem", client.key)):
        (here / file).write_bytes(content)
    return str(here)


def docker(environ: dict[str, str], *words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], env=environ, capture_output=True, text=True, timeout=60)
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout.strip() + ("" if check else done.stderr)


def meta(environ: dict[str, str], name: str) -> Path:
    return Path(environ["DOCKER_CONFIG"], "contexts", "meta", sha256(name.encode()).hexdigest(), "meta.json")


@needs_docker
def test_the_docker_client_lists_and_reads_it(environ: dict[str, str], machine: str) -> None:
    assert docker_context.write("dev", URL, machine, environ=environ) == "dev"
    assert (
        docker(
            environ, "context", "ls", "--format", "{{.Name}} {{.Description}} {{.DockerEndpoint}}{{.Error}}"
        ).splitlines()[1]
        == f"dev machine: dev {URL}"
    )
    found = json.loads(docker(environ, "context", "inspect", "dev"))[0]
    assert found["Endpoints"]["docker"] == {"Host": URL, "SkipTLSVerify": False}
    assert found["TLSMaterial"] == {"docker": ["ca.pem", "cert.pem", "key.pem"]}


@needs_docker
def test_the_docker_client_talks_to_an_engine_through_it(environ: dict[str, str], tmp_path: Path) -> None:
    server = certs.make_server(CA, "me.dev", ["127.0.0.1"])
    with fake_engine(tmp_path / "engine", server, CA.cert) as port:
        url = f"tcp://127.0.0.1:{port}"
        docker_context.write("dev", url, machine_dir(tmp_path / "store", "dev"), environ=environ)
        assert docker(environ, "--context", "dev", "version", "--format", "{{.Server.Version}}") == "27.9.9"
        stranger = certs.make_client(certs.make_ca("x"), "x")
        docker_context.write("bad", url, machine_dir(tmp_path / "store", "bad", client=stranger), environ=environ)
        said = docker(environ, "--context", "bad", "version", check=False)
        assert "Server:" not in said
        assert any(word in said for word in ("tls", "reset", "broken pipe")), "the refusal may overtake the request"
        foreign = machine_dir(tmp_path / "store", "worse", ca=certs.make_ca("me").cert)
        docker_context.write("worse", url, foreign, environ=environ)
        assert "certificate" in docker(environ, "--context", "worse", "version", check=False)


@needs_docker
def test_our_mark_survives_an_edit_by_the_docker_client(environ: dict[str, str], machine: str) -> None:
    docker_context.write("dev", URL, machine, environ=environ)
    docker(environ, "context", "update", "dev", "--description", "my own words")
    docker_context.write("dev", "tcp://192.0.2.8:2376", machine, environ=environ)
    found = json.loads(docker(environ, "context", "inspect", "dev"))[0]
    assert found["Endpoints"]["docker"]["Host"] == "tcp://192.0.2.8:2376"
    assert found["Metadata"]["Description"] == "my own words"


@needs_docker
def test_a_context_made_by_docker_is_left_alone(environ: dict[str, str], machine: str) -> None:
    docker(environ, "context", "create", "dev", "--docker", "host=tcp://10.0.0.1:2375", "--description", "machine: dev")
    before = meta(environ, "dev").read_bytes()
    with pytest.raises(StoreError, match="already, and it was not made by machine") as caught:
        docker_context.write("dev", URL, machine, environ=environ)
    assert "docker context rm dev" in caught.value.resolution
    assert docker_context.remove("dev", environ=environ) is False
    assert meta(environ, "dev").read_bytes() == before


@needs_docker
def test_removing_the_current_context_leaves_a_working_client(environ: dict[str, str], machine: str) -> None:
    docker_context.write("dev", URL, machine, environ=environ)
    docker(environ, "context", "use", "dev")
    config = Path(environ["DOCKER_CONFIG"], "config.json")
    config.write_text(json.dumps({**json.loads(config.read_text()), "detachKeys": "ctrl-ü"}))
    config.chmod(0o600)
    assert docker_config.current_context(environ) == "dev"
    assert docker_context.own_contexts(environ)[0].current
    assert docker_context.remove("dev", environ=environ) is True
    assert docker(environ, "context", "show") == "default"
    assert json.loads(config.read_text())["detachKeys"] == "ctrl-ü"
    assert config.stat().st_mode & 0o777 == 0o600
    assert docker(environ, "context", "ls", "-q").split() == ["default"]
    assert list(Path(environ["DOCKER_CONFIG"], "contexts", "tls").iterdir()) == []


@needs_docker
@pytest.mark.parametrize("name", ["default", "a"])
def test_names_that_docker_does_not_take_get_another(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    here = machine_dir(tmp_path / "store", name)
    assert docker_context.write(name, URL, here, environ=environ) == f"machine-{name}"
    assert f"machine-{name}" in docker(environ, "context", "ls", "-q").split()
    assert docker_context.remove(name, environ=environ)


def test_the_key_is_private(environ: dict[str, str], machine: str) -> None:
    docker_context.write("dev", URL, machine, environ=environ)
    tls = Path(environ["DOCKER_CONFIG"], "contexts", "tls")
    found = {path.name: path.stat().st_mode & 0o777 for path in tls.rglob("*.pem")}
    assert found == {"ca.pem": 0o600, "cert.pem": 0o600, "key.pem": 0o600}
    assert tls.stat().st_mode & 0o777 == 0o700


def test_the_same_name_in_another_store_is_not_clobbered(environ: dict[str, str], tmp_path: Path, machine: str) -> None:
    docker_context.write("dev", URL, machine, environ=environ)
    other = machine_dir(tmp_path / "other", "dev")
    with pytest.raises(StoreError, match="belongs to the machine in"):
        docker_context.write("dev", "tcp://192.0.2.9:2376", other, environ=environ)
    assert docker_context.remove("dev", cert_dir=other, environ=environ) is False
    shutil.rmtree(machine)
    docker_context.write("dev", "tcp://192.0.2.9:2376", other, environ=environ)
    assert docker_context.own_contexts(environ)[0].host == "tcp://192.0.2.9:2376"
    assert docker_context.remove("dev", cert_dir=other, environ=environ) is True


def test_renewed_certificates_reach_the_context(environ: dict[str, str], machine: str) -> None:
    docker_context.write("dev", URL, machine, environ=environ)
    assert docker_context.refresh(environ) == []
    renewed = certs.make_client(CA, "me")
    Path(machine, "cert.pem").write_bytes(renewed.cert)
    Path(machine, "key.pem").write_bytes(renewed.key)
    assert docker_context.refresh(environ, cert_dir=machine + "-other") == []
    assert docker_context.refresh(environ, cert_dir=machine) == ["dev"]
    held = next(Path(environ["DOCKER_CONFIG"], "contexts", "tls").rglob("key.pem"))
    assert held.read_bytes() == renewed.key
    Path(machine, "cert.pem").unlink()
    Path(machine, "ca.pem").write_bytes(b"half")
    assert docker_context.refresh(environ) == []
    shutil.rmtree(machine)
    assert docker_context.refresh(environ) == []


def test_without_certificates_there_is_no_tls(environ: dict[str, str], machine: str) -> None:
    docker_context.write("dev", URL, machine, environ=environ)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        Path(machine, name).unlink()
    docker_context.write("dev", "tcp://192.0.2.7:2375", machine, environ=environ)
    assert list(Path(environ["DOCKER_CONFIG"], "contexts", "tls").iterdir()) == []


def test_half_the_certificates_are_an_error(environ: dict[str, str], machine: str) -> None:
    Path(machine, "key.pem").unlink()
    with pytest.raises(CertificateError, match=r"key\.pem missing") as caught:
        docker_context.write("dev", URL, machine, environ=environ)
    assert caught.value.resolution == "machine regenerate-certs dev"
    assert not meta(environ, "dev").exists()


def test_a_machine_without_address_has_no_context(environ: dict[str, str], machine: str) -> None:
    with pytest.raises(MachineNotFound, match="not known yet"):
        docker_context.write("dev", "", machine, environ=environ)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Metadata": 7}', '{"Metadata": {"Machine": []}}', "\x00"])
def test_broken_contexts_of_others_are_skipped_and_not_touched(
    environ: dict[str, str], machine: str, content: str
) -> None:
    docker_context.write("dev", URL, machine, environ=environ)
    bad = meta(environ, "broken")
    bad.parent.mkdir()
    bad.write_text(content)
    (bad.parent.parent / "stray").mkdir()
    assert [context.name for context in docker_context.own_contexts(environ)] == ["dev"]
    assert docker_context.remove("broken", environ=environ) is False
    with pytest.raises(StoreError):
        docker_context.write("broken", URL, machine, environ=environ)
    assert bad.read_text() == content


def test_the_place_is_dockers(tmp_path: Path) -> None:
    assert docker_config.directory({"HOME": "/home/me"}) == "/home/me/.docker"
    assert docker_config.directory({"HOME": "/home/me", "DOCKER_CONFIG": "/etc/x"}) == "/etc/x"
    assert docker_context.own_contexts({"HOME": str(tmp_path)}) == []
    assert docker_config.current_context({"HOME": str(tmp_path)}) == ""


def test_a_place_that_cannot_be_written_is_advice(tmp_path: Path, machine: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        docker_context.write("dev", URL, machine, environ={"DOCKER_CONFIG": str(tmp_path / "file")})
