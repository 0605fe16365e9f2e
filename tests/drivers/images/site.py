"""A real HTTP server with the layout of Debian's cloud images; it understands Range, and can cut a transfer short."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Site:
    """`files` maps a path to its bytes. `cut` is after how many bytes the next file transfer breaks off."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []  # (path, Range header)
        self.cut = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def publish(self, name: str, data: bytes) -> None:
        """An image in trixie/latest, with its line in SHA512SUMS."""
        directory = "/trixie/latest"
        self.files[f"{directory}/{name}"] = data
        line = f"{hashlib.sha512(data).hexdigest()}  {name}\n"
        self.files[f"{directory}/SHA512SUMS"] = self.files.get(f"{directory}/SHA512SUMS", b"") + line.encode()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range", "")
        self.asked.append((handler.path, wanted))
        data = self.files.get(handler.path)
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        if data is None or (start and start >= len(data)):
            handler.send_error(404 if data is None else 416)
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        body, cut = data[start:], self.cut
        if cut and not handler.path.endswith("SUMS"):
            self.cut = 0
            body = body[:cut]
        handler.wfile.write(body)
        handler.close_connection = True

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
