"""Keys as people have them: what ssh itself says of the same files is the measure."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.ssh import private_key
from machine.ssh.private_key import KeyProblem
from tests.sshd import keygen


def forms(path: Path) -> dict[str, bytes]:
    """One key as it comes out of editors, clipboards and variables."""
    good = path.read_bytes()
    return {
        "no last newline": good.rstrip(b"\n"),
        "windows": good.replace(b"\n", b"\r\n"),
        "old mac": good.replace(b"\n", b"\r"),
        "mark": b"\xef\xbb\xbf" + good,
        "utf-16": good.decode().encode("utf-16"),
        "indented": b"".join(b"    " + line + b"\n" for line in good.splitlines()),
        "blank lines": b"\n\n" + good + b"\n\n",
        "trailing blanks": b"".join(line + b" \t\n" for line in good.splitlines()),
        "text around": b"# deploy key\n" + good + b"# end\n",
    }


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa", "pem", "pkcs8"])
def test_ssh_reads_what_is_kept_of_every_form(tmp_path: Path, kind: str) -> None:
    key = tmp_path / "key"
    more = {"pem": ["-t", "rsa", "-m", "PEM"], "pkcs8": ["-t", "ecdsa", "-m", "PKCS8"]}.get(kind, ["-t", kind])
    subprocess.run(["ssh-keygen", "-q", *more, "-N", "", "-C", "x", "-f", str(key)], check=True)
    public = " ".join(Path(f"{key}.pub").read_text().split()[:2])
    refused = 0
    for name, data in {"good": key.read_bytes(), **forms(key)}.items():
        given, kept = tmp_path / "given", tmp_path / "kept"
        given.write_bytes(data)
        given.chmod(0o600)
        refused += (
            subprocess.run(["ssh-keygen", "-y", "-f", str(given)], capture_output=True, check=False).returncode != 0
        )
        found = private_key.load(str(given))
        assert (found.public, found.needs_agent) == (public, False), name
        kept.write_bytes(found.text)
        kept.chmod(0o600)
        done = subprocess.run(["ssh-keygen", "-y", "-f", str(kept)], capture_output=True, text=True, check=True)
        assert done.stdout.split()[:2] == public.split(), name
        kept.unlink()
    assert refused, "ssh takes all of them as they are: this test tests nothing"


@pytest.mark.parametrize("extra", [[], ["-m", "PEM"]], ids=["openssh", "pem"])
def test_a_passphrase_is_seen(tmp_path: Path, extra: list[str]) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", *extra, "-N", "open sesame", "-f", str(key)], check=True)
    found = private_key.load(str(key))
    assert found.encrypted
    assert found.needs_agent
    if not extra:
        assert found.public == " ".join(Path(f"{key}.pub").read_text().split()[:2])


@pytest.mark.parametrize(
    ("text", "what", "first"),
    [
        ("", "is empty", ""),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "PuTTY's own format", "puttygen"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@x\n", "is a public key", ""),
        ("---- BEGIN SSH2 PUBLIC KEY ----\n", "is a public key", ""),
        ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "is a certificate", ""),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "cut short", "copy it again"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\\nAAAA\\n-----END OPENSSH PRIVATE KEY-----",
            "lost its line ends",
            "copy",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "broken", "copy it again"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "cannot use", "make a new one"),
        ("hello\n", "is not an ssh private key", ""),
    ],
)
def test_what_is_no_key_is_named(tmp_path: Path, text: str, what: str, first: str) -> None:
    path = tmp_path / "id.ppk"
    path.write_text(text)
    with pytest.raises(KeyProblem, match=what) as caught:
        private_key.load(str(path))
    assert caught.value.first.startswith(first)


def test_a_public_key_leads_to_its_private_half_and_a_ppk_to_what_is_written(tmp_path: Path) -> None:
    key = keygen(tmp_path / "id")
    with pytest.raises(KeyProblem) as caught:
        private_key.load(f"{key}.pub")
    assert caught.value.instead == str(key)
    (tmp_path / "a b.ppk").write_text("PuTTY-User-Key-File-2: ssh-rsa\n")
    with pytest.raises(KeyProblem) as caught:
        private_key.load(str(tmp_path / "a b.ppk"))
    assert caught.value.first == f"puttygen '{tmp_path}/a b.ppk' -O private-openssh -o '{tmp_path}/a b.openssh'"


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    for path, what in ((str(tmp_path), "directory"), ("/dev/zero", "plain file")):
        with pytest.raises(KeyProblem, match=what):
            private_key.load(path)
    (tmp_path / "big").write_bytes(b"x" * (private_key.LARGEST + 1))
    with pytest.raises(KeyProblem, match="too large"):
        private_key.load(str(tmp_path / "big"))


def test_a_key_of_an_older_store_is_repaired_once(tmp_path: Path) -> None:
    key = keygen(tmp_path / "id")
    good = key.read_bytes()
    key.write_bytes(good.rstrip(b"\n"))
    key.chmod(0o644)
    private_key.repair(str(key))
    assert key.read_bytes() == good
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.stat()
    private_key.repair(str(key))
    assert key.stat().st_ino == before.st_ino
    (tmp_path / "odd").write_text("not a key")
    (tmp_path / "odd").chmod(0o600)
    private_key.repair(str(tmp_path / "odd"))
    assert (tmp_path / "odd").read_text() == "not a key"
    private_key.repair(str(tmp_path / "none"))
