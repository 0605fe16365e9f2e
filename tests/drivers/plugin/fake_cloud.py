"""The service that the plugin testcloud rents servers from: HTTP with a token, and what is rented at the moment."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "t0ken-of-the-account"


@dataclass
class Server:
    """One that is rented."""

    id: int
    asked: dict[str, Any]  # name, key, size, tags, note
    state: str = "starting"
    address: str = "127.0.0.1"
    port: int = 22
    user: str = "root"


@dataclass
class Cloud:
    """Running until `close`. `boot` is called with a new server and brings it up; `held` servers stay in starting."""

    boot: Callable[[Server], None] = lambda server: None
    held: bool = False
    full: bool = False
    servers: dict[int, Server] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        cloud = self
        numbers = itertools.count(1 << 40)  # more than 32 bits, as some clouds have them

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cloud.answer(self, numbers)

            do_POST = do_DELETE = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self.web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.web.daemon_threads = True
        self.thread = threading.Thread(target=self.web.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.web.server_port}"

    def options(self) -> list[str]:
        """The flags of a create, the token apart."""
        return ["-d", "testcloud", "--testcloud-endpoint", self.url]

    def answer(self, handler: BaseHTTPRequestHandler, numbers: Any) -> None:
        """One request."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.asked.append(f"{handler.command} {handler.path}")
        status, found = self.act(handler.headers.get("Authorization"), handler.command, handler.path, body, numbers)
        data = json.dumps(found).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def act(self, token: str | None, command: str, path: str, body: bytes, numbers: Any) -> tuple[int, Any]:
        """Status and answer."""
        if token != f"Bearer {TOKEN}":
            return 401, {}
        words = path.strip("/").split("/")
        if words == ["account"]:
            return 200, {}
        if words == ["servers"] and command == "POST":
            if self.full:
                return 503, {}
            server = Server(next(numbers), json.loads(body))
            self.servers[server.id] = server
            if not self.held:
                self.boot(server)
                server.state = "running"
            return 201, self.shown(server)
        found = self.servers.get(int(words[1]))
        if found is None:
            return 404, {}
        if command == "DELETE":
            del self.servers[found.id]
        elif command == "POST":
            found.state = {"start": "running", "stop": "stopped"}[words[2]]
        return 200, self.shown(found)

    def shown(self, server: Server) -> dict[str, Any]:
        """What the plugin gets to know."""
        return {name: getattr(server, name) for name in ("id", "state", "address", "port", "user")}

    def release(self) -> None:
        """Let the held servers come up."""
        self.held = False
        for server in list(self.servers.values()):
            self.boot(server)
            server.state = "running"

    def close(self) -> None:
        self.web.shutdown()
        self.web.server_close()
        self.thread.join()
