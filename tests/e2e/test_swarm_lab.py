"""`create --swarm` on real hosts: a master and a worker, one endpoint over both. Each test goes on from the last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from machine import authority
from tests.e2e.hosts import IMAGE, docker, generic, until
from tests.labs.nspawn import Host, Lab
from tests.program import Ended, Program
from tests.sshd import free_port

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker client"),
]
UNITS = "systemctl show -p MainPID --value machine-swarm-manager docker"


@dataclass
class Swarm:
    """Two hosts, the program that made machines of them, and their token."""

    program: Program
    head: Host
    worker: Host
    gateway: str
    token: str

    def docker(self, line: str) -> str:
        """A docker command line as `eval "$(machine env --swarm head)"` lets a user type it."""
        return self.program.shell(f'eval "$(machine env --shell bash --swarm head)"; docker {line}').fine().out

    def nodes(self) -> dict[str, str]:
        """Name and status of every engine that the manager lists."""
        status = json.loads(self.docker("info --format '{{json .SystemStatus}}'"))
        names = [pair[0].strip() for pair in status if pair[0].startswith(" ") and "└" not in pair[0]]
        return dict(zip(names, [pair[1] for pair in status if pair[0].endswith("Status")], strict=True))

    def wait_for(self, *names: str) -> None:
        """Until the manager lists exactly these, all healthy."""
        until(lambda: self.nodes() == dict.fromkeys(names, "Healthy"))


@pytest.fixture(scope="module")
def swarm(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    head, worker = lab.hosts(["head", "worker"])
    program = Program(tmp_path_factory.mktemp("swarm") / "user")
    token = program("swarm", "create").fine().out.strip()
    yield Swarm(program, head, worker, lab.gateway, token)
    for host in (head, worker):
        lab.drop(host)


@pytest.fixture(scope="module")
def master(swarm: Swarm) -> Ended:
    """What the create of the master printed: after its worker, on a host that lacks what a manager needs."""
    swarm.head.run("apt-get -q -y purge python3-minimal python3.11-minimal && ! command -v python3")
    flags = ["--swarm", "--swarm-discovery", f"token://{swarm.token}"]
    swarm.program(*generic(swarm.worker), *flags, "worker").fine()
    line = [*generic(swarm.head), *flags, "--swarm-master", "--swarm-strategy", "spread", "head"]
    return swarm.program(*line).fine()


needs_master = pytest.mark.usefixtures("master")


def test_a_worker_first_and_then_its_master(swarm: Swarm, master: Ended) -> None:
    """The master is told of those who were there before it, and installs what its manager needs."""
    assert "Warning" not in master.err
    assert 'env --swarm head)"' in master.err
    swarm.wait_for("head", "worker")
    assert swarm.docker("info --format '{{.ServerVersion}} {{.NCPU}}'").startswith("swarm/")


@needs_master
def test_containers_spread_over_both(swarm: Swarm) -> None:
    for host in (swarm.head, swarm.worker):
        host.import_busybox(IMAGE)
    for _ in range(2):
        swarm.docker(f"run -d -p 80:80 {IMAGE} sleep 3600")
    for name in ("head", "worker"):
        assert len(swarm.docker(f"ps -q --filter node={name}").split()) == 1


@needs_master
def test_what_the_other_commands_say_of_a_master(swarm: Swarm) -> None:
    url = f"tcp://{swarm.head.address}:3376"
    assert f'DOCKER_HOST="{url}"' in swarm.program("env", "--shell", "bash", "--swarm", "head").fine().out
    assert f"-H={url}" in swarm.program("config", "--swarm", "head").fine().out
    there = {"DOCKER_HOST": url}
    rows = swarm.program("ls", "-f", "{{.Name}}|{{.Active}}|{{.Swarm}}", environ=there).fine().out.splitlines()
    assert rows == ["head|* (swarm)|head (master)", "worker|-|head"]
    assert swarm.program("active", environ=there).fine().out == "head\n"
    assert "not the master" in swarm.program("env", "--swarm", "worker").err
    assert "provider=generic" in swarm.docker("info --format '{{json .SystemStatus}}'")


@needs_master
def test_the_token_is_in_no_argument_list(swarm: Swarm) -> None:
    assert swarm.token not in swarm.head.run("cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '")
    assert swarm.head.run("stat -c %a /etc/machine-swarm.env").strip() == "600"


@needs_master
def test_provision_repairs_what_is_broken_and_restarts_nothing_else(swarm: Swarm) -> None:
    before = swarm.head.run(UNITS)
    again = swarm.program("provision", "head").fine()
    assert "nothing changed" in again.err
    assert swarm.head.run(UNITS) == before
    unit = "/etc/systemd/system/machine-swarm-manager.service"
    swarm.head.run(f"systemctl disable --now machine-swarm-manager; rm {unit}; systemctl daemon-reload")
    swarm.program("provision", "head").fine()
    swarm.wait_for("head", "worker")
    assert swarm.head.run(UNITS).split()[1:] == before.split()[1:], "the engine went on"
    assert swarm.head.run("systemctl is-enabled machine-swarm-manager").strip() == "enabled"


@needs_master
def test_a_new_certificate_reaches_the_manager(swarm: Swarm) -> None:
    before = swarm.head.run(UNITS).split()
    swarm.program("regenerate-certs", "-f", "head").fine()
    assert swarm.head.run(UNITS).split()[0] != before[0]
    swarm.wait_for("head", "worker")


@needs_master
def test_a_manager_that_is_killed_is_back_with_all_it_knew(swarm: Swarm) -> None:
    before = swarm.head.run(UNITS).split()[0]
    swarm.head.run("systemctl kill -s KILL machine-swarm-manager")
    until(lambda: swarm.head.run(UNITS).split()[0] not in ("0", before))
    until(lambda: swarm.program("env", "--shell", "bash", "--swarm", "head").status == 0)
    swarm.wait_for("head", "worker")


@needs_master
def test_a_port_that_another_program_has_is_said(swarm: Swarm) -> None:
    """That something answers there is no sign of the manager: it might be the one that docker-machine left."""
    swarm.head.run("systemctl stop machine-swarm-manager")
    listen = "import socket,time; s=socket.create_server(('0.0.0.0',3376)); time.sleep(600)"
    swarm.head.run(f'systemd-run -q --unit taken python3 -c "{listen}"; sleep 1')
    refused = swarm.program("provision", "head")
    swarm.head.run("systemctl stop taken")
    assert refused.status == 1
    assert "start machine-swarm-manager" in refused.err
    assert "cannot listen on tcp://0.0.0.0:3376" in refused.err
    swarm.program("provision", "head").fine()
    swarm.wait_for("head", "worker")


@needs_master
def test_a_master_on_this_computer_has_the_same_engines(swarm: Swarm) -> None:
    at = f"tcp://127.0.0.1:{free_port()}"
    log = swarm.program.place / "manager.log"
    with log.open("w") as errors:
        manager = swarm.program.start("swarm", "manage", "-H", at, f"token://{swarm.token}", stderr=errors)
    certificates = [word.replace('"', "") for word in swarm.program("config", "head").fine().out.splitlines()[:4]]
    seen = [""]

    def both() -> bool:
        listed = [
            docker(swarm.program, *certificates, "-H", at, "ps", "-aq", "--filter", f"node={name}")
            for name in ("head", "worker")
        ]
        seen[0] = "".join(one.out + one.err for one in listed)
        return all(one.out.strip() for one in listed)

    try:
        until(both)
    except AssertionError as error:
        raise AssertionError(f"{seen[0]}\n{log.read_text()}") from error
    finally:
        manager.terminate()
        manager.communicate(timeout=20)


@needs_master
def test_rm_takes_a_machine_out_everywhere(swarm: Swarm) -> None:
    swarm.program("rm", "-y", "worker").fine()
    assert swarm.program("swarm", "list", f"token://{swarm.token}").fine().out == f"{swarm.head.address}:2376\n"
    until(lambda: "worker" not in swarm.nodes())


@pytest.fixture
def service(swarm: Swarm) -> Iterator[str]:
    """The place of a token service with TLS on this computer, as a hosted one would be."""
    pair = authority.ensure(str(swarm.program.store)).issue_server("discovery", [swarm.gateway])
    cert, key = swarm.program.place / "service.pem", swarm.program.place / "service-key.pem"
    cert.write_bytes(pair.cert)
    key.write_bytes(pair.key)
    files = {"cert": cert, "key": key, "cacert": swarm.program.store / "certs/ca.pem"}
    tls = [word for name, path in files.items() for word in (f"--tls{name}", str(path))]
    at = f"{swarm.gateway}:{free_port(swarm.gateway)}"
    running = swarm.program.start("swarm", "discovery", "-H", f"tcp://{at}", "--tls", *tls)
    yield at
    running.terminate()
    running.communicate(timeout=20)


def entering(swarm: Swarm, service: str) -> tuple[list[str], Callable[[], str]]:
    """The words of a create by a new token of the service, and what the service lists under it."""
    token = f"token://{service}/v1/{swarm.program('swarm', 'create').fine().out.strip()}"
    words = ["--swarm", "--swarm-discovery", token]
    for option in ("heartbeat=1s", "ttl=3s", "discovery-opt=kv.cacertfile=/etc/docker/ca.pem"):
        words += ["--swarm-join-opt", option]
    trust = f"--discovery-opt=kv.cacertfile={swarm.program.store}/certs/ca.pem"
    return words, lambda: swarm.program("swarm", "list", trust, token).fine().out


def test_a_node_that_reaches_the_discovery_enters_itself(swarm: Swarm, service: str) -> None:
    words, listed = entering(swarm, service)
    swarm.program(*generic(swarm.worker), *words, "itself").fine()
    assert listed() == f"{swarm.worker.address}:2376\n"
    assert "nothing changed" in swarm.program("provision", "itself").fine().err
    swarm.program("rm", "-y", "itself").fine()
    assert swarm.worker.run("ls /etc/systemd/system /usr/local/lib/machine | grep swarm || true") == ""
    assert listed() == ""


def test_a_node_that_does_not_reach_the_discovery_is_entered_from_here(swarm: Swarm, service: str) -> None:
    words, listed = entering(swarm, service)
    wall = f"OUTPUT -p tcp --dport {service.rpartition(':')[2]} -j REJECT"
    swarm.worker.run(f"iptables -I {wall}")
    made = swarm.program(*generic(swarm.worker), *words, "walled").fine()
    swarm.worker.run(f"iptables -D {wall}")
    assert "was registered from here" in made.err
    assert listed() == f"{swarm.worker.address}:2376\n"
    swarm.program("rm", "-y", "walled").fine()
    assert listed() == ""


def test_docker_machines_containers_where_an_image_is_named(swarm: Swarm) -> None:
    """The image does nothing here: what is looked at is how it is started."""
    swarm.worker.run("docker rm -f $(docker ps -aq)")
    entry = """'ENTRYPOINT ["/bin/sh", "-c", "sleep 3600", "swarm"]'"""
    swarm.worker.run(f"tar -C /srv/bb -c . | docker import --change {entry} - swarm:lab")
    flags = ["--swarm", "--swarm-master", "--swarm-image", "swarm:lab", "--swarm-discovery", "token://old"]
    swarm.program(*generic(swarm.worker), *flags, "old").fine()
    shown = "docker inspect -f '{{json .Args}} {{json .HostConfig.Binds}} {{.HostConfig.RestartPolicy.Name}} {{.Id}}' "
    manager = swarm.worker.run(shown + "swarm-agent-master")
    assert f'"-H","tcp://0.0.0.0:3376","--strategy","spread","--advertise","{swarm.worker.address}:3376"' in manager
    assert '["/etc/docker:/etc/docker"] always' in manager
    agent = swarm.worker.run(shown + "swarm-agent")
    assert f'"join","--advertise","{swarm.worker.address}:2376","token://old"' in agent
    assert swarm.worker.run("ls /etc/systemd/system | grep swarm || true") == ""
    swarm.worker.run("docker rm -f swarm-agent")
    swarm.program("provision", "old").fine()
    assert swarm.worker.run(shown + "swarm-agent-master") == manager, "what is right is left alone"
    assert swarm.worker.run("docker inspect -f '{{.State.Running}}' swarm-agent") == "true\n"
    swarm.program("rm", "-y", "old").fine()
    assert swarm.worker.run("docker ps -aq") == ""


@needs_master
def test_a_host_that_was_a_master_is_rid_of_it(swarm: Swarm) -> None:
    """Also when its create was killed after the services had come there and before that was written down."""
    config = swarm.program.store / "machines" / "head" / "config.json"
    raw = json.loads(config.read_text())
    raw["Machine"]["Phase"] = "reachable"
    config.write_text(json.dumps(raw))
    swarm.program("rm", "-y", "head").fine()
    assert (
        swarm.head.run("ls -d /etc/systemd/system/*swarm* /var/lib/machine-swarm /etc/machine-swarm.env || true") == ""
    )
    assert swarm.head.run("systemctl is-active machine-swarm-manager || true").strip() == "inactive"
    assert swarm.program("swarm", "list", f"token://{swarm.token}").fine().out == ""
