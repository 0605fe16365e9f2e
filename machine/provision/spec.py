"""The specification of a host: the user's options and the certificates."""

from __future__ import annotations

from dataclasses import dataclass, field

from machine.hostport import MANAGER_PORT
from machine.model import EngineOptions


@dataclass(frozen=True, slots=True)
class SwarmServices:
    """What the machine runs for a classic swarm: arguments of machine-swarm, () for what it does not run."""

    program: bytes = field(repr=False)  # a zipapp for python3
    discovery: str = field(repr=False)  # a token in it is a secret
    manager_argv: tuple[str, ...] = ()
    agent_argv: tuple[str, ...] = ()
    key: bytes = field(default=b"", repr=False)  # that the managers sign with; b"" = each one has its own
    port: int = MANAGER_PORT  # where the manager listens

    @property
    def runs(self) -> bool:
        """Whether the machine runs a manager or an agent."""
        return bool(self.manager_argv or self.agent_argv)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a plan is made of besides the facts. The two certificates and the key are PEM."""

    hostname: str
    driver_name: str
    ca: bytes
    server_cert: bytes
    server_key: bytes = field(repr=False)
    engine: EngineOptions = field(default_factory=EngineOptions)
    listen_port: int = 2376
    host_gateway: str = (
        ""  # what host.docker.internal means in containers (--add-host ...:host-gateway), "" for dockerd's own
    )
    package_proxies: tuple[str, ...] = field(default=(), repr=False)  # "K=V", also among the engine's variables
    swarm: SwarmServices | None = None
    swarm_mode: bool = False  # it is, or is to be, a node of Docker's own swarm mode

    @property
    def host(self) -> str:
        """dockerd's -H; Go's listener takes IPv6 too for that address."""
        return f"tcp://0.0.0.0:{self.listen_port}"

    @property
    def labels(self) -> list[str]:
        """The driver's name first, as docker-machine has it."""
        return [f"provider={self.driver_name}", *self.engine.labels]
