"""Values of flags that mean the same for all clouds: ports, networks, paths. Only `absolute` asks the system."""

from __future__ import annotations

import os
from dataclasses import dataclass

from machine.drivers import ports
from machine.errors import UsageError


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags `--DRIVER-...` of one driver."""

    driver: str

    def wrong(self, flag: str, value: object, wanted: str) -> UsageError:
        """The error for a value that a flag (without `--DRIVER-`) cannot have; `wanted` completes "give ..."."""
        return UsageError(f"--{self.driver}-{flag} cannot be {value!r}", resolution=f"give {wanted}")

    def port(self, text: str) -> str:
        """`text` as it is, if ports.parse can read it; UsageError."""
        try:
            ports.parse(text)
        except ValueError:
            raise self.wrong("open-port", text, "PORT, PORT/udp or FIRST-LAST") from None
        return text

    def network(self, text: str, flag: str = "allow-from") -> str:
        """A CIDR in its canonical spelling; UsageError."""
        try:
            return ports.network(text)
        except ValueError:
            raise self.wrong(flag, text, "a network such as 203.0.113.0/24") from None


def absolute(path: str) -> str:
    """A path that means the same from everywhere, ~ included; "" stays empty."""
    return os.path.abspath(os.path.expanduser(path)) if path else ""
