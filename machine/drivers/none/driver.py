"""Driver none: an engine known by its URL. There is nothing to log in to, to provision or to switch on."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from machine.dial import dial
from machine.drivers.base import Driver, DriverContext, Traits
from machine.errors import UsageError, masked
from machine.model import Endpoint, State
from machine.options import Option, Values

PROBE_SECONDS = 3.0


class NoneDriver(Driver):
    """A machine that is only a URL."""

    traits: ClassVar[Traits] = Traits(
        name="none",
        options=(Option("url", help="URL of the engine, such as tcp://10.0.0.5:2376 (required)"),),
        summary="an engine known by its URL",
        needs="--url",
        has_host=False,
    )

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        url = str(values["url"]).strip()
        if not url:
            raise UsageError("the driver none needs the engine's URL", resolution="add --url tcp://ADDRESS:2376")
        if "://" not in url:  # a bare address is what some of docker-machine's callers give
            url = f"tcp://{url}"
            url += "" if _has_port(url) else ":2376"
        parts = urlsplit(url)
        try:
            valid = parts.scheme in ("tcp", "https", "http") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise UsageError(
                f"{masked(url)!r} is not the URL of an engine", resolution="write it as tcp://ADDRESS:PORT"
            )
        if "@" in parts.netloc:  # the docker client knows none, and the URL is shown by ls, env and logs
            raise UsageError(
                f"the engine's URL {masked(url)!r} has a user or a password, which the docker client does not take",
                resolution="leave it out: tcp://ADDRESS:PORT; an engine knows its clients by their certificates",
            )
        return cls(ctx, {"URL": url, "IPAddress": parts.netloc})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, dict(data))

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def check(self) -> None:
        """Nothing is made and nothing is asked: the engine may be switched on later."""

    def create(self) -> None:
        self.ctx.save(self)

    def state(self) -> State:
        where = self.endpoint()
        try:
            with dial(where.address, where.engine_port, PROBE_SECONDS):
                return State.RUNNING
        except TimeoutError:
            return State.TIMEOUT
        except OSError:
            return State.STOPPED

    def endpoint(self) -> Endpoint:
        parts = urlsplit(str(self.data.get("URL", "")))
        port = parts.port or 2376
        return Endpoint(address=parts.hostname or "", engine_port=port, listen_port=port)

    def remove(self) -> None:
        """The engine is not ours: only the record goes, which the caller removes."""


def _has_port(url: str) -> bool:
    """Whether the URL names a port; True for one that makes no sense, which is refused elsewhere."""
    try:
        return urlsplit(url).port is not None
    except ValueError:
        return True
