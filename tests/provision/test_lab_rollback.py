"""A create that fails leaves a real host as it was: files, what systemd has loaded, what runs and what listens.

Every state that Docker can be in before, times every way to fail after files were written. One host is shared: after
each case it has to be as before that case, which is what the case looks at.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from machine.errors import MachineError, ProvisionError
from machine.provision import apply_steps, engine_api, gather, plan
from machine.provision.host_files import CLOSE_ENGINE_PORT, TRANSACTION
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import provision, settled, shell, wishes

pytestmark = pytest.mark.lab

# Starts dockerd as the unit would, but for a configuration of ours behaves as /run/lab-dockerd says.
WRAPPER = """#!/bin/sh
case "$* $(cat /run/lab-dockerd 2>/dev/null)" in
    *:2376*dies) sleep 0.2; exit 1 ;;
    *:2376*late) systemd-notify --ready; sleep 0.3; exit 1 ;;
    *:2376*mute) systemd-notify --ready; exec sleep 600 ;;
    *:2376*slow) sleep 2 ;;
esac
exec /usr/sbin/dockerd "$@"
"""
OVERRIDE = """[Service]
NotifyAccess=all
ExecStart=
ExecStart=/usr/local/sbin/lab/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
"""
SNAPSHOT = """
ss -ltnH | awk '{print "listens", $4}' | sort -u
systemctl show docker.service docker.socket containerd.service -p Id -p ActiveState -p UnitFileState \
    -p NeedDaemonReload -p DropInPaths
systemctl show docker.service -p ExecStart | sed -n 's/.*argv\\[\\]=\\([^;]*\\);.*/\\1/p'
find /etc/docker /etc/systemd/system /etc/hosts /etc/hostname ! -name key.json ! -type d -exec sha256sum {} + \
    | sort -k 2
find /etc/docker /etc/systemd/system -type d -o -type l -printf '%p -> %l\\n' | sort
hostname
systemctl is-active lab-requires.service lab-part.service
if [ "$(systemctl is-active docker.service)" = active ]; then
    docker ps --no-trunc --format '{{.ID}} {{.Names}}'
    docker ps -q | xargs -r docker inspect -f '{{.State.StartedAt}}'
    docker info -f '{{.LiveRestoreEnabled}}'
fi
"""
STATES: dict[str, str] = {
    "running": "ln -s /srv/lab.json /etc/docker/daemon.json; systemctl start docker.socket docker.service"
    " lab-requires.service lab-part.service",
    "rootless-beside": "systemctl start docker.socket docker.service; systemctl start lab-rootless.service",
    "socket": "systemctl stop docker.socket docker.service; systemctl start docker.socket",
    "stopped": "systemctl stop docker.socket docker.service containerd.service; rm /etc/hostname;"
    " SYSTEMCTL_SKIP_SYSV=1 systemctl -q disable docker.service",
    "failed": "systemctl stop docker.socket docker.service; echo '{\"bogus\": 1}' >/etc/docker/daemon.json;"
    " systemctl start docker.service || true; systemctl stop docker.socket docker.service;"
    " rm /etc/docker/daemon.json",
}
RESET = (
    "systemctl stop lab-rootless.service lab-part.service; SYSTEMCTL_SKIP_SYSV=1 systemctl -q enable docker.service;"
    " rm -f /etc/docker/daemon.json; echo before >/etc/hostname"
)
# What systemd stops with the engine, and does not start with it.
DEPENDENTS = {
    "lab-requires": "[Unit]\nRequires=docker.service\nAfter=docker.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    "lab-part": "[Unit]\nPartOf=lab-requires.service\n[Service]\nExecStart=/bin/sleep infinity\n",
}
ROOTLESS = (
    "[Service]\nExecStart=/usr/sbin/dockerd -H unix:///run/lab-rootless.sock --data-root /var/lib/docker/lab-rootless"
    " --exec-root /run/lab-rootless --pidfile /run/lab-rootless.pid --bridge none --iptables=false"
    " --storage-driver vfs\n"
)


@dataclass
class Shared:
    """The host of all cases, and the state that it was last brought into."""

    host: Host
    state: str = ""

    def bring(self, state: str) -> None:
        if self.state != state:
            self.host.run(f"{RESET}; {STATES[state]}")
            self.state = state


@pytest.fixture(scope="module")
def shared(lab: Lab) -> Iterator[Shared]:
    host = lab.host("before", engine="running")
    settled(host)
    host.import_busybox()
    host.run("docker run -d --name stays busybox:lab sleep 3600")
    host.run("mkdir -p /usr/local/sbin/lab /etc/systemd/system/docker.service.d /etc/docker")
    host.run("cat >/usr/local/sbin/lab/dockerd && chmod 755 /usr/local/sbin/lab/dockerd", stdin=WRAPPER)
    host.run("cat >/etc/systemd/system/docker.service.d/05-lab.conf", stdin=OVERRIDE)
    host.run("cat >/etc/systemd/system/lab-rootless.service && systemctl daemon-reload", stdin=ROOTLESS)
    for unit, text in DEPENDENTS.items():
        host.run(f"cat >/etc/systemd/system/{unit}.service", stdin=text)
    host.run("echo '{}' >/srv/lab.json; systemctl daemon-reload; systemctl restart docker.service; docker start stays")
    yield Shared(host)
    lab.drop(host)


@dataclass
class Failure:
    """A way to fail: wishes that cannot be fulfilled, how dockerd behaves, or what happens in the middle."""

    engine: dict[str, Any] = field(default_factory=dict)
    dockerd: str = ""
    midway: Callable[[Host, Any], None] | None = None


def cut(host: Host, connection: Any) -> None:
    connection.transport.close()


def kill(host: Host, connection: Any) -> None:
    host.run(f"kill -9 $(cat {TRANSACTION}/owner)")


FAILURES = {
    "option": Failure({"flags": ("bogus=1",)}),
    "mirror": Failure({"registry_mirrors": ("mirror.example:5000",)}),
    "driver": Failure({"flags": ("storage-driver=zfs",)}),
    "dies": Failure(dockerd="dies"),
    "dies-late": Failure(dockerd="late"),
    "cut": Failure(dockerd="slow", midway=cut),
    "killed": Failure(dockerd="slow", midway=kill),
}


# Each way to fail in one state at least, and each state with one that the script and one that the guard takes back,
# where it differs from others in what is taken back. Each case takes two starts of the engine.
CASES = {
    "running": ("option", "driver", "dies-late", "cut", "killed"),
    "rootless-beside": ("killed",),
    "socket": ("mirror", "dies", "killed"),
    "stopped": ("dies-late", "cut"),
    "failed": ("option",),
}


def attempt(host: Host, failure: Failure) -> MachineError:
    """Provision the host under another name, which must fail; back when the host has come to rest."""
    host.run(f"echo '{failure.dockerd}' >/run/lab-dockerd")
    spec = wishes(Host("other-name", host.address, host.key, host.root), **failure.engine)
    with shell(host) as connection:
        facts = gather(connection, lambda _: None)
        threading.Thread(target=interfere, args=(host, connection, failure), daemon=True).start()
        with pytest.raises(MachineError) as caught:
            apply_steps(plan(facts, spec), connection, lambda _: None)
    rest(host)
    return caught.value


def interfere(host: Host, connection: Any, failure: Failure) -> None:
    """As soon as the engine is being started with the new configuration."""
    if failure.midway is not None:
        wait = f"until [ -e {TRANSACTION}/owner ] && pgrep -fx 'sleep 2' >/dev/null; do sleep 0.05; done"
        host.run(f'timeout 60 sh -c "{wait}"')
        failure.midway(host, connection)


def rest(host: Host) -> None:
    """Until nothing of a run of ours is at work there."""
    deadline = time.monotonic() + 60
    while host.run(f"ls -d {TRANSACTION}", check=False):
        assert time.monotonic() < deadline, host.run(f"ls -l {TRANSACTION}; cat {TRANSACTION}/before; ps axf")
        time.sleep(0.2)


@pytest.mark.parametrize(("state", "failure"), [(state, failure) for state in STATES for failure in CASES[state]])
def test_a_failed_create_leaves_the_host_as_it_was(shared: Shared, state: str, failure: str) -> None:
    shared.bring(state)
    before = shared.host.run(SNAPSHOT)
    rootless = shared.host.main_pid("lab-rootless.service")
    shared.state = ""
    error = attempt(shared.host, FAILURES[failure])
    assert shared.host.run(SNAPSHOT) == before, f"{error}\n{error.details}"
    assert shared.host.main_pid("lab-rootless.service") == rootless
    assert ":2376" not in before
    shared.state = state


def test_an_engine_that_does_not_answer_is_taken_back(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_api, "UP_SECONDS", 8)
    shared.bring("running")
    before = shared.host.run(SNAPSHOT)
    error = attempt(shared.host, Failure(dockerd="mute"))
    assert "did not answer within" in error.details
    assert "(it is still starting)" in error.details
    assert "taken back" in error.details
    assert "options" not in error.resolution
    assert shared.host.run(SNAPSHOT) == before


def test_a_full_disk_is_taken_back(shared: Shared) -> None:
    """/etc/docker has room for the copies and not for the certificates."""
    shared.bring("running")
    shared.host.run("mount -t tmpfs -o size=12k none /etc/docker")
    before = shared.host.run(SNAPSHOT)
    try:
        error = attempt(shared.host, Failure())
        assert shared.host.run(SNAPSHOT) == before
        assert "No space left" in error.details
    finally:
        shared.host.run("umount /etc/docker")


def test_a_masked_service_is_refused_before_anything_is_changed(shared: Shared) -> None:
    shared.bring("stopped")
    for unit in ("docker.service", "docker.socket"):
        shared.host.run(f"systemctl -q mask --runtime {unit}")
        try:
            before = shared.host.run(SNAPSHOT)
            with pytest.raises(ProvisionError) as caught:
                raise attempt(shared.host, Failure())
            assert f"{unit} is masked" in caught.value.brief
            assert f"systemctl unmask {unit}" in caught.value.resolution
            assert shared.host.run(SNAPSHOT) == before
        finally:
            shared.host.run(f"systemctl -q unmask --runtime {unit}; systemctl daemon-reload")


def test_a_port_of_another_program_is_left_to_it(shared: Shared) -> None:
    shared.bring("running")
    listen = "--socket-property=ListenStream=2376 --socket-property=Accept=yes"
    shared.host.run(f"systemd-run -q --unit=lab-other {listen} cat")
    try:
        before = shared.host.run(SNAPSHOT)
        error = attempt(shared.host, Failure())
        assert "port 2376 of the machine is taken" in error.brief
        assert shared.host.run(SNAPSHOT) == before
    finally:
        shared.host.run("systemctl stop lab-other.socket")


def test_a_silent_engine_is_told_of_and_left_alone(shared: Shared) -> None:
    """One under SIGSTOP; and a client that DOCKER_HOST and a context of root's lead elsewhere."""
    shared.bring("running")
    before, pid = shared.host.run(SNAPSHOT), shared.host.main_pid()
    began = time.monotonic()
    shared.host.run(f"kill -STOP {pid}")
    try:
        error = attempt(shared.host, Failure())
    finally:
        shared.host.run(f"kill -CONT {pid}")
    assert "does not answer" in error.brief
    assert time.monotonic() - began < 40
    assert shared.host.run("pgrep -f 'docker.* info'", check=False) == ""
    assert shared.host.run(SNAPSHOT) == before


def test_a_host_with_the_docker_snap_gets_no_second_docker(lab: Lab) -> None:
    host = lab.host("snapped", engine="missing")
    with contextlib.ExitStack() as undo:
        undo.callback(lab.drop, host)
        host.run("mkdir -p /snap/bin && printf '#!/bin/sh\\n' >/snap/bin/docker && chmod 755 /snap/bin/docker")
        before = host.run("cat /etc/hostname /etc/hosts")
        with pytest.raises(ProvisionError) as caught:
            raise attempt(host, Failure())
        assert "snap" in caught.value.brief
        assert host.run("command -v dockerd", check=False) == ""
        assert host.run("cat /etc/hostname /etc/hosts") == before


def test_a_host_without_docker_keeps_the_stock_one(lab: Lab) -> None:
    """What the package installed stays, and listens nowhere on the network but for containerd's own local port."""
    host = lab.host("fresh", engine="missing")
    with contextlib.ExitStack() as undo:
        undo.callback(lab.drop, host)
        attempt(host, FAILURES["option"])
        assert ":2376" not in host.run("ss -ltn")
        shown = host.run("systemctl show docker.service docker.socket -p ActiveState -p NeedDaemonReload")
        assert (
            shown.split() == ["NeedDaemonReload=no", "ActiveState=active"] * 2
            or shown.split()
            == [
                "ActiveState=active",
                "NeedDaemonReload=no",
            ]
            * 2
        )
        assert host.run("cat /etc/hostname").strip() == "fresh"


def test_what_the_page_says_closes_the_port_of_a_host_that_is_given_up(lab: Lab) -> None:
    host = lab.host("unreached", engine="running")
    with contextlib.ExitStack() as undo:
        undo.callback(lab.drop, host)
        provision(host, wishes(host))
        assert ":2376" in host.run("ss -ltn")
        host.run(CLOSE_ENGINE_PORT)
        assert ":2376" not in host.run("ss -ltn")
        assert host.run("docker version -f '{{.Server.Version}}'").strip()
