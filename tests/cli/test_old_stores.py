"""Stores of docker-machine 0.1 to 0.16 under the commands that read, and under rm."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from machine.cli import main

STORES = Path(__file__).parents[1] / "data" / "stores"
URLS = {
    "amazonec2-1": "tcp://203.0.113.6:2376",
    "azure-1": "tcp://203.0.113.5:2377",
    "digitalocean-1": "tcp://[2001:db8::7]:2376",
    "generic-1": "tcp://192.0.2.10:2376",
    "none-1": "tcp://192.0.2.7:2376",
    "openstack-1": "tcp://198.51.100.4:2376",
    "virtualbox-1": "tcp://192.168.99.100:2376",
}


@pytest.fixture(params=range(4), ids="v{}".format)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copytree(STORES / f"v{request.param}", tmp_path / "store")
    return tmp_path / "store"


def run(root: Path, *words: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    status = main(["--storage-path", str(root), *words], environ={}, stdout=out, stderr=err)
    assert "Traceback" not in err.getvalue()
    return status, out.getvalue()


def test_all_are_listed_and_none_is_broken(root: Path) -> None:
    assert run(root, "ls", "-q") == (0, "".join(f"{name}\n" for name in URLS))
    status, out = run(root, "ls", "-t", "0", "--format", "{{.Name}} {{.DriverName}} {{.State}} {{.Error}}")
    assert status == 0
    expected = [f"{name} {name.partition('-')[0]} Timeout" for name in URLS]
    assert [line.rstrip() for line in out.splitlines()] == expected


def test_ip_url_and_inspect_read_the_record(root: Path) -> None:
    for name, url in URLS.items():
        assert run(root, "url", name) == (0, f"{url}\n")
        address = url.removeprefix("tcp://").rpartition(":")[0].strip("[]")
        assert run(root, "ip", name) == (0, f"{address}\n")
        where = f"{root}/machines/{name}"
        assert run(root, "inspect", name, "-f", "{{.HostOptions.AuthOptions.StorePath}}") == (0, f"{where}\n")
        status, out = run(root, "inspect", name)
        assert status == 0
        assert "not-a-real" not in out  # the clear text of old records
        assert json.loads(out)["ConfigVersion"] == 3


def test_reading_changes_no_file(root: Path) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for words in (["ls", "-t", "0"], ["ls", "-q"], ["ip", "generic-1"], ["inspect", "azure-1"], ["url", "none-1"]):
        run(root, *words)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_machines_that_are_only_known_are_forgotten_by_rm(root: Path) -> None:
    assert run(root, "rm", "-y", "generic-1", "none-1")[0] == 0
    assert run(root, "rm", "-f", "virtualbox-1")[0] == 0
    left = run(root, "ls", "-q")[1].split()
    assert left == ["amazonec2-1", "azure-1", "digitalocean-1", "openstack-1"]
