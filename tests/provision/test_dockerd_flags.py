"""The table of dockerd's flags, held against what dockerd itself says of each."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.provision import dockerd_flags

RECORDED = json.loads((Path(__file__).parent / "recorded" / "dockerd-flags.json").read_text())["releases"]
DOCKERD = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
SAMPLES = {
    "default-network-opt": "bridge=k=v",
    "feature": "a=true",
    "registry-mirror": "https://b.example",
    "default-address-pool": "base=10.0.0.0/8,size=24",
    "default-ulimit": "nofile=1",
    "host-gateway-ip": "1.2.3.4",
    "dns": "1.1.1.1",
    "dns-search": "x.example",
    "default-shm-size": "64m",
    "add-runtime": "b=/y",
}
BY_TYPE = {"int": "3", "map": "a=b", "ip": "1.2.3.4", "list": "a=b", "ipSlice": "1.2.3.4", "string": "x", "bytes": "1m"}


@pytest.mark.parametrize("release", RECORDED)
def test_every_flag_has_the_keys_that_dockerd_refuses_beside_it(release: str) -> None:
    for flag, keys in RECORDED[release]["keys"].items():
        assert set(keys) <= set(dockerd_flags.keys_of(flag)), flag
        assert set(dockerd_flags.keys_of(flag)) <= {*keys, "host-gateway-ips"}, flag
    assert set(RECORDED[release]["switches"]) <= set(dockerd_flags.SWITCHES)
    takes_a_word = set(RECORDED[release]["keys"]) - set(RECORDED[release]["switches"])
    assert not takes_a_word & set(dockerd_flags.SWITCHES)


@pytest.mark.skipif(DOCKERD is None, reason="needs dockerd (package docker.io)")
def test_the_installed_dockerd_refuses_what_the_table_says(tmp_path: Path) -> None:
    """All flags at once, and a daemon.json with every key of the table: dockerd lists those that are given twice."""
    assert DOCKERD is not None
    text = subprocess.run([DOCKERD, "--help"], capture_output=True, text=True, timeout=30).stdout
    rows = re.findall(r"^\s+(?:-\w, )?--([a-z0-9-]+)(?: (\S+))?", text, re.MULTILINE)
    flags = {name: kind for name, kind in rows if dockerd_flags.keys_of(name) or name == "add-runtime"}
    assert len(flags) > 60
    argv = [f"--{name}={SAMPLES.get(name) or BY_TYPE.get(kind, 'true')}" for name, kind in flags.items()]
    settings = {dockerd_flags.keys_of(name)[-1]: "x" for name in flags if dockerd_flags.keys_of(name)}
    (tmp_path / "daemon.json").write_text(json.dumps({**settings, "runtimes": {"a": {"path": "/x"}}}))
    done = subprocess.run(
        [DOCKERD, "--config-file", str(tmp_path / "daemon.json"), *argv], capture_output=True, text=True, timeout=30
    )
    twice = set(re.findall(r"(?:: |, )([a-z0-9-]+): \(from flag", done.stderr + done.stdout))
    assert twice == set(settings), done.stderr[-2000:]


def test_keys_inside_objects_that_dockerd_opens_go_too() -> None:
    found = {
        "proxies": {"http-proxy": "http://a", "no-proxy": "b"},
        "log-opts": {"http-proxy": "mine"},
        "builder": {"gc": 1},
        "http-proxy": "c",
    }
    left = dockerd_flags.remove_flags(found, dockerd_flags.keys_of("http-proxy"))
    assert left == {
        "proxies": {"no-proxy": "b"},
        "log-opts": {"http-proxy": "mine"},
        "builder": {"gc": 1},
    }
    assert dockerd_flags.remove_flags({"proxies": {"http-proxy": "x"}}, ["http-proxy"]) == {}
    assert "http-proxy" in dockerd_flags.all_keys({"proxies": {"http-proxy": "x"}})
    assert "max-size" not in dockerd_flags.all_keys({"log-opts": {"max-size": "1m"}})


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"live-restore": "yes"}, "live-restore must be true or false"),
        ({"debug": 1}, "debug must be"),
        ({"hosts": "unix:///x"}, "hosts must be a list of texts"),
        ({"labels": [1]}, "labels must be a list"),
        ({"dns": {}}, "dns must be"),
        ({"debug": None, "labels": None, "dns": ["1.1.1.1"], "bridge": "x", "log-opts": {"tag": "x"}}, ""),
    ],
)
def test_a_value_of_another_kind_than_dockerd_takes_is_named(found: dict[str, object], why: str) -> None:
    assert dockerd_flags.type_problem(found).startswith(why)
    assert why or not dockerd_flags.type_problem(found)
