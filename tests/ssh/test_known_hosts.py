from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.ssh import known_hosts
from tests.sshd import keygen


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, str, str]:
    """(kind, base64, fingerprint as ssh-keygen shows it)."""
    path = keygen(tmp_path / "k")
    kind, text = Path(f"{path}.pub").read_text().split()[:2]
    shown = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True).stdout
    return kind, text, shown.split()[1]


def test_a_missing_file_has_no_entries(tmp_path: Path) -> None:
    assert known_hosts.entries(str(tmp_path / "none"), "dev") == []


def test_add_then_find(tmp_path: Path, key: tuple[str, str, str]) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("other ssh-ed25519 AAAA")  # no newline at the end
    known_hosts.add(str(file), "dev", key[0], key[1])
    assert known_hosts.entries(str(file), "dev") == [(2, key[0], key[1], False)]
    assert known_hosts.entries(str(file), "other") == [(1, "ssh-ed25519", "AAAA", False)]


def test_a_new_file_is_private(tmp_path: Path, key: tuple[str, str, str]) -> None:
    known_hosts.add(str(tmp_path / "k2"), "dev", key[0], key[1])
    assert (tmp_path / "k2").stat().st_mode & 0o777 == 0o600


def test_fingerprint_is_ssh_keygens(key: tuple[str, str, str]) -> None:
    assert known_hosts.fingerprint(key[1]) == key[2]


def test_names_hashed_by_ssh_keygen_are_found(tmp_path: Path, key: tuple[str, str, str]) -> None:
    file = tmp_path / "known_hosts"
    known_hosts.add(str(file), "Dev", key[0], key[1])
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "dev" not in file.read_text().lower().split()
    assert [entry.key for entry in known_hosts.entries(str(file), "dev")] == [key[1]]
    assert known_hosts.entries(str(file), "dev2") == []


def test_forget_leaves_the_others_and_the_revoked(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("# mine\na,dev ssh-rsa AAAA\n@revoked dev ssh-rsa BBBB\nb ssh-rsa CCCC\ngarbage\n")
    assert known_hosts.forget(str(file), "dev") == 1
    assert file.read_text() == "# mine\n@revoked dev ssh-rsa BBBB\nb ssh-rsa CCCC\ngarbage\n"
    assert known_hosts.forget(str(file), "dev") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["known_hosts"]
    assert file.stat().st_mode & 0o777 == 0o600
