"""A hundred engines on loopback, some of which refuse or swallow connections: `python -m tests.bench.engines SPEC`.

SPEC is a file with a JSON object: `answering`, a list of {"address", "pair"} (PEM of certificate and key: each engine
has its own, as machines do), `silent`, a list of addresses, `ca`, a path, and `port`. All addresses are of 127.0.0.0/8
and the port is the same for all, so that any client finds an engine where it expects one. Prints a line when it
listens; ends with its standard input. At an address of neither list nothing listens: it refuses.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import threading
from pathlib import Path

from tests.fake_engine import VERSION


def main(path: str) -> None:
    """Serve until standard input ends. A thread with a plain socket for each connection."""
    spec = json.loads(Path(path).read_text())
    held = [part for address in spec["silent"] for part in silent(address, spec["port"])]
    listeners = selectors.DefaultSelector()
    for one in spec["answering"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(one["pair"])
        context.load_verify_locations(spec["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
        listener = socket.create_server((one["address"], spec["port"]), backlog=64)
        listeners.register(listener, selectors.EVENT_READ, context)
    listeners.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in listeners.select():
            if key.fileobj is sys.stdin:
                for part in held:
                    part.close()
                return
            assert isinstance(key.fileobj, socket.socket)
            peer, _ = key.fileobj.accept()
            threading.Thread(target=answer, args=(peer, key.data), daemon=True).start()


def answer(peer: socket.socket, context: ssl.SSLContext) -> None:
    """/_ping and /version, in any version of the API, one after the other on one connection."""
    peer.settimeout(30)
    try:
        with context.wrap_socket(peer, server_side=True) as link:
            for head in iter(lambda: request(link), b""):
                ping = b"_ping" in head.split(b"\r\n")[0]
                body = b"OK" if ping else json.dumps(VERSION).encode()
                kind = b"text/plain" if ping else b"application/json"
                lengths = b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
                link.sendall(b"HTTP/1.1 200 OK\r\nApi-Version: 1.47\r\n" + lengths + body)
                if b"connection: close" in head.lower():
                    return
    except OSError:
        return  # a client that hung up
    finally:
        peer.close()


def request(link: ssl.SSLSocket) -> bytes:
    """The head of the next request, b"" at the end; none of ours has a body."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = link.recv(4096)
        if not data:
            return b""
        head += data
    return head


def silent(address: str, port: int) -> list[socket.socket]:
    """A listener whose queue is full, so that whoever connects next gets no answer at all, as behind a firewall."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex((address, port))
    return [listener, *fillers]


if __name__ == "__main__":
    main(sys.argv[1])
