"""Proxies reach what fetches and installs, and are on no command line; run in a real shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from machine.provision import proxy, script
from machine.provision.facts import Facts
from machine.provision.planner import plan
from machine.provision.steps import Run
from tests.provision.test_cases import spec

SHOW = 'printf "%s|%s|%s" "${https_proxy:-}" "${HTTPS_PROXY:-}" "${no_proxy:-}"\n'
PLAIN = {"PATH": os.environ["PATH"]}


def shown(text: str, tmp_path: Path, **environ: str) -> str:
    text = text.replace("/etc/environment", str(tmp_path / "environment"))
    done = subprocess.run(
        ["sh", "-eu", "-s"], input=text, env=PLAIN | environ, capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout


def test_what_the_engine_gets_counts_most_whatever_its_spelling(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("https_proxy=http://host:1\n")
    lines = proxy.preamble(["HTTPS_PROXY=http://me:it's@p:3128", "no_proxy=a, b", "OTHER=x"])
    assert shown(lines + SHOW, tmp_path) == "http://me:it's@p:3128|http://me:it's@p:3128|a, b"


@pytest.mark.parametrize(
    "line", ['https_proxy="http://h:1"', "export HTTPS_PROXY='http://h:1'", "HTTPS_PROXY=http://h:1"]
)
def test_the_hosts_own_is_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "environment").write_text(f"PATH=/bin\n{line}\n")
    assert shown(proxy.preamble(()) + SHOW, tmp_path) == "http://h:1|http://h:1|"


def test_without_any_nothing_is_set(tmp_path: Path) -> None:
    assert shown(proxy.preamble(()) + SHOW, tmp_path) == "||"


def test_what_the_login_has_passes_sudo(tmp_path: Path) -> None:
    """A sudo that drops the environment, as real ones do; an `id` that says we are somebody."""
    (tmp_path / "sudo").write_text('#!/bin/sh\nshift\nexec env -i PATH="$PATH" "$@"\n')
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    for name in ("sudo", "id"):
        (tmp_path / name).chmod(0o755)
    text = script.as_root(SHOW)
    environ = {"PATH": f"{tmp_path}:{PLAIN['PATH']}", "https_proxy": "http://it's:1", "HTTPS_PROXY": "http://it's:1"}
    assert shown(text, tmp_path, **environ) == "http://it's:1|http://it's:1|"


def test_every_step_that_fetches_or_installs_goes_by_the_proxies() -> None:
    facts = Facts(
        os_id="debian", init="systemd", package_manager="apt-get", hostname="dev", static_hostname="dev", hosts=("dev",)
    )
    for url in ("distro", "https://get.docker.com"):
        wanted = spec({"engine": {"env": ["HTTPS_PROXY=http://p:3128"], "install_url": url}})
        todo = plan(facts, wanted)
        steps = []
        step = next(todo)
        while not step.needs_output:
            steps.append(step)
            step = next(todo)
        runs = [one for one in steps if isinstance(one, Run) and ("install" in one.name or "fetch" in one.name)]
        assert runs
        assert all("export https_proxy=http://p:3128" in one.script for one in runs)
        assert not any("p:3128" in one.name for one in runs)
