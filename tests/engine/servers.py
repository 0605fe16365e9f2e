"""Servers that stand where an engine should: TLS or not, answering, mute or rude. For the error cases."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import certs
from machine.engine import Tls

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64"}


class Files:
    """A CA with a client and a server pair in files, as a store has them."""

    def __init__(self, directory: Path, names: tuple[str, ...] = ("127.0.0.1", "::1", "localhost")) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.authority = certs.make_ca("test", now=datetime.now(UTC) - timedelta(days=500))
        self.ca = self._write("ca.pem", self.authority.cert)
        self.server = self._pair("server", certs.make_server(self.authority, "test.dev", names))
        self.tls = self.client("client", certs.make_client(self.authority, "test"))

    def client(self, name: str, pair: certs.Pair) -> Tls:
        return Tls(self.ca, *self._pair(name, pair))

    def expired(self) -> Tls:
        long_ago = datetime.now(UTC) - timedelta(days=400)
        return self.client("old-client", certs.make_client(self.authority, "test", now=long_ago, days=30))

    def old_server(self) -> tuple[str, str]:
        long_ago = datetime.now(UTC) - timedelta(days=400)
        pair = certs.make_server(self.authority, "test.dev", ("127.0.0.1",), now=long_ago, days=30)
        return self._pair("old-server", pair)

    def future_server(self) -> tuple[str, str]:
        later = datetime.now(UTC) + timedelta(days=30)
        return self._pair("new-server", certs.make_server(self.authority, "t", ("127.0.0.1",), now=later, days=30))

    def server_for(self, *names: str) -> tuple[str, str]:
        return self._pair("named-server", certs.make_server(self.authority, "test.dev", names))

    def _pair(self, name: str, pair: certs.Pair) -> tuple[str, str]:
        return self._write(f"{name}.pem", pair.cert), self._write(f"{name}-key.pem", pair.key)

    def _write(self, name: str, content: bytes) -> str:
        (self.directory / name).write_bytes(content)
        return str(self.directory / name)


def server_context(pair: tuple[str, str], ca: str) -> ssl.SSLContext:
    """Like dockerd's --tlsverify: a client certificate of this CA or nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def respond(path: str) -> bytes:
    """An engine's answers; the bodies of /version come in chunks, as Go sends long ones."""
    if path == "/_ping":
        return b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"
    if path.endswith("/info"):
        body = json.dumps({"asked": path}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    if path == "/version":
        body = json.dumps(VERSION).encode()
        parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:]))
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"
    body = b'{"message":"page not found"}'
    return b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@contextmanager
def serving(
    context: ssl.SSLContext | None, answer: Any = respond, address: str = "127.0.0.1", family: int = socket.AF_INET
) -> Iterator[int]:
    """A server on a free port. `answer` is path -> bytes, or a callable of (socket) that says True to `raw`."""
    with socket.create_server((address, 0), family=family) as listener:
        stop = threading.Event()

        def one(peer: socket.socket) -> None:
            try:
                if context is not None:
                    peer = context.wrap_socket(peer, server_side=True)
                if getattr(answer, "raw", False):
                    answer(peer)
                    return
                request = b""
                while b"\r\n\r\n" not in request:
                    data = peer.recv(4096)
                    if not data:
                        return
                    request += data
                peer.sendall(answer(request.split()[1].decode()))
            except OSError:
                return
            finally:
                peer.close()

        def accept() -> None:
            while not stop.is_set():
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(peer,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)


def raw(answer: Any) -> Any:
    """Mark a handler that takes the socket itself."""
    answer.raw = True
    return answer


@contextmanager
def blackhole() -> Iterator[int]:
    """A port where connections never open: its queue is full, so SYNs are dropped."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        try:
            yield port
        finally:
            for filler in fillers:
                filler.close()
