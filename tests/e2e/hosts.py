"""What these tests type, and how they look at what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.labs.nspawn import Host
from tests.program import Ended, Program

IMAGE = "busybox:lab"


def generic(host: Host, *more: str, user: str = "root") -> list[str]:
    """The words of a create onto a host that exists, the name apart."""
    where = ["--generic-ip-address", host.address, "--generic-ssh-key", host.key, "--generic-ssh-user", user]
    return ["create", "-d", "generic", *where, *more]


def record(program: Program, name: str) -> Any:
    """config.json as it lies on the disk."""
    return json.loads((program.store / "machines" / name / "config.json").read_text())


def docker(program: Program, *line: str) -> Ended:
    """The docker client in the program's environment."""
    return program.run(["docker", *line], "", 120, {})


def running_container(host: Host, name: str = "stays") -> Callable[[], str]:
    """Start a container; what is returned says which process it is, and since when."""
    host.import_busybox(IMAGE)
    host.run(f"docker run -d --name {name} {IMAGE} sleep 3600")
    return lambda: host.run(f"docker inspect -f '{{{{.State.Pid}}}} {{{{.State.StartedAt}}}}' {name}")


def until(happened: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def private_keys(text: str | bytes) -> bool:
    """Whether there is a private key in it."""
    return b"PRIVATE KEY" in (text if isinstance(text, bytes) else text.encode())


def key_lines(*paths: Path) -> list[bytes]:
    """The lines of key files that nobody else may ever see."""
    lines = [line for path in paths for line in path.read_bytes().splitlines()]
    return [line for line in lines if len(line) > 30 and b"-----" not in line]
