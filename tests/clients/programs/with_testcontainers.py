"""What people do with testcontainers. Arguments: labels as JSON, and a directory with a compose file. Prints JSON."""

from __future__ import annotations

import json
import sys
import time
import urllib.request

from testcontainers.compose import DockerCompose
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import wait_for_logs

SERVER = "sh -c 'mkdir /www && echo hello > /www/index.html && echo ready && exec httpd -f -p 8000 -h /www'"


def fetched(host: str, port: int) -> str:
    """What the web server says, within 30 s: "ready" is printed before it listens."""
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/index.html", timeout=30) as answer:
                return str(answer.read().decode()).strip()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def use(labels: dict[str, str], place: str) -> dict[str, object]:
    """Run the usual things; what was seen."""
    seen: dict[str, object] = {}
    server = DockerContainer("busybox", labels=labels).with_command(SERVER).with_exposed_ports(8000)
    with server as one:
        wait_for_logs(one, "ready", timeout=30)
        node = one.get_wrapped_container().attrs.get("Node")
        if node and not testcontainers_config.tc_host_override:
            testcontainers_config.tc_host_override = node["IP"]
        address = one.get_container_host_ip()
        seen["fetched"] = fetched(address, int(one.get_exposed_port(8000)))
        done = one.exec(["sh", "-c", "echo inside; exit 4"])
        seen["exec"] = [done.exit_code, done.output.decode()]
        seen["logs"] = [part.decode().strip() for part in one.get_logs()]
    with Network() as network:
        first = DockerContainer("busybox", labels=labels).with_command(SERVER)
        second = DockerContainer("busybox", labels=labels).with_command("sleep 1000")
        with first.with_network(network).with_network_aliases("server") as one, second.with_network(network) as two:
            wait_for_logs(one, "ready", timeout=30)
            seen["alias"] = two.exec(["wget", "-qO-", "http://server:8000/index.html"]).output.decode()
    with DockerCompose(place, compose_file_name="compose.yaml", docker_command_path="docker") as project:
        out, _, code = project.exec_in_container(["echo", "in a service"], "web")
        seen["compose"] = [out.strip(), code]
        host, port = project.get_service_host_and_port("web", 8000)
        # an engine says "every address"; a manager and an aggregate say which one it is
        seen["service"] = fetched(address if host in ("0.0.0.0", "::", "localhost") else host, int(port))
    return seen


if __name__ == "__main__":
    print(json.dumps(use(json.loads(sys.argv[1]), sys.argv[2])))
