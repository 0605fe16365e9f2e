"""The main job on real virtual machines, as a user does it. One machine lives through the module's tests in order."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from machine import background
from machine.drivers.qemu import paths
from machine.drivers.qemu.qmp import Client
from tests.e2e.vms import left, program, qemu_pid
from tests.forward_proxy import ForwardProxy
from tests.program import Ended, Program

__all__ = ["program"]

pytestmark = pytest.mark.vm

BUSYBOX = """
mkdir -p "$HOME/root/bin"
cp "$(command -v busybox)" "$HOME/root/bin/busybox"
for applet in sh httpd echo sleep ping wget chroot; do ln -sf busybox "$HOME/root/bin/$applet"; done
tar -C "$HOME/root" -c . | docker import - busybox
"""
SERVE = "echo it works > /index.html; exec httpd -f -h /"
WEB = f"docker run -d --restart always --name web -p 8080:80 busybox sh -c '{SERVE}'"

ECHO = (
    'python3 -c \'from socket import *; s = socket(AF_INET, SOCK_DGRAM); s.bind(("", 89))\n'
    "while True: s.sendto(*s.recvfrom(1000))'"
)


def fetch(url: str, seconds: float = 60.0) -> str:
    """The page, as soon as somebody answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def until(holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((address, port)) == 0


def docker(program: Program, command: str, name: str = "dev") -> str:
    """A docker command line with the environment that `machine env` prints."""
    return program.shell(f'eval "$(machine env {name})"; {command}').fine().out


@pytest.fixture(scope="module")
def created(program: Program) -> Ended:
    """What `machine create dev` printed."""
    return program("create", "dev", timeout=900).fine()


needs_dev = pytest.mark.usefixtures("created")


def test_create_makes_a_docker_host(program: Program, created: Ended) -> None:
    assert created.out == "", "stdout is for data"
    assert "Docker behind TLS" in created.err
    assert "Server" in docker(program, "docker version")


@needs_dev
def test_a_container_runs_and_its_port_keeps_its_number(program: Program) -> None:
    docker(program, BUSYBOX)
    assert docker(program, "docker run --rm busybox echo hello") == "hello\n"
    docker(program, WEB)
    address = program("ip", "dev").fine().out.strip()
    assert address.startswith("127.84.")
    assert fetch(f"http://{address}:8080/") == "it works\n"
    docker(program, "docker rm -f web")
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((address, 8080)) != 0:
                break
        assert time.monotonic() < deadline, "the forward of a container that is gone stays"
        time.sleep(0.5)
    docker(program, WEB)


@needs_dev
def test_ports_at_the_machines_address_and_the_way_to_the_host(program: Program) -> None:
    """As for every port at that address; a container finds a server of the host."""
    address = program("ip", "dev").out.strip()
    docker(program, f"docker run -d --name own -p {address}:8083:80 busybox sh -c '{SERVE}'")
    assert fetch(f"http://{address}:8083/") == "it works\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = server.getsockname()[1]
        docker(
            program,
            "docker run -d --rm --add-host host.docker.internal:host-gateway busybox"
            f" sh -c 'busybox wget -q -O - http://host.docker.internal:{port}/'",
        )
        caller, _ = server.accept()
        with caller:
            assert caller.recv(1000).startswith(b"GET / ")
            caller.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
    docker(program, "docker rm -f own")


@needs_dev
def test_what_is_published_is_on_localhost_too(program: Program) -> None:
    """However it is published; a port that another program has is named, and opened once that has gone."""
    address = program("ip", "dev").out.strip()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        published = ["8085", "127.0.0.1:8086", "[::]:8087", "[::1]:8088", f"{taken}"]
        flags = " ".join(f"-p '{where}:80'" for where in published)
        docker(program, f"docker run -d --name local {flags} busybox sh -c '{SERVE}'")
        docker(program, f"docker run -d --name datagrams -v /:/host:ro -p 8089:89/udp busybox chroot /host {ECHO}")
        for port in (8085, 8086, 8087, 8088):
            assert fetch(f"http://127.0.0.1:{port}/") == "it works\n", port
        assert fetch(f"http://{address}:{taken}/") == "it works\n"
        assert not answers(address, 8086), "published at the machine's loopback, it is on that of the host only"
        assert [echo(where, 8089) for where in ("127.0.0.1", address)] == [b"there?"] * 2
        until(lambda: f"port {taken} is not on localhost" in program("ls").fine().out, "who has the port is not said")
        assert f"process {os.getpid()}) has it" in program("ls").out
    assert fetch(f"http://127.0.0.1:{taken}/") == "it works\n", "it has become free"
    shown = program("ls", "-f", "{{.Ports}};{{.Error}}").fine().out.strip()
    assert shown.endswith(";")
    assert {"8085", "8086", "8087", "8088", "8089/udp", f"{taken}"} <= set(shown[:-1].split(": ")[1].split(", "))
    docker(program, "docker rm -f local datagrams")
    until(lambda: not answers("127.0.0.1", 8086) and not answers("127.0.0.1", 8088), "what has gone is still open")


def echo(address: str, port: int) -> bytes:
    """What comes back from there for a datagram that is sent until something comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect((address, port))
        for _ in range(60):
            try:
                client.send(b"there?")
                return client.recv(100)
            except OSError:
                continue
    return b""


@needs_dev
def test_the_follower_of_ports_is_started_again(program: Program) -> None:
    """Killed, it is missed by the next command, takes over what is open, and closes what has gone meanwhile."""
    address = program("ip", "dev").out.strip()
    lock = program.store / "machines/dev/helper.lock"
    docker(program, f"docker run -d --name late -p 8084:80 busybox sh -c '{SERVE}'")
    until(lambda: answers(address, 8084), "a published port is not opened")
    first = background.running(str(lock))
    os.kill(first, signal.SIGKILL)
    docker(program, "docker rm -f late")
    until(lambda: program("ls").fine() and background.running(str(lock)) not in (0, first), "nobody noticed")
    until(lambda: not answers(address, 8084), "what was open stays open")
    assert fetch(f"http://{address}:8080/") == "it works\n"
    assert "started again" not in program("ls").fine().err


@needs_dev
def test_the_clock_is_right_after_a_standstill(program: Program) -> None:
    driver = json.loads(program("inspect", "dev").fine().out)
    directory = str(program.store / "machines" / "dev")
    with Client(os.path.join(paths.runtime(directory, driver["Machine"]["Id"]), paths.QMP)) as qmp:
        qmp.command("stop")
    time.sleep(6)
    program("start", "dev").fine()

    def behind() -> float:
        before = time.time()
        return before - float(program("ssh", "dev", "date", "+%s.%N").fine().out)

    until(lambda: behind() < 2, "the machine's clock is behind", 30)


@needs_dev
def test_it_is_listed_and_reached(program: Program) -> None:
    table = program("ls").fine().out.splitlines()
    assert "dev" in table[1]
    assert "Running" in table[1]
    assert program("status", "dev").fine().out == "Running\n"
    assert "Linux" in program("ssh", "dev", "uname", "-a").fine().out
    assert "CONTAINER ID" in program("ssh", "dev", "docker", "ps").fine().out
    assert program("ssh", "dev", "exit 7").status == 7
    assert program.shell("docker --context dev info --format '{{.Name}}'").fine().out == "dev\n"
    record = json.loads(program("inspect", "dev").fine().out)
    assert record["DriverName"] == "qemu"


@needs_dev
def test_the_host_key_was_known_before_the_first_connection(program: Program) -> None:
    directory = program.store / "machines" / "dev"
    recorded = (directory / "ssh_host_ed25519_key.pub").read_text().split()[1]
    shown = program("ssh", "dev", "cat", "/etc/ssh/ssh_host_ed25519_key.pub").fine().out.split()[1]
    assert shown == recorded


@needs_dev
def test_provisioning_again_changes_nothing(program: Program) -> None:
    started = "systemctl show -p MainPID --value docker"
    before = program("ssh", "dev", started).fine().out
    program("provision", "dev").fine()
    assert program("ssh", "dev", started).fine().out == before


@needs_dev
def test_a_proxy_of_this_computer_leads_engine_and_apt(program: Program) -> None:
    """Where no registry and no mirror is reached, they are asked for by the proxy all the same."""
    proxy = ForwardProxy("me:hunter2")
    try:
        proxies = dict.fromkeys(("HTTP_PROXY", "https_proxy"), proxy.url)
        program("provision", "dev", "--engine-proxy", "env", environ=proxies).fine()
        assert f"HTTPS Proxy: http://xxxxx:xxxxx@10.0.2.2:{proxy.port}" in docker(program, "docker info")
        docker(program, "docker pull -q none.example/x || true")
        program("ssh", "dev", "sudo apt-get -o Acquire::Retries=0 update || true").fine()
        assert "CONNECT none.example:443" in proxy.asked
        assert any(line.startswith("GET http://") and "/dists/" in line for line in proxy.asked)
        assert "nothing changed" in program("provision", "dev").fine().err
    finally:
        proxy.close()
    program("provision", "dev", "--engine-proxy", "off").fine()
    assert "Proxy:" not in docker(program, "docker info")
    assert "machine" not in program("ssh", "dev", "ls /etc/apt/apt.conf.d").fine().out


@needs_dev
def test_certificates_are_renewed_under_running_containers(program: Program) -> None:
    pid = docker(program, "docker inspect -f '{{.State.Pid}}' web")
    program("regenerate-certs", "-f", "dev").fine()
    assert docker(program, "docker inspect -f '{{.State.Pid}}' web") == pid


@needs_dev
def test_stop_and_start(program: Program) -> None:
    program("stop", "dev").fine()
    assert program("status", "dev").fine().out == "Stopped\n"
    assert "already stopped" in program("stop", "dev").err
    assert program("env", "dev").out == ""
    program("start", "dev").fine()
    address = program("ip", "dev").out.strip()
    assert fetch(f"http://{address}:8080/") == "it works\n", "the container came back, and its forward"


@needs_dev
def test_a_reboot_of_this_host_is_survived(program: Program) -> None:
    """Its processes are gone without a word; pid files and sockets are stale."""
    os.kill(qemu_pid(program, "dev"), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while program("status", "dev").fine().out != "Stopped\n":
        assert time.monotonic() < deadline
    program("start", "dev").fine()
    assert docker(program, "docker ps -q").strip()


@needs_dev
def test_a_change_is_there_at_once_or_after_a_restart(program: Program) -> None:
    """The machine was started from a template, whose disk is under its own."""
    inside = "free -m | awk '/Mem:/ { print $2 }'; nproc; df -m / | awk 'NR == 2 { print $2 }'"
    before = [int(word) for word in program("ssh", "dev", inside).fine().out.split()]
    refused = program("set", "dev", "--qemu-disk-size", "3000")
    assert "disks grow, and never shrink" in refused.err
    flags = ["--qemu-memory", "1200", "--qemu-cpu-count", "1", "--qemu-disk-size", "22000"]
    changed = json.loads(program("set", "dev", *flags, "--json").fine().out)
    assert sorted(changed["Pending"]) == ["qemu-cpu-count", "qemu-memory"]
    memory, cpus, disk = (int(word) for word in program("ssh", "dev", inside).fine().out.split())
    assert [memory, cpus] == before[:2]
    assert disk > max(before[2], 20500), "the file system has grown under what runs"
    program("restart", "dev", timeout=900).fine()
    memory, cpus, after = (int(word) for word in program("ssh", "dev", inside).fine().out.split())
    assert (memory > before[0] + 100, cpus, after) == (True, 1, disk)
    assert program("inspect", "dev", "-f", "{{.Driver.Memory}} {{.Machine.PendingChanges}}").out.startswith("1200 <no")


@needs_dev
def test_kill(program: Program) -> None:
    program("kill", "dev").fine()
    assert program("status", "dev").fine().out == "Stopped\n"


@needs_dev
def test_a_stopped_machine_is_removed_too(program: Program) -> None:
    program("rm", "-y", "dev").fine()
    assert left(program) == []


def test_a_machine_that_never_boots_says_what_it_printed(program: Program, tmp_path: Path) -> None:
    blank = tmp_path / "blank.raw"
    blank.write_bytes(b"\0" * (10 << 20))
    made = program("create", "--qemu-image", str(blank), "--qemu-boot-timeout", "20", "never", timeout=200)
    assert made.status == 1
    assert "--resume never" in made.err
    assert "gave up waiting for ssh" in made.err
    program("rm", "-y", "never").fine()
    assert left(program) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--qemu-program", "/nonexistent/qemu"], "/nonexistent/qemu"),
        (["--qemu-image", "/nonexistent/image.qcow2"], "/nonexistent/image.qcow2"),
        (["--qemu-image", "debian-99"], "debian-13"),
        (["--qemu-memory", "10"], "--qemu-memory"),
        (["--qemu-disk-size", "10"], "--qemu-disk-size"),
        (["--qemu-disk-size", "99999999"], "--qemu-disk-size"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_made(program: Program, flags: list[str], said: str) -> None:
    made = program("create", *flags, "refused")
    assert made.status in (2, 3)
    assert said in made.err
    assert left(program) == []


def test_a_taken_port_is_named(program: Program) -> None:
    with socket.create_server(("0.0.0.0", 18080)):
        made = program("create", "--qemu-publish", "18080:80", "taken")
    assert made.status in (2, 3)
    assert "18080" in made.err
    assert left(program) == []
