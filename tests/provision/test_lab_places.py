"""Real hosts whose engine keeps its images, its pid file and its socket where its owner wants them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.errors import ProvisionError
from machine.provision import gather
from machine.provision.host_files import DAEMON_JSON
from tests.provision.hosts import Boot, ask, provision, settled, shell, wishes

pytestmark = pytest.mark.lab


def test_images_are_found_wherever_they_are(boot: Boot) -> None:
    """Told by daemon.json, by a variable of the unit, by a drop-in; and in the sub-root of a user namespace."""
    host = boot("elsewhere", engine="running")
    settled(host)
    root = "/var/lib/docker/alt"
    host.run(f"mkdir -p /etc/docker && cat >{DAEMON_JSON}", stdin=json.dumps({"data-root": root}))
    host.run("systemctl restart docker.service")
    host.import_busybox()
    host.run("systemctl stop docker.socket docker.service")
    drop_in = "/etc/systemd/system/docker.service.d/05-mine.conf"
    command = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
    told = {
        "daemon.json": "true",
        "variable": f"rm {DAEMON_JSON}; echo 'DOCKER_OPTS=\"--data-root={root}\"' >/etc/default/docker",
        "drop-in": f"rm /etc/default/docker; mkdir -p {drop_in.rpartition('/')[0]};"
        f" printf '[Service]\\nExecStart=\\nExecStart={command} --data-root {root}\\n' >{drop_in};"
        " systemctl daemon-reload",
        "user namespace": f"mkdir {root}/165536.165536 && mv {root}/image {root}/165536.165536/",
    }
    for where, change in told.items():
        host.run(change)
        with pytest.raises(ProvisionError) as caught:
            provision(host, wishes(host, storage_driver="vfs"))
        assert "from overlay2 to vfs would hide" in caught.value.brief, where
    assert host.main_pid() == 0
    host.run(f"sed -i 's|--data-root {root}|--data-root $ROOT|' {drop_in}; systemctl daemon-reload")
    with pytest.raises(ProvisionError, match="cannot tell"):
        provision(host, wishes(host, storage_driver="vfs"))


def test_a_pid_file_and_a_socket_of_other_names(boot: Boot, tmp_path: Path) -> None:
    """Root's client is told the engine's socket, not what DOCKER_HOST or a context says; containers go on."""
    host = boot("renamed", engine="running")
    settled(host)
    mine = {"pidfile": "/run/docker-engine.pid"}
    host.run(f"mkdir -p /etc/docker && cat >{DAEMON_JSON}", stdin=json.dumps(mine))
    host.run("mkdir -p /etc/systemd/system/docker.socket.d")
    host.run(
        "cat >/etc/systemd/system/docker.socket.d/mine.conf",
        stdin="[Socket]\nListenStream=\nListenStream=/run/engine.sock\n",
    )
    host.run("systemctl daemon-reload; systemctl stop docker.socket docker.service; systemctl start docker.service")
    host.run("docker context create far --docker host=tcp://192.0.2.1:2375 && docker context use far")
    host.run("echo DOCKER_HOST=tcp://192.0.2.1:2375 >>/etc/environment; rm /usr/bin/curl")
    at = "docker -H unix:///run/engine.sock"
    host.run("cd /srv && mkdir -p bb/bin && cp /bin/busybox bb/bin/ && ln -sf busybox bb/bin/sleep")
    host.run(
        f"cd /srv && tar -C bb -c . | {at} import - busybox:lab && {at} run -d --name stays busybox:lab sleep 3600"
    )
    started = host.run(f"{at} inspect -f '{{{{.State.StartedAt}}}}' stays")
    with shell(host) as connection:
        facts = gather(connection, lambda _: None)
    assert (facts.engine_socket, facts.pid_file) == ("/run/engine.sock", "/run/docker-engine.pid")
    assert (facts.engine_unresponsive, facts.containers_running) == (False, 1)
    with pytest.raises(ProvisionError):
        provision(host, wishes(host, flags=("bogus=1",)))
    assert host.run(f"cat {DAEMON_JSON}") == json.dumps(mine)
    assert host.run(f"{at} info -f '{{{{.LiveRestoreEnabled}}}}'") == "false\n"
    spec = wishes(host)
    provision(host, spec)
    assert host.run(f"{at} inspect -f '{{{{.State.StartedAt}}}}' stays") == started
    assert ask(host, tmp_path, "/info")["LiveRestoreEnabled"] is False
    assert provision(host, spec).executed == ()
