"""The proxies of dnf and yum: a block in a file that is theirs, put in, changed and taken away by the real script."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from machine import engine_proxy
from machine.provision import package_proxies, sample_facts
from machine.provision.facts import File
from machine.provision.host_files import DNF_PROXIES
from machine.provision.script import body
from machine.provision.steps import Run
from tests.provision.test_cases import spec

ACCOUNT = "HTTPS_PROXY=http://me:p%23%25%20w$x@proxy.example:3128"
PLAIN = "HTTP_PROXY=socks5h://proxy.example"
BEFORE = "[main]\ngpgcheck=1\nbest=False\n\n[repo]\nbaseurl=http://192.0.2.1/\n"
HEAD, TAIL = "[main]\n", BEFORE.removeprefix("[main]\n")


def steps(*pairs: str, manager: str = "dnf", files: Mapping[str, File] | None = None) -> list[Run]:
    facts = replace(sample_facts.debian(), package_manager=manager, files=files or {})
    found = package_proxies.steps(facts, replace(spec({}), package_proxies=pairs))
    assert all(isinstance(step, Run) for step in found)
    return [step for step in found if isinstance(step, Run)]


def run(place: Path, *pairs: str, there: bool = False) -> None:
    """Run the step in a directory that stands for /etc."""
    kept = {DNF_PROXIES: File(0o644, "0" * 64)} if there else {}
    (step,) = steps(*pairs, files=kept)
    script = f"set -eu\n{step.script}".replace("/etc/", f"{place}/")
    subprocess.run([shutil.which("dash") or "sh", "-s"], input=script, text=True, check=True, timeout=60)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    made = tmp_path / "dnf" / "dnf.conf"
    made.parent.mkdir()
    made.write_text(BEFORE)
    made.chmod(0o640)
    return made


def test_a_block_comes_changes_and_goes(conf: Path) -> None:
    place, kept = conf.parent.parent, conf.parent / "machine-proxies"
    lines = "proxy=http://proxy.example:3128\nproxy_username=me\nproxy_password=p#% w$x\n"
    for _ in range(2):
        run(place, ACCOUNT)
        assert conf.read_text() == f"{HEAD}# begin machine 640\n{lines}# end machine\n{TAIL}"
        assert (mode(conf), mode(kept), kept.read_text()) == (0o600, 0o600, lines)
    run(place, PLAIN)
    lines = "proxy=socks5h://proxy.example:1080\n"
    assert conf.read_text() == f"{HEAD}# begin machine 640\n{lines}# end machine\n{TAIL}"
    assert (mode(conf), mode(kept), kept.read_text()) == (0o640, 0o640, lines)
    run(place, there=True)
    assert (conf.read_text(), mode(conf)) == (BEFORE, 0o640)
    assert os.listdir(conf.parent) == ["dnf.conf"]


def test_a_link_stays_and_a_missing_file_is_made(conf: Path) -> None:
    place = conf.parent.parent
    conf.rename(place / "real.conf")
    conf.symlink_to(place / "real.conf")
    run(place, PLAIN)
    assert conf.is_symlink()
    assert "proxy=socks5h" in (place / "real.conf").read_text()
    conf.unlink()
    run(place, PLAIN)
    assert conf.read_text().startswith("[main]\n# begin machine ")


@pytest.mark.parametrize(
    ("damaged", "mended"),
    [
        ("[main]\n# begin machine 640\nproxy=http://old:1\ngpgcheck=1\n", "[main]\ngpgcheck=1\n"),
        ("[main]\n# begin machine 640\nproxy=http://old:1\nproxy_password=x", "[main]\n"),
        ("[main]\nproxy=http://mine:1\n", "[main]\nproxy=http://mine:1\n"),
        ("# nothing\n", "# nothing\n[main]\n"),
        ("[main]\n# begin machine $(touch pwned)\nbest=1\n", "[main]\nbest=1\n"),
    ],
)
def test_what_somebody_changed_there_is_kept(conf: Path, damaged: str, mended: str) -> None:
    conf.write_text(damaged)
    run(conf.parent.parent, PLAIN)
    assert conf.read_text().count("# begin machine") == conf.read_text().count("# end machine") == 1
    run(conf.parent.parent, there=True)
    assert conf.read_text() == mended
    assert not Path("pwned").exists()


def test_it_is_done_once(conf: Path) -> None:
    run(conf.parent.parent, PLAIN)
    content = (conf.parent / "machine-proxies").read_bytes()
    kept = File(0o644, hashlib.sha256(content).hexdigest())
    assert steps(PLAIN, files={DNF_PROXIES: kept}) == []
    assert steps(ACCOUNT, files={DNF_PROXIES: kept})
    assert steps() == []
    assert steps(PLAIN, manager="yum")[0].script.count("/etc/yum.conf") == 2
    for manager in ("zypper", "apk", "pacman"):
        assert steps(PLAIN, manager=manager) == []


def test_a_password_is_not_shown() -> None:
    (step,) = steps(ACCOUNT)
    assert "p#% w$x" in body(step)
    assert "p#%" not in body(step, masked=True)
    assert "socks5h://proxy.example:1080" in body(steps(PLAIN)[0], masked=True)


@pytest.mark.parametrize("url", ["http://me:a%0Aproxy=http:%2F%2Fevil@p:1", "http://m%00e:x@p:1"])
def test_no_account_writes_another_line(url: str) -> None:
    assert engine_proxy.dnf_settings([f"HTTP_PROXY={url}"]) == ""
