"""An HTTP proxy between a program and a cloud's API that records every call and can make it fail.

    proxy = FaultProxy("http://127.0.0.1:5000", naming)
    proxy.on("RunInstances", drop_answer, times=1)  # done over there, the answer never arrives
    proxy.on(None, answer(503, b"..."), times=3)    # whatever is called next
    proxy.calls                                     # all of them, in order

Rules are asked in the order of their making; without one a call goes through as it is.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Call:
    """One request as it arrived; `name` is what the API calls it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    name: str = ""


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Act = Callable[["FaultProxy", Call], Answer | None]  # None: the connection is closed without an answer


def pass_through(proxy: FaultProxy, call: Call) -> Answer | None:
    """Pass the call on, and the answer back, unchanged."""
    return proxy.forward(call)


def drop_answer(proxy: FaultProxy, call: Call) -> Answer | None:
    """Pass the call on and close the connection without its answer."""
    proxy.forward(call)
    return None


def hang(proxy: FaultProxy, call: Call) -> Answer | None:
    """Neither pass the call on nor answer it, until the proxy is closed."""
    proxy.closed.wait(600)
    return None


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Act:
    """Answer with this status, body and headers, and pass nothing on."""
    return lambda proxy, call: Answer(status, body, headers or {})


def reply_with(found: Answer) -> Act:
    """Answer with `found`, and pass nothing on."""
    return lambda proxy, call: found


def delay(seconds: float) -> Act:
    """Pass the call on `seconds` later."""

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        time.sleep(seconds)
        return proxy.forward(call)

    return act


def before_answer(then: Callable[[], None]) -> Act:
    """Pass the call on, and run `then` before its answer goes back."""

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        found = proxy.forward(call)
        then()
        return found

    return act


@dataclass
class _Rule:
    matches: Callable[[Call], bool]
    act: Act
    left: float


class FaultProxy:
    """Listening on loopback until `close`. `tls` is (certificate file, key file) for a cloud that wants https.

    An answer takes 40 ms more on a connection that is kept, as its body waits until its headers are acknowledged;
    `at_once` is for stand-ins in which nothing depends on time.
    """

    def __init__(
        self,
        upstream: str,
        naming: Callable[[Call], str],
        tls: tuple[str, str] | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        self.upstream = urllib.parse.urlsplit(upstream)
        self.naming = naming
        self.at_once = at_once
        self.calls: list[Call] = []
        self.closed = threading.Event()
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.server.block_on_close = False
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def on(self, what: str | Callable[[Call], bool] | None, act: Act, *, times: float = float("inf")) -> None:
        """Do `act` to the calls of that name (None: all), the first `times` of them."""
        if callable(what):
            matches = what
        elif what is None:
            matches = _any
        else:
            matches = _named(what)
        with self._lock:
            self._rules.append(_Rule(matches, act, times))

    def clear(self) -> None:
        """No rules and no calls."""
        with self._lock:
            self._rules.clear()
            self.calls.clear()

    def names(self) -> list[str]:
        """What was called, in order."""
        with self._lock:
            return [call.name for call in self.calls]

    def close(self) -> None:
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(10)

    def handle_call(self, call: Call) -> Answer | None:
        """Record the call and do what the first rule that matches it says."""
        with self._lock:
            self.calls.append(call)
            rule = next((rule for rule in self._rules if rule.left > 0 and rule.matches(call)), None)
            if rule is not None:
                rule.left -= 1
        return rule.act(self, call) if rule is not None else self.forward(call)

    def forward(self, call: Call) -> Answer:
        """The answer of the cloud's API to the call."""
        link = http.client.HTTPConnection(str(self.upstream.hostname), self.upstream.port or 80, timeout=60)
        try:
            kept = {key: value for key, value in call.headers.items() if key.lower() not in HOP}
            link.request(call.method, call.path, body=call.body, headers=kept)
            found = link.getresponse()
            headers = {key: value for key, value in found.getheaders() if key.lower() not in HOP}
            return Answer(found.status, found.read(), headers)
        finally:
            link.close()


def _any(call: Call) -> bool:
    return True


def _named(name: str) -> Callable[[Call], bool]:
    return lambda call: call.name == name


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = proxy.at_once

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            call = Call(self.command, self.path, dict(self.headers.items()), body)
            call = Call(call.method, call.path, call.headers, call.body, proxy.naming(call))
            found = proxy.handle_call(call)
            if found is None:
                self.close_connection = True
                return
            with contextlib.suppress(OSError):  # whoever asked may be dead by now
                self.send_response(found.status)
                for key, value in found.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(found.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any

        def log_message(self, *parts: Any) -> None:
            return

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

    return Handler
