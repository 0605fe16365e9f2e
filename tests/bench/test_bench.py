"""The bench tells the truth: its engines are what they are called, its figures are of what ran, failures are shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from machine.engine import EngineClient, Tls, ask_many
from machine.errors import EngineError, EngineTimeout
from tests.bench import clouds, hypervisor, openstack, startup, vboxmanage
from tests.bench.figures import Failed, Row, Samples, interleaved, table
from tests.bench.stores import PORT, Fleet
from tests.bench.subject import PEER, Subject, timed
from tests.bench.vboxmanage import OnPath
from tests.drivers.openstack.fake_openstack import Stack
from tests.drivers.openstack.project import USER
from tests.drivers.openstack.server import PASSWORD
from tests.drivers.virtualbox import transcripts
from tests.labs.nspawn import Lab

PEER_SCRIPT = """#!/bin/sh
# Stands where a docker-machine would: notes what it was asked, and cannot say a status.
echo "$MACHINE_STORAGE_PATH $*" >>"$HOME/asked"
[ "$1" != status ] || { echo "no status today" >&2; exit 3; }
"""

OLD_WAYS = """#!/bin/sh
# Of a docker-machine: it looks a project's name up where Keystone has nothing any more.
case "$*" in *--openstack-tenant-name*) echo "Expected HTTP response code [200 204] but got 404" >&2; exit 1;; esac
"""

needs_images = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 as its own")


@pytest.fixture
def net() -> str:
    """A loopback net that no other test of this moment uses."""
    return f"127.{100 + os.getpid() % 150}"


@linux
def test_the_engines_answer_refuse_or_are_silent(tmp_path: Path, net: str) -> None:
    fleet = Fleet(tmp_path / "fleet", net)
    tls = Tls(*(str(tmp_path / "fleet" / name) for name in ("ca.pem", "cert.pem", "key.pem")))
    for name, content in fleet.files.items():
        (tmp_path / "fleet" / name).write_bytes(content)
    addresses = [*fleet.answering(2), *fleet.refusing(1), *fleet.silent(1)]
    with fleet.engines(answering=2, silent=1):
        answers = ask_many(EngineClient(address, PORT, tls, timeout=1.0) for address in addresses)
        again = EngineClient(addresses[0], PORT, tls, timeout=5.0).info()
    assert [answer.version and answer.version["Version"] for answer in answers] == ["27.9.9", "27.9.9", None, None]
    assert again["Version"] == "27.9.9"
    assert "nothing listens" in str(answers[2].error)
    assert isinstance(answers[2].error, EngineError)
    assert isinstance(answers[3].error, EngineTimeout)


@linux
def test_the_same_commands_are_run_with_the_peer(tmp_path: Path, net: str) -> None:
    peer = tmp_path / "docker-machine"
    peer.write_text(PEER_SCRIPT)
    peer.chmod(0o755)
    ours = tmp_path / "machine"
    ours.write_text(f'#!/bin/sh\nPYTHONPATH={Path(__file__).parents[2]} exec {sys.executable} -m machine "$@"\n')
    ours.chmod(0o755)
    subject = Subject(tmp_path, str(ours), str(peer), runs=1)
    lines = ("version", "ip dev", "env dev", "status dev")
    found = list(startup.rows(subject, lines, net))
    assert [(row.what, row.against) for row in found] == [
        (line.removesuffix(" dev"), against) for line in lines for against in ("python -c pass", PEER)
    ]
    assert all(row.ours.median for row in found), table(found)
    assert all(row.ours.failure == "" for row in found), table(found)
    asked = (tmp_path / "home" / "asked").read_text().splitlines()
    store = str(tmp_path / "startup-store")
    assert asked.count(f"{store} ip dev") == startup.FACTOR + 1
    assert found[-1].theirs.failure == f"{PEER} status dev failed: status 3, no status today"
    text = table(found)
    assert "no status today" in text.splitlines()[-1]
    mine, other = found[3].ours.median, found[3].theirs.median
    assert mine is not None
    assert other is not None
    assert f"{mine / other:.2f}" in text.splitlines()[5]


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.parametrize("name", ["amazonec2", "openstack"])
def test_clouds_are_measured_beside_a_peer(name: str, tmp_path: Path, lab: Lab) -> None:
    """Our own program stands for docker-machine: it takes the same flags, and every old name."""
    program, peer = tmp_path / "machine", tmp_path / "docker-machine"
    ours = f'PYTHONPATH={Path(__file__).parents[2]} exec {sys.executable} -m machine "$@"\n'
    program.write_text(f"#!/bin/sh\n{ours}")
    peer.write_text(OLD_WAYS + ours)
    for path in (program, peer):
        path.chmod(0o755)
    subject = Subject(tmp_path, str(program), str(peer), runs=1)
    (case,) = [case for case in clouds.CASES if case.driver == name]
    found = list(clouds.measured(subject, lab, case))
    assert [(row.what.partition(",")[0], row.against) for row in found] == [
        (f"create -d {name}", PEER),
        ("rm", PEER),
    ], table(found)
    assert all(row.ours.median and row.theirs.median for row in found), table(found)
    assert all(" s of processor (theirs: " in row.remark and not row.remark.startswith("0") for row in found)


def test_an_old_client_finds_its_way_in_the_stand_in() -> None:
    """What docker-machine's library asks for and newer ones do not: images of Nova, keys with status 200 and 202."""
    cloud = Stack()
    token = ""

    def asked(method: str, path: str, body: object = None) -> tuple[int, Any, Any]:
        headers = {"Content-Type": "application/json", "X-Auth-Token": token}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(cloud.proxy.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as found:
            text = found.read()
            return found.status, json.loads(text) if text else None, found.headers

    try:
        user = {"name": USER, "domain": {"name": "Default"}, "password": PASSWORD}
        scope = {"project": {"id": cloud.project.id}}
        identity = {"methods": ["password"], "password": {"user": user}}
        _, _, headers = asked("POST", "/identity/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        token = headers["X-Subject-Token"]
        _, found, _ = asked("GET", "/compute/v2.1/images/detail?name=ubuntu-24.04")
        assert [image["id"] for image in found["images"]] == [cloud.project.images[0]["id"]]
        key = {"keypair": {"name": "old", "public_key": "ssh-ed25519 AAAA old"}}
        assert asked("POST", "/compute/v2.1/os-keypairs", key)[0] == 200
        assert asked("DELETE", "/compute/v2.1/os-keypairs/old")[0] == 202
        with pytest.raises(urllib.error.HTTPError, match="404"):
            asked("GET", "/identity/v2.0/tenants")
    finally:
        cloud.close()


def test_a_real_cloud_is_measured_only_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_TEST_LAB_CACHE", str(tmp_path))
    (row,) = openstack.rows(Subject(tmp_path, "none", "", runs=1))
    assert row.remark == "not measured: none stands here (python -m tests.labs.openstack up)"


@needs_images
def test_a_recorded_machine_of_docker_machines_can_be_made_and_removed(tmp_path: Path) -> None:
    """The calls of VBoxManage that were recorded for it, and what the real one said to each; it could start nothing."""
    fake = OnPath(tmp_path / "virtualbox")
    vboxmanage.put(tmp_path / "bin", fake)
    own = tmp_path / "machines" / "sw"
    own.mkdir(parents=True)
    (own / "boot2docker.iso").touch()
    fake.run(["VBoxManage", "hostonlyif", "create"])
    played = []
    for each in transcripts.every():
        if not any(word == "sw" or "machines/sw/" in word for word in each.words) or each.words[0] == "clonevm":
            continue
        words = [word.replace("/root/.docker/machine/machines", str(own.parent)) for word in each.words]
        if words[:2] == ["convertfromraw", "stdin"]:
            argv = [str(tmp_path / "bin" / "VBoxManage"), *words]
            status = subprocess.run(argv, input=b"boot2docker, please format-me", check=False).returncode
            subprocess.run(["qemu-img", "convert", "-O", "raw", own / "disk.vmdk", own / "raw"], check=True)
            assert (own / "raw").read_bytes().startswith(b"boot2docker, please format-me\0")
        else:
            if words[0] == "unregistervm" and words[0] not in played:  # the real one did not start it
                fake.run(["VBoxManage", "controlvm", "sw", "poweroff"])
            status = fake.run(["VBoxManage", *words]).status
        played.append(words[0])
        assert status == (0 if words[0] == "startvm" else each.rc), words
    assert played[:2] == ["convertfromraw", "createvm"]
    assert played.index("startvm") < played.index("unregistervm")
    assert fake.listing()["vms"] == {}


@pytest.mark.slow
@needs_images
def test_virtualbox_is_measured_beside_a_peer(tmp_path: Path) -> None:
    """Our own program stands for docker-machine again, and boots an ISO as that does."""
    program = tmp_path / "machine"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={Path(__file__).parents[2]} exec {sys.executable} -m machine "$@"\n')
    program.chmod(0o755)
    found = list(hypervisor.rows(Subject(tmp_path, str(program), str(program), runs=1)))
    assert [row.what for row in found] == list(hypervisor.WHAT)
    assert all(row.ours.median and row.theirs.median and row.against == PEER for row in found), table(found)
    assert all(re.fullmatch(r"[1-9]\d* calls of VBoxManage \(theirs: [1-9]\d*\)", row.remark) for row in found)


def test_what_is_compared_takes_turns() -> None:
    order: list[str] = []

    def call(name: str) -> float:
        order.append(name)
        if name == "c":
            raise Failed("gone")
        return {"a": 1.0, "b": 2.0}[name]

    found = interleaved(3, {name: partial(call, name) for name in "abc"})
    assert order == ["a", "b", "c", "b", "a", "a", "b"]  # c failed once and was left alone
    assert found["a"].seconds == [1.0, 1.0, 1.0]
    assert found["c"].median is None
    assert found["c"].failure == "c failed: gone"


def test_the_table() -> None:
    rows = [
        Row("quick", Samples([0.03, 0.01, 0.02]), "bare", Samples([0.01]), "2.5x"),
        Row("slow", Samples([1.5]), remark="one connection"),
        Row("broken", Samples([1.0], "ours failed: status 1"), "bare", Samples([0.5])),
    ]
    assert table(rows).splitlines() == [
        "what    runs  ours     best     against  figure   ratio  aim   remark",
        "---------------------------------------------------------------------",
        "quick   3     20.0 ms  10.0 ms  bare     10.0 ms  2.00   2.5x",
        "slow    1     1.50 s   1.50 s                                  one connection",
        "broken  1                       bare     500 ms                ours failed: status 1",
    ]


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="status 7, sorry"):
        timed(["sh", "-c", "echo sorry >&2; exit 7"], {"PATH": os.environ["PATH"]})
    with pytest.raises(Failed, match="no-such-program"):
        timed([str(tmp_path / "no-such-program")], {})
