"""What the flags of classic swarm mean: how nodes become known, and what a machine has to run for it. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from machine import hostport, paths
from machine.errors import UsageError, masked
from machine.model import Endpoint, SwarmOptions
from machine.swarm.backends.swarm import plan_of
from machine.swarm.cli_flags import JOIN, MANAGE, gather, lease
from machine.swarm.discovery import DiscoveryError, from_url
from machine.swarm.discovery.registry import TOKEN
from machine.swarm.discovery.token import base_of
from machine.swarm.http.address import Address, parse

PORT = 3376
REGISTRY = "/var/lib/machine-swarm/registry.db"  # on a master, for tokens that no service keeps
KEY = "/var/lib/machine-swarm/swarm.key"
CERTIFICATES = "/etc/docker"
ANY_ADDRESS = "0.0.0.0"
_STORES = ("etcd", "consul")  # a node can enter itself there


@dataclass(frozen=True, slots=True)
class DiscoveryRoute:
    """How the nodes of one discovery become known.

    `url` is the discovery as a program on a machine has to be told. Who enters a node: it does so itself (`joins`),
    or whoever makes it does (`token`, kept by this store's registry or a service on this computer, and by the
    registry of each master), or nobody, for the list is fixed.
    """

    url: str
    joins: bool = False
    token: str = ""


def resolve_route(discovery: str, environ: Mapping[str, str]) -> DiscoveryRoute:
    """What `discovery` means, seen from this computer; $MACHINE_DISCOVERY_URL is where a bare token is kept."""
    scheme, _, rest = discovery.partition("://")
    if scheme in _STORES:
        return DiscoveryRoute(discovery, joins=True)
    if scheme != "token":
        return DiscoveryRoute(discovery)
    place, _, token = rest.rpartition("/")
    if not place and environ.get("MACHINE_DISCOVERY_URL"):
        service = environ["MACHINE_DISCOVERY_URL"]
        parts = urlsplit(service if "://" in service else f"https://{service}")
        place = f"{parts.netloc}{parts.path.rstrip('/')}"
    if not place or loopback(split_host(place.partition("/")[0])[0]):
        return DiscoveryRoute(f"token://{token}", token=token)
    return DiscoveryRoute(f"token://{place}/{token}", joins=True)


def resolve_discovery(options: SwarmOptions, environ: Mapping[str, str]) -> SwarmOptions:
    """The options with a bare token's service written out: a record must mean the same whoever reads it, and when.

    UsageError if $MACHINE_DISCOVERY_URL is no service's. One with TLS on this computer cannot be written in a URL.
    """
    scheme, _, token = options.discovery.partition("://")
    service = environ.get("MACHINE_DISCOVERY_URL", "")
    if not (options.is_swarm and service and scheme == "token" and token and "/" not in token):
        return options
    try:
        scheme, _, place = base_of(service).partition("://")
    except (DiscoveryError, ValueError) as error:
        raise UsageError(
            f"$MACHINE_DISCOVERY_URL cannot be used: {error}",
            resolution="write it as https://HOST:PORT/v1, or unset it",
        ) from error
    if scheme == "https" and loopback(split_host(place.partition("/")[0])[0]):
        return options
    return replace(options, discovery=f"token://{place}/{token}")


def loopback(host: str) -> bool:
    """Whether an address or name is only good on the computer that uses it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def manager_at(options: SwarmOptions) -> Address:
    """Where --swarm-host has the manager listen. UsageError if that is no address."""
    return parse(options.host, default_port=PORT, default_host=ANY_ADDRESS)


def client_address(endpoint: Endpoint) -> str:
    """The engine as this computer reaches it: "host:port"."""
    return hostport.join(endpoint.address, endpoint.engine_port)


def peer_address(options: SwarmOptions, endpoint: Endpoint, *, near: bool = False) -> str:
    """The engine as other machines reach it: --swarm-addr, else its own address unless that is this computer's.

    `near` are machines of the same driver, which have the address for peers.
    """
    host, port = split_host(options.address)
    if host:
        return hostport.join(host, port or endpoint.listen_port)
    if endpoint.peer_address and (near or loopback(endpoint.address)):
        return hostport.join(endpoint.peer_address, endpoint.listen_port)
    return client_address(endpoint)


def addresses(options: SwarmOptions, endpoint: Endpoint) -> list[str]:
    """Every address that the engine is entered by, the one from here first."""
    others = [peer_address(options, endpoint, near=near) for near in (False, True)]
    return list(dict.fromkeys([client_address(endpoint), *others]))


def manage(options: SwarmOptions, endpoint: Endpoint, way: DiscoveryRoute) -> tuple[str, ...]:
    """The manager's words, `manage` first and the discovery left out: that is a secret and goes by the environment."""
    host, _ = split_host(peer_address(options, endpoint))
    certificates = [
        *("--tlscacert", f"{CERTIFICATES}/{paths.CA}"),
        *("--tlscert", f"{CERTIFICATES}/{paths.SERVER_CERT}"),
        *("--tlskey", f"{CERTIFICATES}/{paths.SERVER_KEY}"),
    ]
    at = manager_at(options)
    words = ["manage", "--tlsverify", *certificates, "-H", str(at)]
    if at.host == ANY_ADDRESS and any(":" in address for address in endpoint.addresses):
        words += ["-H", str(at._replace(host="::"))]
    words += ["--strategy", options.strategy, "--advertise", hostport.join(host, at.port)]
    if way.token:
        words += ["--registry", REGISTRY]
    if not names_key(options):
        words += ["--cluster-opt", f"swarm.key={KEY}"]
    return (*words, *(f"--{flag}" for flag in options.flags))


def names_key(options: SwarmOptions) -> bool:
    """Whether the manager was told to use a key that its user puts there."""
    return any(flag.startswith("cluster-opt") and "swarm.key=" in flag for flag in options.flags)


def join(options: SwarmOptions, endpoint: Endpoint) -> tuple[str, ...]:
    """The agent's words, `join` first and the discovery left out."""
    return ("join", "--advertise", peer_address(options, endpoint), *(f"--{flag}" for flag in options.join_flags))


def node_error(status: Sequence[Sequence[str]], address: str) -> str:
    """What keeps a manager from using the engine at `address`, by SystemStatus of its `info`; "" if nothing does.

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
    """--discovery-opt of an agent's flags, for this computer. `files`: where it has what the machine has elsewhere."""
    given = [flag.removeprefix("discovery-opt=") for flag in flags if flag.startswith("discovery-opt=")]
    pairs = [one.partition("=") for one in given]
    return {key: files.get(value, value) for key, _, value in pairs}


def check(options: SwarmOptions) -> None:
    """UsageError for what could not work, before anything is made. docker-machine's containers check for themselves."""
    if not options.is_swarm:
        return
    if not options.discovery:
        raise UsageError(
            "--swarm and --swarm-master need --swarm-discovery",
            resolution="machine swarm create prints a token; then say: --swarm-discovery token://TOKEN",
        )
    if options.containers:
        return
    way = resolve_route(options.discovery, {})
    _check_discovery(way)
    placeholder_endpoint = Endpoint("192.0.2.1")
    if options.master:
        _check_manager(options, placeholder_endpoint, way)
    lease(gather("--swarm-join-opt: join", join(options, placeholder_endpoint)[1:], JOIN, {}))


def check_host(options: SwarmOptions, values: Mapping[str, object], *, provisions: bool) -> None:
    """UsageError for a manager where nothing can run, or on a port that the host needs. `values`: the driver's options.

    A driver that lets these ports be chosen has options for them that end in -ssh-port, -engine-port or -docker-port.
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
    told = {name.rpartition("-")[0].rpartition("-")[2]: port for name, port in values.items() if name.endswith("-port")}
    taken = {
        told.get("engine") or told.get("docker") or Endpoint("").engine_port: "the engine",
        told.get("ssh") or 22: "sshd",
    }
    port = manager_at(options).port
    if port in taken:
        free = next(other for other in (PORT, PORT + 1, PORT + 2) if other not in taken)
        raise UsageError(
            f"--swarm-host: port {port} is {taken[port]}'s",
            resolution=f"try {free}: --swarm-host tcp://{ANY_ADDRESS}:{free}",
        )


def shown(discovery: str) -> str:
    """A discovery without its token and without a password in it."""
    return masked(discovery)


def _check_discovery(way: DiscoveryRoute) -> None:
    try:
        from_url(way.url, registry=REGISTRY, environ={})
    except (DiscoveryError, ValueError) as error:
        cure = error.resolution if isinstance(error, DiscoveryError) else "--swarm-discovery token://TOKEN"
        raise UsageError(f"--swarm-discovery: {error}", resolution=cure) from error
    if way.token and not TOKEN.match(way.token):
        raise UsageError(
            "--swarm-discovery has no token: letters, digits, - and _, at most 64",
            resolution="machine swarm create prints one; then say: --swarm-discovery token://TOKEN",
        )


def _check_manager(options: SwarmOptions, somewhere: Endpoint, way: DiscoveryRoute) -> None:
    if manager_at(options).path:
        raise UsageError(
            f"--swarm-host {options.host} is a socket that no other computer reaches",
            resolution="write it as tcp://0.0.0.0:PORT",
        )
    words = [word for word in manage(options, somewhere, way)[1:] if not word.startswith("--discovery-opt")]
    plan = plan_of(gather("--swarm-opt: manage", [*words, way.url], MANAGE, {}), {}, REGISTRY)
    if plan.replication and not hasattr(plan.discovery, "candidate"):
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
