"""Checks of the flags of classic swarm, before anything is made. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from machine import hostport
from machine.clusters.classic.addresses import ANY_ADDRESS, manager_address
from machine.clusters.classic.discovery_route import DiscoveryRoute, resolve_route
from machine.clusters.classic.program_arguments import REGISTRY, agent_arguments, manager_arguments
from machine.errors import UsageError
from machine.model import Endpoint, SwarmOptions
from machine.swarm.cli_flags import JOIN, MANAGE, heartbeat_and_ttl, parse_args
from machine.swarm.discovery import DiscoveryError, from_url
from machine.swarm.discovery.registry import TOKEN
from machine.swarm.manager.config import manager_config_from


def check(options: SwarmOptions) -> None:
    """Raise UsageError for options that could not work. docker-machine's containers check their flags themselves."""
    if not options.is_swarm:
        return
    if not options.discovery:
        raise UsageError(
            "--swarm and --swarm-master need --swarm-discovery",
            resolution="machine swarm create prints a token; then say: --swarm-discovery token://TOKEN",
        )
    if options.use_containers:
        return
    route = resolve_route(options.discovery, {})
    _check_discovery(route)
    placeholder_endpoint = Endpoint("192.0.2.1")
    if options.master:
        _check_manager(options, placeholder_endpoint, route)
    heartbeat_and_ttl(
        parse_args("--swarm-join-opt: join", agent_arguments(options, placeholder_endpoint)[1:], JOIN, {})
    )


def check_manager_port(options: SwarmOptions, values: Mapping[str, object], *, provisions: bool) -> None:
    """Raise UsageError for a manager where nothing can run, or on a port that the host needs.

    `values` are the driver's options. A driver that lets these ports be chosen has options for them that end in
    -ssh-port, -engine-port or -docker-port.
    """
    if not (options.is_swarm and options.master):
        return
    if not provisions:
        raise UsageError(
            "--swarm-master needs a host to run the manager on, and this driver only records a URL",
            resolution="leave it out; --swarm registers the engine with a classic swarm, and:"
            " machine swarm manage DISCOVERY"
            " runs a manager here",
        )
    chosen_ports = {
        name.rpartition("-")[0].rpartition("-")[2]: port for name, port in values.items() if name.endswith("-port")
    }
    taken = {
        chosen_ports.get("engine") or chosen_ports.get("docker") or Endpoint("").engine_port: "the engine",
        chosen_ports.get("ssh") or 22: "sshd",
    }
    port = manager_address(options).port
    if port in taken:
        free = next(other for other in range(hostport.MANAGER_PORT, hostport.MANAGER_PORT + 3) if other not in taken)
        raise UsageError(
            f"--swarm-host: port {port} is {taken[port]}'s",
            resolution=f"try {free}: --swarm-host tcp://{ANY_ADDRESS}:{free}",
        )


def _check_discovery(route: DiscoveryRoute) -> None:
    try:
        from_url(route.url, registry=REGISTRY, environ={})
    except (DiscoveryError, ValueError) as error:
        resolution = error.resolution if isinstance(error, DiscoveryError) else "--swarm-discovery token://TOKEN"
        raise UsageError(f"--swarm-discovery: {error}", resolution=resolution) from error
    if route.create_registers_nodes and not TOKEN.match(route.token):
        raise UsageError(
            "--swarm-discovery has no token: letters, digits, - and _, at most 64",
            resolution="machine swarm create prints one; then say: --swarm-discovery token://TOKEN",
        )


def _check_manager(options: SwarmOptions, endpoint: Endpoint, route: DiscoveryRoute) -> None:
    if manager_address(options).path:
        raise UsageError(
            f"--swarm-host {options.host} is a socket that no other computer reaches",
            resolution="write it as tcp://0.0.0.0:PORT",
        )
    arguments = [
        word for word in manager_arguments(options, endpoint, route)[1:] if not word.startswith("--discovery-opt")
    ]
    config = manager_config_from(parse_args("--swarm-opt: manage", [*arguments, route.url], MANAGE, {}), {}, REGISTRY)
    if config.replication and not hasattr(config.discovery, "candidate"):
        raise UsageError(
            "--swarm-opt replication: managers elect their primary through etcd:// or consul:// only",
            resolution="leave it out, or name such a discovery: --swarm-discovery etcd://HOST/PREFIX",
        )
