"""The user's own key: what is refused, and what to do about it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.drivers.cloud import ssh_key
from machine.errors import PreflightFailed
from tests.sshd import keygen


def test_no_key_and_a_good_one_are_fine(tmp_path: Path) -> None:
    ssh_key.check("", "--x-key", sent=True)
    ssh_key.check(str(keygen(tmp_path / "id")), "--x-key", sent=True)


@pytest.mark.parametrize("name", ["missing", ""])
def test_what_is_no_file_names_the_flag(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    with pytest.raises(PreflightFailed, match=r"cannot be (read|used)") as caught:
        ssh_key.check(path, "--x-key", sent=False)
    assert "--x-key" in caught.value.resolution
    assert path in caught.value.brief


def test_the_public_half_is_needed_only_where_it_is_sent(tmp_path: Path) -> None:
    key = keygen(tmp_path / "id")
    Path(f"{key}.pub").unlink()
    ssh_key.check(str(key), "--x-key", sent=False)
    with pytest.raises(PreflightFailed, match="public half") as caught:
        ssh_key.check(str(key), "--x-key", sent=True, otherwise="give --x-name")
    assert f"ssh-keygen -y -f {key} > {key}.pub" in caught.value.resolution
    assert "or give --x-name" in caught.value.resolution


def test_the_fingerprint_is_what_ssh_keygen_says(tmp_path: Path) -> None:
    key = keygen(tmp_path / "id")
    listed = subprocess.run(["ssh-keygen", "-l", "-E", "md5", "-f", f"{key}.pub"], capture_output=True, text=True)
    said = listed.stdout.split()[1].removeprefix("MD5:")
    assert ssh_key.fingerprint(Path(f"{key}.pub").read_text()) == said
    assert ssh_key.fingerprint_of(str(key)) == said
    assert ssh_key.fingerprint_of("") == ""
    with pytest.raises(ValueError, match="ssh-rsa"):
        ssh_key.fingerprint("ssh-rsa")
