"""`machine swarm manage` as a program over real engines, for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sshd import free_port
from tests.swarm.engines import RealEngine, docker


class Manager:
    """`machine swarm manage` as a program; `docker(...)` is the docker client pointed at it."""

    def __init__(self, engines: Sequence[RealEngine], tmp_path: Path, *flags: str) -> None:
        self.port = free_port()
        self.url = f"tcp://127.0.0.1:{self.port}"
        nodes = "nodes://" + ",".join(engine.at for engine in engines)
        self.argv = [sys.executable, "-m", "machine", "swarm", "manage", "-H", self.url, *flags, nodes]
        self.env = {**os.environ, "HOME": str(tmp_path), "MACHINE_STORAGE_PATH": str(tmp_path / "store")}
        self.log = tmp_path / "manager.log"
        self.healthy = len(engines)
        self.engines = engines

    def __enter__(self) -> Manager:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.argv, env=self.env, stdout=log, stderr=log)
        self.until(lambda: self.docker("info").count("Status: Healthy") == self.healthy)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)

    def docker(self, *words: str, text: str | None = None, check: bool = True) -> str:
        return docker(self.url, *words, text=text, check=check).stdout.strip()

    def refused(self, *words: str) -> str:
        done = docker(self.url, *words, check=False)
        assert done.returncode != 0
        return done.stderr

    def names(self, *words: str) -> list[str]:
        """NODE/NAME of what `docker ps` lists."""
        ids = self.docker("ps", "-q", *words).split()
        return self.docker("inspect", "-f", "{{.Node.Name}}{{.Name}}", *ids).split() if ids else []

    def clear(self) -> None:
        keys = self.docker("ps", "-aq").split()
        if keys:
            self.docker("rm", "-f", *keys)

    def until(self, true: Callable[[], object], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                if true():
                    return
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.2)
