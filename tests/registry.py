"""A registry of images: Debian's docker-registry on an address of this computer, filled by the distribution protocol.

    with Registry("127.0.0.1", tmp_path) as registry:
        registry.add("library/nginx", root, ["httpd", "-f", "-p", "80"])

Engines that have `registry.url` as their mirror pull `nginx` from it as if from Docker Hub.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
START_SECONDS = 20.0


class Registry:
    """Runs from `with` to its end; keeps its images below `directory`."""

    def __init__(self, address: str, directory: Path) -> None:
        if shutil.which("docker-registry") is None:
            pytest.skip("needs docker-registry (package docker-registry)")
        with socket.create_server((address, 0)) as free:
            self.place = f"{address}:{free.getsockname()[1]}"
        self.url = f"http://{self.place}"
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "config.yml"
        storage = {"filesystem": {"rootdirectory": str(self.directory / "data")}}
        config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": self.place}}))
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise AssertionError((self.directory / "log").read_text())
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def add(self, name: str, root: Path, command: Sequence[str], tag: str = "latest") -> None:
        """An image of one layer, the tree below `root`, that runs `command`."""
        tree = io.BytesIO()
        with tarfile.open(fileobj=tree, mode="w") as tar:
            tar.add(root, arcname=".")
        layer = gzip.compress(tree.getvalue(), mtime=0)
        config = json.dumps(
            {
                "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
                "os": "linux",
                "config": {"Cmd": list(command), "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(tree.getvalue())]},
                "history": [{"created": "2026-01-01T00:00:00Z"}],
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(name, config, "application/vnd.docker.container.image.v1+json"),
            "layers": [self._blob(name, layer, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
        }
        self._send("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), MANIFEST)

    def _blob(self, name: str, content: bytes, media_type: str) -> dict[str, object]:
        where = self._send("POST", f"/v2/{name}/blobs/uploads/", b"", "application/octet-stream")
        joined = "&" if "?" in where else "?"
        self._send("PUT", f"{where}{joined}digest={_digest(content)}", content, "application/octet-stream")
        return {"mediaType": media_type, "size": len(content), "digest": _digest(content)}

    def _send(self, method: str, path: str, body: bytes, media_type: str) -> str:
        """The Location of the answer; urllib.error.HTTPError for a refusal."""
        url = path if path.startswith("http") else self.url + path
        asked = urllib.request.Request(url, body, {"Content-Type": media_type}, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return str(answer.headers.get("Location", ""))

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v2/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
