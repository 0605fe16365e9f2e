"""A key that create took must be one that ssh takes; one that needs an agent is refused while nothing is made."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.drivers.generic.driver import GenericDriver
from machine.errors import PreflightFailed, StoreError
from machine.lifecycle import ssh_keys
from machine.options import resolve
from machine.ssh import arguments
from machine.store import Record
from tests.drivers.contexts import real
from tests.sshd import Sshd, keygen


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


def driver(tmp_path: Path, key: str, port: int = 1) -> GenericDriver:
    given = {"generic-ip-address": "127.0.0.1", "generic-ssh-port": port, "generic-ssh-key": key}
    return GenericDriver.configure(real(tmp_path, "dev"), resolve(GenericDriver.traits.options, given, {}))


@pytest.mark.parametrize("form", ["no last newline", "windows", "wrong public half", "open to all"])
def test_the_systems_ssh_logs_in_with_what_was_kept(sshd: Sshd, tmp_path: Path, form: str) -> None:
    source, target = tmp_path / "given", tmp_path / "id_rsa"
    data = sshd.key.read_bytes()
    changed = {"no last newline": data.rstrip(b"\n"), "windows": data.replace(b"\n", b"\r\n")}
    source.write_bytes(changed.get(form, data))
    source.chmod(0o666)
    if form == "wrong public half":
        Path(f"{source}.pub").write_bytes(Path(f"{keygen(tmp_path / 'other')}.pub").read_bytes())
    driver(tmp_path, str(source), sshd.port).check()
    record = Record.new(str(tmp_path), "dev", "generic", {})
    assert ssh_keys.copy_user_key(record, str(source), str(target)) == str(target)
    (tmp_path / "known").write_text(sshd.host_line("dev"))
    login = arguments.Login("dev", sshd.address, sshd.port, sshd.user, str(target), str(tmp_path / "known"), True)
    argv = arguments.ssh(login, ["-F", "none", "-o", "BatchMode=yes"], ["echo", "in"])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("in\n", 0), done.stderr


def test_a_locked_key_without_an_agent_is_refused_before_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    with pytest.raises(PreflightFailed, match="has a passphrase, and no ssh-agent is running") as caught:
        ssh_keys.check(driver(tmp_path, str(key)))
    assert f"ssh-add {key}" in caught.value.resolution
    with pytest.raises(PreflightFailed, match="no ssh-agent is running"):
        ssh_keys.check(driver(tmp_path, ""))
    ssh_keys.check(driver(tmp_path, str(keygen(tmp_path / "open"))))


def test_a_key_that_went_away_or_bad_since_is_named(tmp_path: Path) -> None:
    record = Record.new(str(tmp_path), "dev", "generic", {})
    with pytest.raises(StoreError, match="is gone"):
        ssh_keys.copy_user_key(record, str(tmp_path / "none"), str(tmp_path / "id_rsa"))
    (tmp_path / "bad").write_text("x")
    with pytest.raises(StoreError, match="is not an ssh private key"):
        ssh_keys.copy_user_key(record, str(tmp_path / "bad"), str(tmp_path / "id_rsa"))
    assert not (tmp_path / "id_rsa").exists()
