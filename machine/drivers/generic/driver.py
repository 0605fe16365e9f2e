"""Driver generic: a host that exists already; it is adopted, never created, stopped or destroyed.

Nothing that the host holds is touched: removing the machine forgets it, and the host goes on.
"""

from __future__ import annotations

import os
import socket
from typing import Any, ClassVar, Self

from machine.dial import dial
from machine.drivers.base import Driver, DriverContext, Traits
from machine.errors import PreflightFailed, UsageError
from machine.model import Endpoint, State
from machine.options import Option, Values

PROBE_SECONDS = 3.0


OPTIONS = (
    Option("generic-ip-address", env="GENERIC_IP_ADDRESS", help="address or host name of the host (required)"),
    Option("generic-ssh-user", env="GENERIC_SSH_USER", default="root", help="login; needs root or sudo rights"),
    Option("generic-ssh-key", env="GENERIC_SSH_KEY", help="private key; empty: the keys of the ssh-agent"),
    Option("generic-ssh-port", "int", env="GENERIC_SSH_PORT", default=22, help="port of its sshd"),
    Option("generic-engine-port", "int", env="GENERIC_ENGINE_PORT", default=2376, help="port for its engine"),
)


class GenericDriver(Driver):
    """A machine that is only an address, a user and a key."""

    traits: ClassVar[Traits] = Traits(
        name="generic",
        options=OPTIONS,
        summary="any host that answers ssh, taken over as it is",
        needs="--generic-ip-address; an ssh key that may become root there",
        restart_over_ssh=True,
        existing_host=True,
        boot_timeout=60.0,
    )

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        address = str(values["generic-ip-address"]).strip()
        if not address:
            raise UsageError(
                "the driver generic needs the host's address", resolution="add --generic-ip-address ADDRESS"
            )
        from machine.drivers.cloud.flags import DriverFlags  # here, for `status` loads this module and reads no flags

        address = DriverFlags("generic").address("ip-address", address, "ssh-user", "ssh-port")
        for flag in ("generic-ssh-port", "generic-engine-port"):
            if not 0 < values[flag] < 65536:
                raise UsageError(f"--{flag} must be between 1 and 65535, not {values[flag]}")
        key = str(values["generic-ssh-key"])
        return cls(
            ctx,
            {
                "IPAddress": address,
                "SSHUser": values["generic-ssh-user"],
                "SSHPort": values["generic-ssh-port"],
                "EnginePort": values["generic-engine-port"],
                "SSHKey": os.path.abspath(os.path.expanduser(key)) if key else "",
            },
        )

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, dict(data))

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def key_path(self) -> str:
        """The user's key, "" for the agent's."""
        return str(self.data.get("SSHKey") or "")

    def check(self) -> None:
        from machine.drivers.cloud import ssh_key

        ssh_key.check(self.key_path(), "--generic-ssh-key", sent=False)
        if self.state() is not State.RUNNING:
            self._check_name()
            raise PreflightFailed(
                f"no sshd answers at {self.data['IPAddress']} port {self.data['SSHPort']}",
                resolution="check --generic-ip-address and --generic-ssh-port, and that a firewall lets you in",
            )

    def _check_name(self) -> None:
        """Raises PreflightFailed if the address is a name that does not resolve here."""
        address = str(self.data["IPAddress"])
        try:
            socket.getaddrinfo(address, None)
        except (socket.gaierror, ValueError) as error:
            reason = (error.strerror if isinstance(error, socket.gaierror) else "") or str(error)
            raise PreflightFailed(
                f"the name {address} does not resolve here ({reason})",
                resolution="check --generic-ip-address and this computer's DNS and /etc/hosts, or give the address",
            ) from error

    def create(self) -> None:
        self.ctx.save(self)

    def state(self) -> State:
        try:
            with dial(str(self.data["IPAddress"]), int(self.data.get("SSHPort") or 22), PROBE_SECONDS):
                return State.RUNNING
        except TimeoutError:
            return State.TIMEOUT
        except OSError:
            return State.STOPPED

    def endpoint(self) -> Endpoint | None:
        port = int(self.data.get("EnginePort") or 2376)
        return Endpoint(
            address=str(self.data["IPAddress"]),
            ssh_user=str(self.data.get("SSHUser") or "root"),
            ssh_port=int(self.data.get("SSHPort") or 22),
            engine_port=port,
            listen_port=port,
        )

    def remove(self) -> None:
        """The host is not ours: only the record goes, which the caller removes."""
