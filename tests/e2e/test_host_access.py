"""A real virtual machine that is kept from its host's loopback: what it publishes works, and it reaches nothing."""

from __future__ import annotations

import socket

import pytest

from tests.e2e.test_qemu import BUSYBOX, ECHO, SERVE, docker, echo, fetch
from tests.e2e.vms import program
from tests.program import Program

__all__ = ["program"]

pytestmark = pytest.mark.vm

SEND = """python3 -c 'from socket import *; socket(AF_INET, SOCK_DGRAM).sendto(b"attack", ("10.0.2.2", {}))'"""


def test_it_answers_who_asks_and_reaches_nothing_by_itself(program: Program) -> None:
    program("create", "--qemu-host-access", "off", "box", timeout=900).fine()
    address = program("ip", "box").out.strip()
    docker(program, BUSYBOX, "box")
    docker(program, f"docker run -d --name web -p 8071:80 busybox sh -c '{SERVE}'", "box")
    docker(program, f"docker run -d --name datagrams -v /:/host:ro -p 8072:89/udp busybox chroot /host {ECHO}", "box")
    for where in ("127.0.0.1", address):
        assert fetch(f"http://{where}:8071/") == "it works\n"
        assert echo(where, 8072) == b"there?"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service,
    ):
        service.bind(("127.0.0.1", 0))
        service.settimeout(3)
        server.settimeout(3)
        program("ssh", "box", SEND.format(service.getsockname()[1])).fine()
        assert program("ssh", "box", f"timeout 5 bash -c '</dev/tcp/10.0.2.2/{server.getsockname()[1]}'").status != 0
        with pytest.raises(TimeoutError):
            service.recv(10)
        with pytest.raises(TimeoutError):
            server.accept()
    assert echo("127.0.0.1", 8072) == b"there?"
