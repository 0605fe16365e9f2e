"""A TLS server on loopback that answers as a Docker Engine does to `docker version`: real sockets, real handshakes."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certs

VERSION = {
    "Version": "27.9.9",
    "ApiVersion": "1.47",
    "MinAPIVersion": "1.24",
    "GitCommit": "x",
    "GoVersion": "go1.22",
    "Os": "linux",
    "Arch": "amd64",
    "KernelVersion": "6.1",
}


class Handler(BaseHTTPRequestHandler):
    """`/_ping` and `/version`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        ping = self.path.endswith("_ping")
        body = b"OK" if ping else json.dumps(VERSION).encode()
        self.send_response(200)
        self.send_header("Api-Version", VERSION["ApiVersion"])
        self.send_header("Content-Type", "text/plain" if ping else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class QuietServer(ThreadingHTTPServer):
    """Says nothing of connections that were not trusted."""

    def handle_error(self, request: object, client_address: object) -> None: ...


@contextmanager
def fake_engine(directory: Path, server: certs.Pair, client_ca: bytes) -> Iterator[int]:
    """Serve on 127.0.0.1 with `server`'s certificate, to clients of `client_ca` only; yields the port."""
    directory.mkdir(mode=0o700)
    cert, key = directory / "server.pem", directory / "server-key.pem"
    cert.write_bytes(server.cert)
    key.touch(0o600)
    key.write_bytes(server.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cadata=client_ca.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    with QuietServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield httpd.server_port
        finally:
            httpd.shutdown()
            thread.join()
