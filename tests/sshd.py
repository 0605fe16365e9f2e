"""A real sshd on loopback for the tests, as the current user, with its own keys and configuration."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


def free_port(address: str = "127.0.0.1") -> int:
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


def keygen(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    """A new key pair at `path` and `path`.pub."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)], check=True)
    return path


class Sshd:
    """Running until `stop`. `key` logs in; `host_key` is its own; what it says is in `log`."""

    def __init__(self, directory: Path, address: str = "127.0.0.1", extra: str = "") -> None:
        self.program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")
        if self.program is None:
            pytest.skip("needs sshd (package openssh-server)")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.address, self.port = directory, address, free_port(address)
        self.user = os.environ.get("LOGNAME") or getpass.getuser()
        self.key = keygen(directory / "client_key")
        self.host_key = keygen(directory / "host_key")
        self.log = directory / "sshd.log"
        self.authorized = directory / "authorized_keys"
        self.authorized.write_text(Path(f"{self.key}.pub").read_text())
        self.config = directory / "sshd_config"
        self.config.write_text(
            f"Port {self.port}\nListenAddress {address}\nHostKey {self.host_key}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.authorized}\nStrictModes no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
            f"LogLevel VERBOSE\n{extra}"
        )
        self.start()

    def start(self) -> None:
        argv = [str(self.program), "-D", "-f", str(self.config), "-E", str(self.log)]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((self.address, self.port), 1).close()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError(f"sshd does not run: {self.log.read_text()}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def host_line(self, alias: str) -> str:
        """The known_hosts line under which a machine has this sshd on record."""
        return f"{alias} " + " ".join(Path(f"{self.host_key}.pub").read_text().split()[:2]) + "\n"

    def logins(self) -> int:
        return self.log.read_text().count("Accepted publickey")
