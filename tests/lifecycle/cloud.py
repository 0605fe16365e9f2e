"""The plain half of a driver for tests: all that it knows is a token."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from machine.drivers.base import Driver, DriverContext, Traits
from machine.model import Endpoint, Verb
from machine.options import Option, Values


class TokenDriver(Driver):
    """`data` is {"AccessToken": TOKEN} and what a subclass adds; the machines have no address."""

    traits: ClassVar[Traits] = Traits(
        name="cloud", options=(Option("cloud-token", env="CLOUD_TOKEN", secret=True, key="AccessToken"),)
    )

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, {"AccessToken": values["cloud-token"]})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, data)

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def endpoint(self) -> Endpoint | None:
        return None


class MadeDriver(TokenDriver):
    """A machine that is there and stays: only what a subclass says can be done with it."""

    def check(self) -> None:
        raise AssertionError("it is there")

    def create(self) -> None:
        raise AssertionError("it is there")

    def remove(self) -> None:
        raise AssertionError("it stays")

    def power(self, verb: Verb) -> None:
        raise AssertionError("it stays as it is")
