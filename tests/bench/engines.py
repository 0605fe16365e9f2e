"""A hundred engines on loopback, some of which refuse or swallow connections: `python -m tests.bench.engines SPEC`.

SPEC is a file with a JSON object: `answering`, a list of {"address", "pair"} (PEM of certificate and key: each engine
has its own, as machines do), `silent`, a list of addresses, `ca`, a path, and `port`. All addresses are of 127.0.0.0/8
and the port is the same for all, so that any client finds an engine where it expects one. Prints a line when it
listens; ends with its standard input. At an address of neither list nothing listens: it refuses.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from tests.fake_engine import VERSION


def main(path: str) -> None:
    """Serve until standard input ends."""
    spec = json.loads(Path(path).read_text())
    held = [part for address in spec["silent"] for part in silent(address, spec["port"])]
    asyncio.run(serve(spec))
    for part in held:
        part.close()


async def serve(spec: dict[str, Any]) -> None:
    """A server for each address; back when standard input ends."""
    for one in spec["answering"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(one["pair"])
        context.load_verify_locations(spec["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
        await asyncio.start_server(answer, one["address"], spec["port"], ssl=context)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """/_ping and /version, in any version of the API, one after the other on one connection."""
    body = json.dumps(VERSION).encode()
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            reply = b"OK" if b"_ping" in head.split(b"\r\n")[0] else body
            kind = b"text/plain" if reply == b"OK" else b"application/json"
            writer.write(
                b"HTTP/1.1 200 OK\r\nApi-Version: 1.47\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (kind, len(reply), reply)
            )
            await writer.drain()
            if b"connection: close" in head.lower():
                break
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


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
