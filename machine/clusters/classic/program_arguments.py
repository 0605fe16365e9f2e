"""The arguments of the manager and of the agent on a machine, and the files on it that they name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from machine import hostport, paths
from machine.clusters.classic.addresses import ANY_ADDRESS, manager_address, peer_address, split_host
from machine.clusters.classic.discovery_route import DiscoveryRoute
from machine.model import Endpoint, SwarmOptions
from machine.provision.host_files import SWARM_KEY

REGISTRY = "/var/lib/machine-swarm/registry.db"  # on a master, for tokens that no service keeps
CERTIFICATES = "/etc/docker"


def manager_arguments(options: SwarmOptions, endpoint: Endpoint, route: DiscoveryRoute) -> tuple[str, ...]:
    """Return the manager's arguments, `manage` first. The discovery, a secret, is in the environment instead."""
    host, _ = split_host(peer_address(options, endpoint))
    certificates = [
        *("--tlscacert", f"{CERTIFICATES}/{paths.CA}"),
        *("--tlscert", f"{CERTIFICATES}/{paths.SERVER_CERT}"),
        *("--tlskey", f"{CERTIFICATES}/{paths.SERVER_KEY}"),
    ]
    listen = manager_address(options)
    arguments = ["manage", "--tlsverify", *certificates, "-H", str(listen)]
    if listen.host == ANY_ADDRESS and any(":" in address for address in endpoint.addresses):
        arguments += ["-H", str(listen._replace(host="::"))]
    arguments += ["--strategy", options.strategy, "--advertise", hostport.join(host, listen.port)]
    if route.create_registers_nodes:
        arguments += ["--registry", REGISTRY]
    if not names_key(options):
        arguments += ["--cluster-opt", f"swarm.key={SWARM_KEY}"]
    return (*arguments, *(f"--{flag}" for flag in options.flags))


def agent_arguments(options: SwarmOptions, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the agent's arguments, `join` first and the discovery left out."""
    return ("join", "--advertise", peer_address(options, endpoint), *(f"--{flag}" for flag in options.join_flags))


def names_key(options: SwarmOptions) -> bool:
    """Return whether --swarm-opt names the manager's key, so that its user puts the file on the machine."""
    return any(flag.startswith("cluster-opt") and "swarm.key=" in flag for flag in options.flags)


def discovery_options(flags: Sequence[str], files: Mapping[str, str]) -> dict[str, str]:
    """Return the values of --discovery-opt among an agent's flags, as this computer can use them.

    `files`: the path here of each file that the machine has, by its path there.
    """
    values = [flag.removeprefix("discovery-opt=") for flag in flags if flag.startswith("discovery-opt=")]
    pairs = [one.partition("=") for one in values]
    return {key: files.get(value, value) for key, _, value in pairs}
