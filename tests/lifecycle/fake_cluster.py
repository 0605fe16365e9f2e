"""Engines on loopback, behind real TLS, that know of one cluster: enough of /swarm and /nodes for one node or two."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import certs

CA = certs.make_ca("me")
CLIENT = certs.make_client(CA, "me")
SERVER = certs.make_server(CA, "me.node", ["127.0.0.1"])


class Node:
    """One engine: what it is in which cluster. `rows` are the cluster's, shared by all of its engines."""

    def __init__(self, name: str, rows: dict[str, dict[str, Any]]) -> None:
        self.name, self.rows = name, rows
        self.id = self.cluster = ""
        self.port = 0
        self.stubborn = False  # a manager that the others do not let go
        self.dies_at = ""  # the request at which it ends, such as "GET /nodes"
        self.asked: list[str] = []

    def enter(self, role: str, cluster: str = "old") -> None:
        """Be a member."""
        self.id, self.cluster = f"id-{self.name}-{cluster}", cluster
        row = {"ID": self.id, "Version": {"Index": 1}, "Spec": {"Role": role, "Availability": "active"}}
        row |= {"Status": {"State": "ready", "Addr": "127.0.0.1"}, "Description": {"Hostname": self.name}}
        row |= {"ManagerStatus": {"Reachability": "reachable"}} if role == "manager" else {}
        self.rows[self.id] = row

    @property
    def manages(self) -> bool:
        """Whether it answers for the cluster."""
        return "ManagerStatus" in self.rows.get(self.id, {})

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and content."""
        self.asked.append(f"{method} {path}")
        if path == "/info":
            cluster = {"Cluster": {"ID": self.cluster}} if self.manages else {}
            state = "active" if self.id else "inactive"
            return 200, {
                "Swarm": {"LocalNodeState": state, "NodeID": self.id} | {"ControlAvailable": self.manages} | cluster
            }
        if path == "/swarm/init":
            self.rows.clear()
            self.enter("manager", "new")
        elif path.startswith("/swarm/leave"):
            self.rows.get(self.id, {}).pop("ManagerStatus", None)
            self.id = self.cluster = ""
        elif not self.manages:
            return 503, {"message": "This node is not a swarm manager."}
        elif path == "/swarm":
            return 200, {"ID": self.cluster}
        elif path == "/swarm/unlockkey":
            return 200, {"UnlockKey": ""}
        else:
            return (200, []) if path.startswith("/tasks") else self.of_nodes(method, path, body)
        return 200, None

    def of_nodes(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The list, one row, a change of one, its end."""
        found = path.partition("?")[0].split("/")[2:3]
        if not found:
            return 200, list(self.rows.values())
        if method == "GET":
            return 200, self.rows[found[0]]
        if method == "DELETE":
            self.rows.pop(found[0])
        else:
            self.rows[found[0]]["Spec"] = body
            if body["Role"] == "worker" and not self.stubborn:
                self.rows[found[0]].pop("ManagerStatus", None)
        return 200, None


def _handler(node: Node) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Any method."""
            path = self.path.partition("/v1.47")[2] or self.path
            if f"{self.command} {path}" == node.dies_at:
                node.dies_at = ""
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            ping = path == "/_ping"
            status, said = (200, "OK") if ping else node.answer(self.command, path, json.loads(body or b"{}"))
            content = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Api-Version", "1.47")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler


@contextmanager
def serving(node: Node, directory: Path) -> Iterator[None]:
    """The engine answers at 127.0.0.1, port `node.port`; `directory` gets the files that a client needs."""
    for file, content in (("ca.pem", CA.cert), ("cert.pem", CLIENT.cert), ("key.pem", CLIENT.key)):
        (directory / file).write_bytes(content)
    for file, content in (("server.pem", SERVER.cert), ("server-key.pem", SERVER.key)):
        (directory / file).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server-key.pem")
    context.load_verify_locations(cadata=CA.cert.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(node)) as httpd:
        httpd.daemon_threads = True
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        node.port = httpd.server_port
        try:
            yield
        finally:
            httpd.shutdown()
            thread.join()
