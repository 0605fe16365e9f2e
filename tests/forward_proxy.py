"""A real HTTP proxy on loopback: it forwards, tunnels (CONNECT), asks for a password, and keeps a list."""

from __future__ import annotations

import base64
import select
import socket
import threading
import urllib.parse
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ForwardProxy:
    """Serves at `url` until `close`; `asked` are "METHOD TARGET" of what was let through, `refused` of what was not."""

    def __init__(self, account: str = "") -> None:
        self.account = account
        self.asked: list[str] = []
        self.refused: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        at = f"{self.account}@" if self.account else ""
        return f"http://{at}127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: ForwardProxy
    timeout = 60

    def _allowed(self) -> bool:
        line, account = f"{self.command} {self.path}", self.proxy.account
        said = self.headers.get("Proxy-Authorization", "")
        if account and said != "Basic " + base64.b64encode(urllib.parse.unquote(account).encode()).decode():
            self.proxy.refused.append(line)
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        self.proxy.asked.append(line)
        return True

    def do_CONNECT(self) -> None:
        if not self._allowed():
            return
        host, _, port = self.path.rpartition(":")
        try:
            far = socket.create_connection((host.strip("[]"), int(port)), 20)
        except OSError:
            self.send_error(502)
            return
        with far:
            self.send_response(200)
            self.end_headers()
            _relay(self.connection, far)
        self.close_connection = True

    def do_GET(self) -> None:
        if not self._allowed():
            return
        parts = urllib.parse.urlsplit(self.path)
        self.close_connection = True
        try:
            far = socket.create_connection((parts.hostname or "", parts.port or 80), 20)
        except OSError:
            self.send_error(502)
            return
        with far:
            kept = [(key, value) for key, value in self.headers.items() if key.lower() not in _OWN]
            head = "".join(f"{key}: {value}\r\n" for key, value in kept)
            path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            far.sendall(f"{self.command} {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            _relay(self.connection, far)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: `asked` is the log."""


_OWN = ("proxy-authorization", "proxy-connection", "connection")


def _relay(near: socket.socket, far: socket.socket) -> None:
    """Pass bytes on in both directions until one side has ended, or nothing came for a minute."""
    with suppress(OSError):
        while True:
            ready, _, _ = select.select([near, far], [], [], 60)
            if not ready:
                return
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                (far if one is near else near).sendall(data)
