"""One engine and its API: each request has a connection and a deadline of its own."""

from __future__ import annotations

import json

from machine import hostport
from machine.engine import errors
from machine.engine.multi_request import PendingRequest, run_all
from machine.engine.response import LARGEST_BODY
from machine.engine.tls import Tls, context_of
from machine.errors import EngineError, EngineRefused, EngineUntrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NEWEST = (1, 52)  # the newest API this program asks for (Engine 29); an older engine is asked in its own
OLDEST = (1, 24)  # what dockerd itself has served as its oldest; who names an older one is no engine of today
LARGEST_ANSWER = 8 << 20  # bytes of an answer to anything but /_ping and /version: lists of nodes, a pull's progress
LONGEST_WORD = 128  # characters of a version; dockerd's have about 20
LONGEST_MESSAGE = 1000  # characters of an engine's own words in an error


class EngineClient:
    """One engine at tcp://host:port; `tls` None means plain http. `name` is the machine's, for advice.

    Every method raises EngineError (no sensible answer), EngineTimeout (none within `timeout` seconds, all in
    all), EngineUntrusted (TLS refused, by us or by it), EngineRefused (it says no) or CertificateError (our own files).
    """

    def __init__(self, host: str, port: int, tls: Tls | None = None, *, timeout: float = 3.0, name: str = "") -> None:
        self.host, self.port, self.tls, self.timeout, self.name = host, port, tls, timeout, name
        self._api = ""

    @property
    def url(self) -> str:
        return f"tcp://{hostport.join(self.host, self.port)}"

    def ping(self) -> str:
        """The engine's newest API version, such as "1.41"; proves that it answers and trusts us."""
        pending_request = self._ask("/_ping")
        return pending_request.reply.headers.get("api-version") or self.version()["ApiVersion"]

    def version(self) -> dict[str, Any]:
        """GET /version: Version, ApiVersion, MinAPIVersion, Os, Arch, ...; the first two are short texts."""
        return self._version_of(self._ask("/version"))

    def info(self) -> dict[str, Any]:
        """GET /info, in the negotiated version."""
        found = self.get("/info")
        if not isinstance(found, dict):
            raise self._not_an_engine("/info", found)
        return found

    def get(self, path: str) -> Any:
        """The JSON answer to a GET of `path` ("/info", "/containers/json?all=1"), in the negotiated version."""
        return self._json(self._ask(self._versioned(path), LARGEST_ANSWER))

    def post(self, path: str, content: object = None) -> Any:
        """The answer to a POST of `content` as JSON (None: no body): what its JSON says, None if it is empty.

        Small requests only, some kilobytes. EngineRefused carries the status and the engine's words.
        """
        return self._call("POST", path, None if content is None else json.dumps(content).encode())

    def delete(self, path: str) -> None:
        """DELETE `path`. Raises EngineRefused with status 404 if there is no such thing."""
        self._call("DELETE", path, None)

    def pull(self, image: str) -> None:
        """Have the engine fetch an image from its registry, within `timeout`. Raises EngineError if it could not."""
        from urllib.parse import quote

        exact = image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
        request = self._send("POST", f"/images/create?fromImage={quote(exact, safe='')}", None)
        for line in request.reply.body.decode("utf-8", "replace").splitlines():
            try:
                line_object = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(line_object, dict) and line_object.get("error"):
                raise EngineError(
                    f"the engine at {self.url} could not pull {image}",
                    details=str(line_object["error"])[:LONGEST_MESSAGE],
                    resolution="name an image that its registries have, or load it there first: docker load",
                )

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        request = self._send(method, path, body)
        return self._json(request) if request.reply.body.strip() else None

    def _send(self, method: str, path: str, body: bytes | None) -> PendingRequest:
        request = self.new_request(self._versioned(path), LARGEST_ANSWER)
        request.method = method
        request.body = b"" if body is None and method == "POST" else body
        run_all([request])
        self._check(request)
        return request

    def _versioned(self, path: str) -> str:
        if not self._api:
            self._api = _common_version(self.ping())
        return f"/v{self._api}{path}"

    def new_request(self, path: str, largest: int = LARGEST_BODY) -> PendingRequest:
        """Return a request to be run with `run_all`. Raises CertificateError if our files cannot be used.

        `largest`: how many bytes the answer's body may have.
        """
        context = None if self.tls is None else context_of(self.tls, self.name)
        return PendingRequest(self.host, self.port, context, path, self.timeout, largest=largest)

    def read_version(self, request: PendingRequest) -> dict[str, Any]:
        """Return the /version object in the reply to a request that was run, or raise the error that it ended with."""
        self._check(request)
        return self._version_of(request)

    def _version_of(self, request: PendingRequest) -> dict[str, Any]:
        """The /version object, its Version and ApiVersion being short texts. Raises EngineError if they are not."""
        found = self._object(request)
        for key in ("Version", "ApiVersion"):
            word = found.get(key)
            if not isinstance(word, str) or not 0 < len(word) <= LONGEST_WORD:
                raise self._not_an_engine(f"{key} of {request.path}", word)
        return found

    def _ask(self, path: str, largest: int = LARGEST_BODY) -> PendingRequest:
        request = self.new_request(path, largest)
        run_all([request])
        self._check(request)
        return request

    def _check(self, request: PendingRequest) -> None:
        if request.failure is not None:
            raise errors.explain(
                request.failure, request.phase, url=self.url, name=self.name, timeout=self.timeout
            ) from None
        reply = request.reply
        if 200 <= reply.status < 300:
            return
        text = reply.body.decode("utf-8", "replace").strip()
        if "HTTP request to an HTTPS server" in text:
            raise EngineUntrusted(
                f"the engine at {self.url} speaks TLS only, and it was asked without",
                resolution=f"machine regenerate-certs {self.name or 'NAME'}",
            )
        raise EngineRefused(
            f"the engine at {self.url} answered {reply.status} to {request.path}",
            status=reply.status,
            details=_message(text),
            resolution=f"look at its log: machine ssh {self.name or 'NAME'} sudo journalctl -u docker -n 50",
        )

    def _json(self, request: PendingRequest) -> Any:
        try:
            return json.loads(request.reply.body)
        except (ValueError, RecursionError):
            raise self._not_an_engine(request.path, request.reply.body[:60]) from None

    def _object(self, request: PendingRequest) -> dict[str, Any]:
        found = self._json(request)
        if not isinstance(found, dict):
            raise self._not_an_engine(request.path, found)
        return found

    def _not_an_engine(self, path: str, found: object) -> EngineError:
        return EngineError(
            f"what answers at {self.url} is not a Docker Engine",
            details=f"{path} is {str(found)[:60]}",
            resolution=errors.check_address(self.name),
        )


def _message(text: str) -> str:
    """An engine's own words out of the body of an error: its "message" if that is a text, else the beginning of it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    message = found.get("message") if isinstance(found, dict) else None
    return (message if isinstance(message, str) else text)[:LONGEST_MESSAGE]


def _common_version(engine_version: str) -> str:
    """The newest API version that the engine and this program know."""
    parts = engine_version.split(".")
    known = len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts)
    if not known or (int(parts[0]), int(parts[1])) < OLDEST:
        raise EngineError(
            f"the engine names its API version {engine_version[:40]!r}",
            details="versions from {}.{} on are known".format(*OLDEST),
            resolution="see that a Docker Engine of today listens there",
        )
    return "{}.{}".format(*min((int(parts[0]), int(parts[1])), NEWEST))
