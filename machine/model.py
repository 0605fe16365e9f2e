"""The values that travel between the layers: frozen, without behaviour.

Not imported by the fast commands (`ip`, `url`, `ls -q`, `version`): dataclasses cost 10 ms to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from machine.hostport import ENGINE_PORT, MANAGER_PORT


class State(StrEnum):
    """What a platform says of a machine. The words are docker-machine's, plus MISSING."""

    NONE = ""
    RUNNING = "Running"
    PAUSED = "Paused"
    SAVED = "Saved"
    STOPPED = "Stopped"
    STOPPING = "Stopping"
    STARTING = "Starting"
    ERROR = "Error"
    TIMEOUT = "Timeout"
    MISSING = "Missing"


class Verb(StrEnum):
    """What `Driver.power` can be asked for."""

    START = "start"
    STOP = "stop"
    KILL = "kill"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a machine is reached: from here, and by the other machines.

    `address`, `ssh_port` and `engine_port` are as seen from here. `peer_address` is the address by
    which other machines reach it ("" = the same), always on `listen_port`, the port that dockerd
    itself binds. Addresses are IP literals or host names, without brackets.
    """

    address: str
    ssh_user: str = "root"
    ssh_port: int = 22
    engine_port: int = ENGINE_PORT
    peer_address: str = ""
    listen_port: int = ENGINE_PORT

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that a certificate of this machine must carry."""
        return (self.address,) if self.peer_address in ("", self.address) else (self.address, self.peer_address)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the user asked of the engine (config.json HostOptions.EngineOptions)."""

    env: tuple[str, ...] = ()  # "K=V"
    insecure_registries: tuple[str, ...] = ()
    install_url: str = "https://get.docker.com"  # or "distro", or "none"
    labels: tuple[str, ...] = ()  # "k=v"
    flags: tuple[str, ...] = ()  # --engine-opt, "k=v" or "k"
    registry_mirrors: tuple[str, ...] = ()
    storage_driver: str = ""


@dataclass(frozen=True, slots=True)
class SwarmOptions:
    """What the user asked of classic swarm (config.json HostOptions.SwarmOptions)."""

    is_swarm: bool = False  # in a classic swarm: --swarm, --swarm-master or both
    master: bool = False  # runs a manager: --swarm-master
    is_node: bool = False  # its engine is one of the swarm's: --swarm
    discovery: str = ""
    address: str = ""  # HOST or HOST:PORT by which others reach the engine: --swarm-addr
    host: str = f"tcp://0.0.0.0:{MANAGER_PORT}"
    image: str = "swarm:latest"
    strategy: str = "spread"
    flags: tuple[str, ...] = ()
    join_flags: tuple[str, ...] = ()
    experimental: bool = False
    use_containers: bool = False  # --swarm-image: docker-machine's two containers of `image` instead of our services
