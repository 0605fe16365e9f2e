"""Docker onto real Debian hosts, and to a newer version: from a package mirror and from a script on the net."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from machine.errors import ProvisionError
from machine.provision import gather, upgrade_engine
from machine.provision.host_files import DAEMON_JSON
from tests.labs import image
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import Boot, ask, provision, publish_newer, settled, shell, wishes

pytestmark = pytest.mark.lab

SCRIPT = """#!/bin/sh
set -e
cat "$APT_CONFIG" >/run/apt-config-seen
apt-get update
apt-get install -y docker.io
"""
SLOW = "Package: slow\nVersion: 1\nArchitecture: all\nMaintainer: lab\nDescription: takes its time\n"


class _Net(BaseHTTPRequestHandler):
    """A web site with an install script, one that fails, and error pages for all else."""

    def do_GET(self) -> None:
        pages = {"/get": SCRIPT, "/broken": "echo 'no package for you' >&2\nexit 3\n"}
        found = pages.get(self.path)
        body = (found or "touch /run/error-page-was-run\n").encode()
        self.send_response(200 if found else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def site(lab: Lab) -> Iterator[str]:
    """The address of that web site, reachable from the hosts."""
    server = ThreadingHTTPServer((lab.gateway, 0), _Net)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://{lab.gateway}:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_docker_is_installed_by_a_script(boot: Boot, site: str, tmp_path: Path) -> None:
    host = boot("scripted", engine="missing")
    provision(host, wishes(host, install_url=f"{site}/get"), image.USER)
    assert ask(host, tmp_path, "/_ping") == "OK"
    assert "DPkg::Lock::Timeout" in host.run("cat /run/apt-config-seen")
    assert host.run("ls /run/machine-install", check=False) == ""


def test_failures_of_the_script_say_why(boot: Boot, site: str) -> None:
    host = boot("unlucky", engine="missing")
    with pytest.raises(ProvisionError) as caught:
        provision(host, wishes(host, install_url=f"{site}/broken"))
    assert (caught.value.brief, caught.value.details) == ("failed to install Docker", "no package for you")
    with pytest.raises(ProvisionError) as caught:
        provision(host, wishes(host, install_url=f"{site}/error"))
    assert "503" in caught.value.details
    assert "--engine-install-url distro" in caught.value.resolution
    assert host.run("ls /run/error-page-was-run", check=False) == ""
    with pytest.raises(ProvisionError, match="says not to install it"):
        provision(host, wishes(host, install_url="none"))
    with pytest.raises(ProvisionError) as caught:  # nothing but the lab can be reached from there
        provision(host, wishes(host, install_url="https://get.docker.com"))
    assert caught.value.brief == "failed to fetch https://get.docker.com"
    assert "--engine-install-url distro" in caught.value.resolution


def test_a_busy_package_manager_is_waited_for(boot: Boot, tmp_path: Path) -> None:
    host = boot("busy", engine="missing")
    # A package whose installation takes its time holds dpkg's lock.
    host.run("mkdir -p /tmp/slow/DEBIAN && cat >/tmp/slow/DEBIAN/control", stdin=SLOW)
    host.run("cat >/tmp/slow/DEBIAN/postinst", stdin="#!/bin/sh\ntouch /run/slow-began\nsleep 6\n")
    host.run("cd /tmp && chmod 755 slow/DEBIAN/postinst && dpkg-deb -b slow")
    host.run(
        "(nohup apt-get install -y /tmp/slow.deb >/dev/null 2>&1 &); until [ -e /run/slow-began ]; do sleep 0.1; done"
    )
    provision(host, wishes(host))
    assert ask(host, tmp_path, "/_ping") == "OK"
    assert host.run("dpkg-query -W -f '${Version}' slow") == "1"


# struct flock of fcntl(2) on 64-bit Linux: apt's locks are of that kind, not flock(2)'s.
HOLD = """
use Fcntl;
open(my $lists, ">>", "/var/lib/apt/lists/lock");
my $whole = pack("s s x4 q q i", F_WRLCK, 0, 0, 0, 0);
fcntl($lists, F_SETLK, $whole) or die;
open(my $held, ">", "/run/held");
sleep 5;
"""


def test_what_keeps_docker_from_being_installed_is_named(boot: Boot, site: str, tmp_path: Path) -> None:
    """An interrupted dpkg, a read-only place; and a lock of apt's lists, which the script of the net meets too."""
    host = boot("hindered", engine="missing")
    host.run("mkdir -p /var/lib/dpkg/updates && touch /var/lib/dpkg/updates/0001")
    for url in ("distro", f"{site}/get"):
        with pytest.raises(ProvisionError) as caught:
            provision(host, wishes(host, install_url=url))
        assert "sudo dpkg --configure -a" in caught.value.resolution
    host.run("rm /var/lib/dpkg/updates/0001")
    renamed = wishes(Host("new-name", host.address, host.key, host.root))
    for place in ("/tmp", "/etc/systemd/system"):
        host.run(f"mount --bind {place} {place} && mount -o remount,bind,ro {place}")
        with pytest.raises(ProvisionError) as caught:
            provision(host, renamed)
        assert caught.value.brief == f"{place} on the machine cannot be written"
        assert host.run("hostname; cat /etc/hostname").split() == [host.name, host.name]
        host.run(f"umount {place}")
    host.run(
        f"(nohup perl -e '{HOLD}' >/dev/null 2>&1 &); timeout 20 sh -c 'until [ -e /run/held ]; do sleep 0.1; done'"
    )
    provision(host, wishes(host, install_url=f"{site}/get"))
    assert ask(host, tmp_path, "/_ping") == "OK"


def test_upgrade_moves_the_engine_and_keeps_containers(boot: Boot, tmp_path: Path) -> None:
    host = boot("old", engine="running")
    settled(host)
    spec = wishes(host)
    provision(host, spec)
    host.import_busybox()
    host.run("docker run -d --name stays busybox:lab sleep 3600")
    started = host.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' stays")
    publish_newer(host)
    before = host.main_pid()
    settings = host.run(f"cat {DAEMON_JSON}")
    with shell(host, image.USER) as connection:
        outcome = upgrade_engine(gather(connection, lambda _: None), connection, lambda _: None)
    assert outcome.after == outcome.before + "+lab1"
    assert outcome.restarted
    assert host.main_pid() not in (0, before)
    assert host.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' stays") == started
    assert ask(host, tmp_path, "/info")["LiveRestoreEnabled"] is False
    assert host.run(f"cat {DAEMON_JSON}") == settings
    assert provision(host, spec).executed == ()

    before = host.main_pid()
    with shell(host) as connection:
        outcome = upgrade_engine(gather(connection, lambda _: None), connection, lambda _: None)
    assert (outcome.changed, outcome.restarted, outcome.after) == ((), False, outcome.before)
    assert host.main_pid() == before
