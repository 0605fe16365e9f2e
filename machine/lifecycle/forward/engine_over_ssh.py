"""The machine's engine, asked through the ssh connection: what it runs, and a sign when that has changed."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from machine.engine.response import LARGEST_HEAD, NotHttp, Reply
from machine.errors import EngineError
from machine.lifecycle.forward.pump import pump
from machine.lifecycle.forward.tunnel import Tunnel

SECONDS = 20.0  # for an answer, and for the head of the stream of events
LARGEST_LIST = 32 << 20  # bytes; a container takes 1 to 2 KB
_EVENTS = quote(
    json.dumps(
        {
            "type": ["container", "service"],
            "event": ["start", "restart", "die", "destroy", "pause", "unpause", "create", "update", "remove"],
        }
    )
)


class EngineOverSsh:
    """The engine at `port` of the machine; `context` None means that it speaks plain HTTP."""

    def __init__(self, tunnel: Tunnel, port: int, context: ssl.SSLContext | None, server_name: str) -> None:
        self._tunnel, self._port, self._context, self._server_name = tunnel, port, context, server_name

    def containers(self) -> Any:
        """Return the running containers. Raises EngineError if the engine does not answer, or not sensibly."""
        return self._list("/containers/json", "containers")

    def services(self) -> Any:
        """Return the services of swarm mode, none of an engine that is no manager. Raises EngineError, too."""
        return self._list("/services", "services", optional=True)

    def _list(self, path: str, what: str, *, optional: bool = False) -> Any:
        """Return the answer to a request; `optional`: none where the engine says that it has no such thing."""
        deadline = time.monotonic() + SECONDS
        reply = Reply(LARGEST_LIST)
        try:
            with self._ask(path) as connection:
                while not reply.done:
                    connection.settimeout(max(deadline - time.monotonic(), 0.001))
                    reply.feed(connection.recv(65536))
            if reply.status != 200 and optional:
                return []
            if reply.status != 200:
                raise NotHttp(f"status {reply.status}")
            return json.loads(reply.body)
        except (OSError, ValueError, RecursionError) as error:
            raise EngineError(
                f"the engine of {self._tunnel.name} does not list its {what}",
                details=str(error)[:300],
                resolution=f"machine status {self._tunnel.name}",
            ) from error

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the engine tells of containers or services; ends with the connection.

        What it tells is not read: the list is asked for anew.
        """
        threading.Thread(target=self._watch, args=(changed,), daemon=True).start()

    def _watch(self, changed: Callable[[], None]) -> None:
        head = b""
        try:
            with self._ask(f"/events?filters={_EVENTS}") as connection:
                connection.settimeout(None)
                while block := connection.recv(65536):
                    if b"\r\n\r\n" not in head:
                        head += block
                        if len(head) > LARGEST_HEAD:
                            return
                    changed()
        except OSError:
            pass  # the connection has broken, which is noticed elsewhere
        finally:
            changed()

    def _ask(self, path: str) -> socket.socket:
        """Send a request and return the connection. Raises OSError."""
        near, far = socket.socketpair()
        channel = self._tunnel.open("127.0.0.1", self._port)
        threading.Thread(target=pump, args=(far, channel), daemon=True).start()
        near.settimeout(SECONDS)
        connection: socket.socket = near
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(near, server_hostname=self._server_name)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: machine\r\nConnection: close\r\n\r\n".encode())
        except BaseException:
            near.close()
            raise
        return connection
