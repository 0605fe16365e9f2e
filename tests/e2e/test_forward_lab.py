"""`machine forward` to a real dockerd on a host that was adopted over ssh (driver generic)."""

from __future__ import annotations

import json
import os
import urllib.request

import pytest

from machine.lifecycle.forward import control, state_file
from machine.store import Store
from tests.e2e.hosts import IMAGE, generic, until
from tests.program import Program
from tests.provision.hosts import Boot

pytestmark = pytest.mark.lab

HERE = "127.0.9.32"
SERVE = f"{IMAGE} sh -c 'echo it works >/index.html; exec httpd -f -p 80 -h /'"


def _page(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://{HERE}:{port}/", timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _rows(program: Program) -> list[tuple[int, str, str]]:
    """(port, container, state) of what is forwarded."""
    (shown,) = json.loads(program("forward", "--list", "--json").fine().out)
    return [(row["port"], row["container"], row["state"]) for row in shown["ports"]]


def test_what_containers_of_an_adopted_host_publish_is_here_too(boot: Boot, program: Program) -> None:
    host = boot("forwarded")
    program(*generic(host), "dev").fine()
    host.import_busybox(IMAGE)
    host.run(f"docker run -d --name before -p 127.0.0.1:8099:80 {SERVE}")
    store = Store(str(program.store))
    try:
        program("forward", "--background", "--address", HERE, "dev").fine()
        until(lambda: _page(8099) == "it works\n", 60)
        host.run(f"docker run -d --name later -p 8098:80 {SERVE}")
        until(lambda: _page(8098) == "it works\n", 60)
        host.run("docker rm -f before")
        until(lambda: _rows(program) == [(8098, "later", "open")], 60)
        assert _page(8099) == ""
        program("forward", "--stop", "dev").fine()
        assert not state_file.runner(store, "dev")
        assert _page(8098) == ""
    finally:
        control.stop(store, "dev")


def test_what_services_of_swarm_mode_publish_is_here_too(boot: Boot, program: Program) -> None:
    """In both modes: `ingress` is no port of a container, and `host` is one.

    A kernel without IPVS carries nothing through the ingress network: there it is only seen that the port is open.
    """
    host = boot("swarming")
    program(*generic(host), "dev").fine()
    host.import_busybox(IMAGE)
    host.run(f"docker swarm init --advertise-addr {host.address}")
    create = "docker service create -d --no-resolve-image --restart-condition none"
    host.run(f"{create} --name before --publish published=8097,target=80 {SERVE}")
    store = Store(str(program.store))
    try:
        program("forward", "--background", "--address", HERE, "dev").fine()
        until(lambda: _rows(program) == [(8097, "before", "open")], 90)
        if os.path.exists("/proc/net/ip_vs"):
            until(lambda: _page(8097) == "it works\n", 90)
        host.run(f"{create} --name later --publish published=8096,target=80,mode=host {SERVE}")
        until(lambda: _page(8096) == "it works\n", 90)
        assert {port: state for port, _, state in _rows(program)} == {8096: "open", 8097: "open"}
        assert (8097, "before", "open") in _rows(program)
        host.run("docker service rm before later")
        until(lambda: _rows(program) == [], 90)
        assert _page(8097) == ""
    finally:
        control.stop(store, "dev")
