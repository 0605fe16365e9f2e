"""`machine create` onto stock Debian in every state its Docker can be in, and a container through it.

docker-machine 0.16 fails in each of them: it writes a path of dockerd that Debian does not have, and wakes the old
unit by the socket while it works.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.e2e.hosts import IMAGE, docker, generic
from tests.labs.image import USER
from tests.labs.nspawn import ENGINES, Lab
from tests.program import Program
from tests.provision.hosts import Boot

pytestmark = pytest.mark.lab

SCRIPTS = {
    "/install": "set -e\napt-get update -q\napt-get install -y -q docker.io\n",
    "/fails": "echo 'this computer is too old for us' >&2\nexit 7\n",
}


class _Site(BaseHTTPRequestHandler):
    """A web site with an install script, as https://get.docker.com is one."""

    def do_GET(self) -> None:
        body = SCRIPTS.get(self.path, "not here").encode()
        self.send_response(200 if self.path in SCRIPTS else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[str]:
    """Its address, as the hosts see it."""
    server = ThreadingHTTPServer((lab.gateway, 0), _Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://{lab.gateway}:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker client")
# Every state with every user is in tests/provision/test_lab.py.
@pytest.mark.parametrize(("engine", "user"), list(zip(ENGINES, (USER, "root") * 2, strict=True)))
def test_create_and_run(boot: Boot, site: str, program: Program, engine: str, user: str) -> None:
    host = boot(f"{engine}-{user}", engine=engine)
    program(*generic(host, "--engine-install-url", f"{site}/install", user=user), "dev").fine()
    host.import_busybox(IMAGE)
    assert docker(program, "--context", "dev", "run", "--rm", IMAGE, "echo", "it runs").fine().out == "it runs\n"
    assert "Running" in program("ls", "dev").fine().out
    pid = host.main_pid()
    program("provision", "dev").fine()
    assert host.main_pid() == pid


def test_an_install_script_that_cannot_be_had(boot: Boot, site: str, program: Program) -> None:
    """Each failure says what was seen and what to type; a resume may take another source."""
    host = boot("nowhere", engine="missing")
    cases = {
        "https://get.docker.com": "could not resolve host",  # nothing but the lab can be reached from there
        f"{site}/gone": "404",
        f"{site}/fails": "this computer is too old for us",
        "http://127.0.0.1:9/": "connect",
    }
    line = generic(host)
    for url, seen in cases.items():
        told = program(*line, "--engine-install-url", url, "dev")
        assert told.status == 1, url
        assert seen in told.err.lower(), url
        assert "--engine-install-url distro" in told.err, url
        assert "machine create --resume dev" in told.err, url
        line = ["create", "--resume"]
    assert program("config", "dev").status == 1
    program("create", "--resume", "--engine-install-url", "distro", "dev").fine()
    program("config", "dev").fine()
