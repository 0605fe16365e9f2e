"""Why a port cannot be opened: asked of the system, with the program that has it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from machine import port_holder
from tests.platforms import loopback_addresses

ADDRESS = "127.84.0.77"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells whose a socket is")


@loopback_addresses
def test_a_free_port() -> None:
    assert port_holder.why(ADDRESS, 18090) == ("", "")


@linux
@pytest.mark.parametrize("where", [ADDRESS, "0.0.0.0"])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_the_program_that_has_it(where: str, kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as server:
        server.bind((where, 0))  # the four of them run at once, beside other tests
        port = server.getsockname()[1]
        if kind == "tcp":
            server.listen(1)
        cause, cure = port_holder.why(ADDRESS, port, kind)
        assert f"(process {os.getpid()}) has it" in cause
        assert str(os.getpid()) in cure
        assert port_holder.sentence(ADDRESS, port, cause).startswith(f"port {port} of {ADDRESS} is taken: ")
        assert port_holder.holder("127.84.0.76", port, kind)[0] == (os.getpid() if where == "0.0.0.0" else 0)


@linux
def test_a_server_for_both_families() -> None:
    with socket.create_server(("::", 18092), family=socket.AF_INET6, dualstack_ipv6=True):
        assert port_holder.holder(ADDRESS, 18092)[0] == os.getpid()


@linux
def test_a_machine_is_named(tmp_path: Path) -> None:
    listen = "import socket,time\ns=socket.create_server(('127.84.0.77',18093))\nprint(flush=True)\ntime.sleep(60)"
    words = [str(tmp_path / "qemu-system-x86_64"), "-c", listen, "-name", "guest=web\x1b[31m"]
    os.symlink(sys.executable, words[0])
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        cause, _ = port_holder.why(ADDRESS, 18093)
        assert cause.startswith("qemu of machine web[31m (process "), "nothing that a terminal would obey"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    ("number", "cause", "cure"),
    [
        (errno.EACCES, "only root may open ports below", "ip_unprivileged_port_start=80"),
        (errno.EADDRNOTAVAIL, f"this host has no address {ADDRESS}", "ip addr"),
        (errno.EMFILE, "Too many open files", ""),
    ],
)
def test_other_causes(number: int, cause: str, cure: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "start").write_text("1024\n")
    monkeypatch.setattr(port_holder, "UNPRIVILEGED", str(tmp_path / "start"))
    monkeypatch.setattr(port_holder, "probe", refuse)
    found = port_holder.why(ADDRESS, 80)
    assert cause in found[0]
    assert cure in found[1]
    assert "probably" not in " ".join(found)


def test_an_address_that_is_none_of_ours() -> None:
    assert "no address 192.0.2.1" in port_holder.why("192.0.2.1", 18094)[0]


@loopback_addresses
def test_it_is_quick() -> None:
    began = time.monotonic()
    with socket.create_server((ADDRESS, 18095)):
        port_holder.why(ADDRESS, 18095)
    assert time.monotonic() - began < 15
