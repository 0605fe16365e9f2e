"""One HTTP exchange with a discovery service: asyncio and h11, a connection each. Whole answers, or line by line."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import h11

from machine.errors import masked
from machine.swarm import limits
from machine.swarm.http import os_errors
from machine.swarm.http.line_buffer import LineBuffer
from machine.swarm.parsing import request_json
from machine.swarm.printable import printable

LIMIT = limits.DISCOVERY_ANSWER
CHUNK = 65536
EXCERPT = 200  # bytes of an answer that a message shows


class DiscoveryError(Exception):
    """The discovery service cannot be reached, says no, or makes no sense; `resolution` says what to do."""

    resolution = "see the log of the service that was asked, and that it is the one that is meant"

    def __init__(self, text: str, resolution: str = "") -> None:
        """An error with `text`; without `resolution`, the one of the class."""
        super().__init__(text)
        self.resolution = resolution or self.resolution


class DiscoveryUrlError(DiscoveryError):
    """The URL of a discovery is none, or is written in another way."""

    resolution = "machine swarm help list shows how the URL of a discovery is written"


class DiscoveryRefused(DiscoveryError):
    """A request that changed nothing: there was no connection, or the answer was a status of 400 to 499."""


class Answer(NamedTuple):
    """Status, headers (names in lower case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises DiscoveryError if it is not."""
        try:
            return request_json.read(self.body)
        except request_json.BadJson as error:
            raise DiscoveryError(f"the discovery service's answer is not JSON: {error}") from error


@contextmanager
def understood(description: str) -> Iterator[None]:
    """Read an answer in the block: one of another shape than expected is a DiscoveryError that names `description`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DiscoveryError(
            f"{description} gave an answer of another shape: {printable(str(error))[:EXCERPT]}"
        ) from error


def excerpt(body: bytes) -> str:
    """The beginning of an answer, for a message: on one line."""
    return printable(body[:EXCERPT].decode("utf-8", "replace").strip()) or "nothing"


async def fetch(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    seconds: float = limits.DISCOVERY_SECONDS,
) -> Answer:
    """The answer to one request. Raises DiscoveryError if there is none within `seconds`, whatever the reason."""
    try:
        async with asyncio.timeout(seconds), _exchange(method, url, body, headers, tls) as (head, pieces):
            data = bytearray()
            async for piece in pieces:
                data += piece
                if len(data) > LIMIT:
                    raise DiscoveryError(f"{_mask_path(url)}: the answer has more than {LIMIT} bytes", _look_at(url))
            return Answer(head.status_code, {k.decode(): v.decode("latin-1") for k, v in head.headers}, bytes(data))
    except TimeoutError:
        raise DiscoveryError(f"{_mask_path(url)} did not answer within {seconds:g} s", _look_at(url)) from None


async def lines(method: str, url: str, body: bytes, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[bytes]:
    """The lines of an answer that goes on, as they come. Raises DiscoveryError if it is an error or breaks."""
    async with _exchange(method, url, body, None, tls) as (head, pieces):
        buffer = LineBuffer()
        async for piece in pieces:
            whole = buffer.feed(piece)
            if head.status_code >= 300 or len(buffer) > LIMIT:
                raise DiscoveryError(f"{_mask_path(url)} answered {head.status_code}: {excerpt(piece)}")
            for line in whole:
                if line.strip():
                    yield line


@asynccontextmanager
async def _exchange(
    method: str, url: str, body: bytes, headers: Mapping[str, str] | None, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[h11.Response, AsyncIterator[bytes]]]:
    writer = None
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        context = (tls or ssl.create_default_context()) if secure else None
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        wire = h11.Connection(h11.CLIENT)
        fields = [
            ("host", parts.netloc.rpartition("@")[2]),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = h11.Request(method=method, target=target, headers=[*fields, *(headers or {}).items()])
        writer.write((wire.send(request) or b"") + (wire.send(h11.Data(data=body)) or b""))
        writer.write(wire.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        for _ in range(limits.ENGINE_INFORMATIONAL):
            head = await _event(wire, reader)
            if not isinstance(head, h11.InformationalResponse):
                break
        if not isinstance(head, h11.Response):
            raise DiscoveryError(f"{_mask_path(url)} closed the connection without an answer", _look_at(url))
        yield head, _pieces(wire, reader)
    except ssl.SSLCertVerificationError as error:
        raise DiscoveryError(
            f"{_mask_path(url)}: its certificate is not accepted: {error.verify_message}; "
            "name its CA with --discovery-opt kv.cacertfile=PATH",
            _look_at(url),
        ) from error
    except (OSError, h11.ProtocolError, ValueError) as error:
        if isinstance(error, TimeoutError):
            raise
        kind = DiscoveryError if writer else DiscoveryRefused
        raise kind(f"{_mask_path(url)} cannot be reached: {os_errors.describe(error)}", _look_at(url)) from error
    finally:
        if writer is not None:
            writer.close()


def _look_at(url: str) -> str:
    """Return the command that shows what there is at a service's address."""
    scheme, _, rest = _mask_path(url).partition("://")
    return f"curl -v {scheme}://{rest.rpartition('@')[2]} shows what answers there"


async def _event(wire: h11.Connection, reader: asyncio.StreamReader) -> Any:
    while (event := wire.next_event()) is h11.NEED_DATA:
        wire.receive_data(await reader.read(CHUNK))
    return event


async def _pieces(wire: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while isinstance(event := await _event(wire, reader), h11.Data):
        yield bytes(event.data)


def _mask_path(url: str) -> str:
    """The URL up to its path: a token is a secret of sorts, so that it is not in a log."""
    return masked(url.partition("://")[0] + "://" + url.partition("://")[2].partition("/")[0])
