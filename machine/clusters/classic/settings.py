"""The flags of classic swarm: checks, the route by which nodes become known, arguments of its programs. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from machine import hostport, paths
from machine.errors import UsageError, masked
from machine.model import Endpoint, SwarmOptions
from machine.swarm.cli_flags import JOIN, MANAGE, heartbeat_and_ttl, parse_args
from machine.swarm.discovery import DiscoveryError, from_url
from machine.swarm.discovery.registry import TOKEN
from machine.swarm.discovery.token import base_of
from machine.swarm.http.address import Address, parse
from machine.swarm.manager.config import manager_config_from

REGISTRY = "/var/lib/machine-swarm/registry.db"  # on a master, for tokens that no service keeps
KEY = "/var/lib/machine-swarm/swarm.key"
CERTIFICATES = "/etc/docker"
ANY_ADDRESS = "0.0.0.0"
_SELF_REGISTERING_SCHEMES = ("etcd", "consul")  # a node can register itself there


@dataclass(frozen=True, slots=True)
class DiscoveryRoute:
    """Who registers the nodes of one discovery, and under which URL they find it.

    A node registers itself, or is registered by the store in which it is made, or by nobody where the list is fixed.
    """

    url: str  # the discovery as a program on a machine must be given it
    self_registering: bool = False
    token: str = ""  # only where this store registers: in its registry or a service here, and in that of each master

    @property
    def registered_by_create(self) -> bool:
        """Whether the store (the directory on this computer) in which a machine is made has to register it."""
        return bool(self.token)


def resolve_route(discovery: str, environ: Mapping[str, str]) -> DiscoveryRoute:
    """Return the route of `discovery`, seen from this computer; $MACHINE_DISCOVERY_URL has a bare token's service.

    `resolve_discovery` has written that service into the record, except one with TLS on this computer.
    """
    scheme, _, rest = discovery.partition("://")
    if scheme in _SELF_REGISTERING_SCHEMES:
        return DiscoveryRoute(discovery, self_registering=True)
    if scheme != "token":
        return DiscoveryRoute(discovery)
    service_address, _, token = rest.rpartition("/")
    if not service_address and environ.get("MACHINE_DISCOVERY_URL"):
        service = environ["MACHINE_DISCOVERY_URL"]
        parts = urlsplit(service if "://" in service else f"https://{service}")
        service_address = f"{parts.netloc}{parts.path.rstrip('/')}"
    if not service_address or is_loopback(split_host(service_address.partition("/")[0])[0]):
        return DiscoveryRoute(f"token://{token}", token=token)
    return DiscoveryRoute(f"token://{service_address}/{token}", self_registering=True)


def resolve_discovery(options: SwarmOptions, environ: Mapping[str, str]) -> SwarmOptions:
    """Return the options with a bare token's service written out: a record must not depend on the environment.

    UsageError if $MACHINE_DISCOVERY_URL is no service's. One with TLS on this computer cannot be written in a URL.
    """
    scheme, _, token = options.discovery.partition("://")
    service = environ.get("MACHINE_DISCOVERY_URL", "")
    if not (options.is_swarm and service and scheme == "token" and token and "/" not in token):
        return options
    try:
        scheme, _, service_address = base_of(service).partition("://")
    except (DiscoveryError, ValueError) as error:
        raise UsageError(
            f"$MACHINE_DISCOVERY_URL cannot be used: {error}",
            resolution="write it as https://HOST:PORT/v1, or unset it",
        ) from error
    if scheme == "https" and is_loopback(split_host(service_address.partition("/")[0])[0]):
        return options
    return replace(options, discovery=f"token://{service_address}/{token}")


def is_loopback(host: str) -> bool:
    """Return whether an address or name is one of loopback, which means another computer to each that uses it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def manager_address(options: SwarmOptions) -> Address:
    """Return where --swarm-host has the manager listen. UsageError if that is no address."""
    return parse(options.host, default_port=hostport.MANAGER_PORT, default_host=ANY_ADDRESS)


def client_address(endpoint: Endpoint) -> str:
    """Return "host:port" of the engine as this computer reaches it."""
    return hostport.join(endpoint.address, endpoint.engine_port)


def peer_address(options: SwarmOptions, endpoint: Endpoint, *, same_network: bool = False) -> str:
    """Return "host:port" of the engine as other machines reach it: --swarm-addr, else its address.

    With `same_network`, for machines of the same platform and network, that is the address for peers.
    """
    host, port = split_host(options.address)
    if host:
        return hostport.join(host, port or endpoint.listen_port)
    if endpoint.peer_address and (same_network or is_loopback(endpoint.address)):
        return hostport.join(endpoint.peer_address, endpoint.listen_port)
    return client_address(endpoint)


def addresses_to_register(options: SwarmOptions, endpoint: Endpoint) -> list[str]:
    """Return every address under which the engine is registered, the one from here first."""
    others = [peer_address(options, endpoint, same_network=same_network) for same_network in (False, True)]
    return list(dict.fromkeys([client_address(endpoint), *others]))


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
    if route.registered_by_create:
        arguments += ["--registry", REGISTRY]
    if not names_key(options):
        arguments += ["--cluster-opt", f"swarm.key={KEY}"]
    return (*arguments, *(f"--{flag}" for flag in options.flags))


def names_key(options: SwarmOptions) -> bool:
    """Return whether the flags name a key for the manager that its user puts there."""
    return any(flag.startswith("cluster-opt") and "swarm.key=" in flag for flag in options.flags)


def agent_arguments(options: SwarmOptions, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the agent's arguments, `join` first and the discovery left out."""
    return ("join", "--advertise", peer_address(options, endpoint), *(f"--{flag}" for flag in options.join_flags))


def node_error(status: Sequence[Sequence[str]], address: str) -> str:
    """Return what keeps a manager from using the engine at `address`, by SystemStatus of its /info; "" if nothing does.

    Rows are [" NAME", ADDRESS] and, below it, ["  └ KEY", VALUE].
    """
    rows: dict[str, str] | None = None
    for key, value in status:
        if not key.startswith(" "):
            continue
        if "└" not in key:
            if rows is not None:
                break
            rows = {} if value == address else None
        elif rows is not None:
            rows[key.strip(" └")] = value
    if rows is None:
        return "it is not in its list"
    return "" if rows.get("Status") == "Healthy" else rows.get("Error") or rows.get("Status", "unknown")


def discovery_options(flags: Sequence[str], files: Mapping[str, str]) -> dict[str, str]:
    """Return the values of --discovery-opt among an agent's flags, as this computer can use them.

    `files`: the path here of each file that the machine has, by its path there.
    """
    values = [flag.removeprefix("discovery-opt=") for flag in flags if flag.startswith("discovery-opt=")]
    pairs = [one.partition("=") for one in values]
    return {key: files.get(value, value) for key, _, value in pairs}


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


def without_token(discovery: str) -> str:
    """Return a discovery's URL with its token and its password masked."""
    return masked(discovery)


def _check_discovery(route: DiscoveryRoute) -> None:
    try:
        from_url(route.url, registry=REGISTRY, environ={})
    except (DiscoveryError, ValueError) as error:
        resolution = error.resolution if isinstance(error, DiscoveryError) else "--swarm-discovery token://TOKEN"
        raise UsageError(f"--swarm-discovery: {error}", resolution=resolution) from error
    if route.registered_by_create and not TOKEN.match(route.token):
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


def split_host(text: str) -> tuple[str, int]:
    """Return the host, in lower case and without brackets, and the port, 0 if there is none. UsageError."""
    host, port = hostport.split(text.rpartition("@")[2])
    number = hostport.port_number(port)
    if (port and not number) or number > 65535 or re.search(r"[\s/?#\[\]]", host):
        raise UsageError(f"{text!r} is not an address of the form HOST or HOST:PORT")
    return host.lower(), number
