"""A machine handed to a colleague, and a store that has moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.hosts import IMAGE, docker, generic
from tests.labs.image import USER
from tests.program import Program
from tests.provision.hosts import Boot, settled

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker client"),
]


def usable(program: Program, name: str) -> None:
    """AssertionError unless env, ssh, scp, docker and provision of the machine work."""
    seen = program.shell(f'eval "$(machine env {name})"; docker run --rm {IMAGE} echo through env').fine()
    assert seen.out == "through env\n"
    assert program("ssh", name, "echo", "by", "ssh").fine().out == "by ssh\n"
    assert program("--native-ssh", "ssh", name, "echo", "natively").fine().out == "natively\n"
    program("scp", f"{name}:/etc/hostname", str(program.place / "copy")).fine()
    flags = program("config", name).fine().out.splitlines()
    assert docker(program, *flags, "version").status == 0
    assert "Running" in program("ls", name).fine().out
    program("provision", name).fine()


def test_a_colleague_uses_an_exported_machine(boot: Boot, program: Program, tmp_path: Path) -> None:
    host = boot("shared", engine="running")
    program(*generic(host, user=USER), "dev").fine()
    settled(host)
    host.import_busybox(IMAGE)
    file = tmp_path / "dev.tar.gz"
    program("export", "--with-keys", "dev", "-o", str(file)).fine()
    assert file.stat().st_mode & 0o077 == 0
    colleague = Program(tmp_path / "colleague")
    colleague("import", str(file)).fine()
    pid = host.main_pid()
    usable(colleague, "dev")
    assert host.main_pid() == pid  # the colleague's provision changed nothing
    usable(program, "dev")
    colleague("context", "create", "dev").fine()
    assert docker(colleague, "--context", "dev", "run", "--rm", IMAGE, "echo", "ok").fine().out == "ok\n"
    colleague("rm", "-y", "dev").fine()
    usable(program, "dev")


def test_without_keys_nothing_can_be_done_with_it(boot: Boot, program: Program, tmp_path: Path) -> None:
    host = boot("closed", engine="running")
    program(*generic(host), "dev").fine()
    program("export", "dev", "-o", str(tmp_path / "dev.tar.gz")).fine()
    stranger = Program(tmp_path / "stranger")
    stranger("import", str(tmp_path / "dev.tar.gz")).fine()
    assert stranger("config", "dev").status == 1
    assert stranger("ssh", "dev", "true").status != 0
    assert "dev" in stranger("ls").fine().out


def test_a_store_that_moved_still_works(boot: Boot, program: Program, tmp_path: Path) -> None:
    host = boot("moved", engine="running")
    program(*generic(host, user=USER), "dev").fine()
    settled(host)
    host.import_busybox(IMAGE)
    elsewhere = Program(tmp_path / "another home")
    elsewhere.place.mkdir()
    program.store.rename(elsewhere.store)
    usable(elsewhere, "dev")
    assert str(elsewhere.store) in elsewhere("env", "dev").fine().out
    assert elsewhere("inspect", "dev", "-f", "{{.HostOptions.AuthOptions.StorePath}}").fine().out.strip() == str(
        elsewhere.store / "machines" / "dev"
    )
    assert str(program.store) not in (elsewhere.store / "machines/dev/config.json").read_text()
    elsewhere("regenerate-certs", "-f", "dev").fine()
    usable(elsewhere, "dev")
    elsewhere("rm", "-y", "dev").fine()
