"""Provisioning real Debian hosts, in every state that Docker can be found in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.errors import ProvisionError
from machine.provision import apply_steps, gather, plan, render, sample_facts
from machine.provision.apply import run_batch
from machine.provision.host_files import DAEMON_JSON, DROP_IN, KEPT_SUFFIX
from machine.provision.steps import Run, Step
from tests.labs.image import USER
from tests.labs.nspawn import ENGINES
from tests.provision.hosts import Boot, ask, provision, settled, shell, wishes

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("user", ["root", USER])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_state_ends_in_an_engine_behind_tls(boot: Boot, tmp_path: Path, engine: str, user: str) -> None:
    host = boot(f"{engine}-{user}", engine=engine)
    spec = wishes(host, labels=("colour=blue sky",), env=('GREETING=50% "of" $it',))
    lines: list[str] = []
    with shell(host, user) as connection:
        outcome = apply_steps(plan(gather(connection, lines.append), spec), connection, lines.append)
    assert lines == ["look at the machine", *outcome.executed], "what it does is told"
    assert outcome.restarted
    assert outcome.round_trips == (2 if engine == "missing" else 1)
    assert ask(host, tmp_path, "/_ping") == "OK"
    assert set(ask(host, tmp_path, "/info")["Labels"]) == {"provider=generic", "colour=blue sky"}
    environment = host.run("tr '\\0' '\\n' </proc/$(cat /run/docker.pid)/environ")
    assert 'GREETING=50% "of" $it\n' in environment
    assert host.run("stat -c '%a %U' /etc/docker/server-key.pem").strip() == "600 root"
    assert host.run("hostname; cat /etc/hostname").split() == [host.name, host.name]
    assert f"127.0.1.1 {host.name}\n" in host.run("cat /etc/hosts")
    assert host.run("systemctl is-enabled docker.service").strip() == "enabled"

    before = host.main_pid()
    again = provision(host, spec, user)
    assert (again.executed, again.changed, again.round_trips) == ((), (), 0)
    assert host.main_pid() == before


def test_looking_does_not_wake_a_sleeping_engine(boot: Boot) -> None:
    host = boot("asleep", engine="socket")
    with shell(host, USER) as connection:
        facts = gather(connection, lambda _: None)
    assert (facts.service, facts.socket) == ("inactive", "active")
    assert facts.release >= (20, 10)
    assert host.main_pid() == 0


def test_containers_outlive_new_certificates(boot: Boot, tmp_path: Path) -> None:
    host = boot("keeper", engine="running")
    settled(host)
    host.import_busybox()
    host.run("docker run -d --name stays busybox:lab sleep 3600")
    started = host.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' stays")
    for _ in range(2):  # the first adopts the host, the second only renews
        spec = wishes(host)
        before = host.main_pid()
        assert provision(host, spec).restarted
        assert host.main_pid() not in (0, before)
        assert host.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' stays") == started
        assert ask(host, tmp_path, "/info")["LiveRestoreEnabled"] is False
        assert "live-restore" not in host.run(f"cat {DAEMON_JSON}")
        assert host.run(f"ls {DAEMON_JSON}{KEPT_SUFFIX} {DROP_IN}{KEPT_SUFFIX}", check=False) == ""
        assert provision(host, spec).executed == ()
    assert host.run("docker exec stays echo alive") == "alive\n"


def test_what_the_user_had_in_daemon_json_is_kept(boot: Boot, tmp_path: Path) -> None:
    host = boot("foreign", engine="off")
    mine = {
        "log-driver": "local",
        "live-restore": False,
        "labels": ["rack=7", "provider=me"],
        "hosts": ["fd://", "tcp://127.0.0.1:2375"],
    }
    host.run(f"mkdir -p /etc/docker && cat >{DAEMON_JSON}", stdin=json.dumps(mine))
    spec = wishes(host)
    provision(host, spec)
    info = ask(host, tmp_path, "/info")
    assert info["LoggingDriver"] == "local"
    assert set(info["Labels"]) == {"rack=7", "provider=generic"}
    assert "127.0.0.1:2375" in host.run("ss -tln")
    assert "hosts" not in json.loads(host.run(f"cat {DAEMON_JSON}"))
    assert provision(host, spec).executed == ()


def test_a_host_of_docker_machine_is_adopted(boot: Boot, tmp_path: Path) -> None:
    host = boot("elder", engine="off")
    theirs = "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock "
    theirs += "--storage-driver overlay2 --label provider=generic \nEnvironment=\n"
    host.run(f"mkdir -p {DROP_IN.rpartition('/')[0]} && cat >{DROP_IN} && systemctl daemon-reload", stdin=theirs)
    host.run("systemctl mask --now docker.socket; systemctl unmask docker.socket; systemctl start docker.service")
    host.run("systemctl stop docker.socket", check=False)
    provision(host, wishes(host))
    assert ask(host, tmp_path, "/_ping") == "OK"
    assert "docker.service" in host.run("systemctl list-units --state=running --no-legend --plain")


def test_a_broken_option_leaves_the_engine_as_it_was(boot: Boot, tmp_path: Path) -> None:
    host = boot("careful", engine="running")
    good = wishes(host)
    provision(host, good)
    files = host.run(f"cat {DAEMON_JSON} {DROP_IN}")
    with pytest.raises(ProvisionError) as caught:
        provision(host, wishes(host, flags=("no-such-option=1",)))
    assert "restart the engine" in caught.value.brief
    assert "no-such-option" in caught.value.details
    assert ask(host, tmp_path, "/_ping") == "OK"
    assert host.run(f"cat {DAEMON_JSON} {DROP_IN}") == files
    assert provision(host, good).executed == ()


@pytest.mark.parametrize("curl", [True, False], ids=["curl", "no curl"])
def test_containers_outlive_a_broken_option_too(boot: Boot, tmp_path: Path, curl: bool) -> None:
    host = boot("careful", engine="running")
    settled(host)
    host.import_busybox()
    if not curl:
        host.run("rm /usr/bin/curl")
    host.run("docker run -d --name stays busybox:lab sleep 3600")
    started = host.run("docker inspect -f '{{.State.StartedAt}}' stays")
    with pytest.raises(ProvisionError, match="restart the engine"):
        provision(host, wishes(host, flags=("no-such-option=1",)))
    assert host.run("docker inspect -f '{{.State.Running}} {{.State.StartedAt}}' stays") == f"true {started}"
    good = wishes(host)
    provision(host, good)
    assert host.run("docker inspect -f '{{.State.Running}} {{.State.StartedAt}}' stays") == f"true {started}"
    assert ask(host, tmp_path, "/info")["LiveRestoreEnabled"] is False
    left = set(host.run("ls /etc/docker").split()) - {"key.json"}  # which releases before 23 make themselves
    assert left == {"ca.pem", "daemon.json", "server-key.pem", "server.pem"}
    assert provision(host, good).executed == ()


def test_swarm_mode_is_told_that_its_containers_restart(boot: Boot, tmp_path: Path) -> None:
    host = boot("clustered", engine="running")
    settled(host)
    host.import_busybox()
    host.run(f"docker swarm init --advertise-addr {host.address}")
    host.run("docker run -d --name goes --restart always busybox:lab sleep 3600")
    outcome = provision(host, wishes(host))
    assert "swarm mode" in outcome.notes[0]
    assert ask(host, tmp_path, "/info")["Swarm"]["LocalNodeState"] == "active"
    assert host.run("docker inspect -f '{{.State.Running}}' goes") == "true\n"


def test_a_stock_machine_can_be_set_up_at_its_first_boot(boot: Boot, tmp_path: Path) -> None:
    """No look, no questions: the plan for a stock Debian, rendered to one script that root runs, as user data would."""
    host = boot("firstboot", engine="socket")
    spec = wishes(host)
    host.run("sh -s", stdin=render(plan(sample_facts.debian("12"), spec), masked=False))
    assert ask(host, tmp_path, "/_ping") == "OK"
    assert provision(host, spec).executed == ()


def test_an_interrupted_run_is_finished_by_the_next(boot: Boot, tmp_path: Path) -> None:
    host = boot("halfway", engine="running")
    settled(host)
    host.import_busybox()
    host.run("docker run -d --name stays busybox:lab sleep 3600")
    started = host.run("docker inspect -f '{{.State.StartedAt}}' stays")
    spec = wishes(host)
    with shell(host) as connection:
        facts = gather(connection, lambda _: None)
        steps: list[Step] = list(plan(facts, spec))
        cut = next(number for number, step in enumerate(steps) if step.name == "restart the engine")
        run_batch(steps[:cut], connection)
    assert provision(host, spec).restarted
    assert ask(host, tmp_path, "/info")["LiveRestoreEnabled"] is False
    assert host.run("docker inspect -f '{{.State.StartedAt}}' stays") == started
    assert "live-restore" not in host.run(f"cat {DAEMON_JSON}")
    assert provision(host, spec).executed == ()


def test_a_storage_driver_is_not_changed_under_images(boot: Boot) -> None:
    host = boot("images", engine="running")
    settled(host)
    host.import_busybox()
    before = host.main_pid()
    with pytest.raises(ProvisionError, match="would hide the machine's images"):
        provision(host, wishes(host, storage_driver="vfs"))
    host.run("systemctl stop docker.service docker.socket")
    with pytest.raises(ProvisionError, match="from overlay2 to vfs"):
        provision(host, wishes(host, storage_driver="vfs"))
    assert before
    provision(host, wishes(host, storage_driver="overlay2"))
    assert host.run("docker images -q").strip()


def test_secrets_are_on_no_command_line(boot: Boot) -> None:
    """Every process of every host is visible from here; look at all of them while a host is provisioned."""
    import threading

    host = boot("discreet", engine="off")
    spec = wishes(host, env=("TOKEN=hunter2hunter2",))
    secret = [spec.server_key.decode().splitlines()[1].encode(), b"hunter2hunter2"]
    seen: list[bytes] = []
    looks, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = entry.read_bytes()
                except OSError:
                    continue
                seen.extend(line for part in secret if part in line)
            looks[0] += 1

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        provision(host, spec, USER)
    finally:
        done.set()
        watcher.join()
    assert looks[0] > 5
    assert seen == []
    found = host.run(
        "grep -rl hunter2 / --exclude-dir=proc --exclude-dir=sys --exclude-dir=var 2>/dev/null", check=False
    )
    assert found.split() == [DROP_IN]
    assert host.run(f"stat -c %a {DROP_IN}").strip() == "600"


def test_a_user_without_sudo_is_told(boot: Boot) -> None:
    host = boot("nobody", engine="off")
    host.run(f"rm /etc/sudoers.d/90-{USER}")
    with pytest.raises(ProvisionError) as caught:
        provision(host, wishes(host), USER)
    assert "become root" in caught.value.brief
    assert "NOPASSWD" in caught.value.resolution


def test_a_failing_step_is_named_with_its_output(boot: Boot) -> None:
    host = boot("failing", engine="missing")
    steps = [
        Run("count", "echo one; echo two >&2"),
        Run("stumble", "echo three; false; echo never"),
        Run("go on", "touch /x"),
    ]
    with shell(host, USER) as connection, pytest.raises(ProvisionError) as caught:
        run_batch(steps, connection)
    assert (caught.value.brief, caught.value.details) == ("failed to stumble", "three")
    assert host.run("ls /x", check=False) == ""
