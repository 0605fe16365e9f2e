"""The flags of `machine create` that do not depend on the driver, a function for each heading of its help."""

from __future__ import annotations

from machine.booleans import parse_bool
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.parser import Group, Parser

MANAGER_FLAGS = ("swarm_host", "swarm_strategy", "swarm_opt")  # they mean something beside --swarm-master only
SWARM_MODE_FLAGS = (  # they mean something beside --swarm-mode only
    "swarm_availability",
    "swarm_data_path_addr",
    "swarm_autolock",
    "swarm_cert_expiry",
    "swarm_default_addr_pool",
)


def add_create_flags(parser: Parser, driver_name: str, default_driver: str) -> None:
    """Add the flags that choose the driver and how `create` goes about it."""
    parser.add_argument(
        "--driver",
        "-d",
        default=driver_name,
        help=f"Which driver makes it (default {default_driver}) [$MACHINE_DRIVER]",
    )
    parser.add_argument(
        "--from",
        dest="source",
        default="",
        metavar="NAME[@TAG]",
        help="Make clones of another machine, at its snapshot TAG or as it is now, with its images and volumes",
    )
    parser.add_argument("--resume", action="store_true", help="Continue a create that was cut short")
    parser.add_argument("--if-missing", action="store_true", help="Leave a machine that is there already as it is")
    parser.add_argument(
        "--dry-run",
        nargs="?",
        const="plan",
        type=_dry_run_kind,
        default="",
        metavar="plan|script",
        help="Print what would be done and touch nothing; =script: also the script that would run on the machine",
    )
    parser.add_argument(
        "--share",
        action="append",
        default=None,
        metavar="PATH[:ro]",
        help="Directory of this computer that it gets at the same path, or none (default, of a machine on this computer"
        " that is in no cluster: the home directory) [$MACHINE_SHARE]",
    )
    parser.add_argument("--no-context", action="store_true", help="Make no docker context for it")
    parser.add_argument(
        "--use",
        action="store_true",
        help="Make its docker context the current one, of several machines that of the first one ready; without"
        " this, where docker has none and neither $DOCKER_HOST nor $DOCKER_CONTEXT is set",
    )
    parser.add_argument("--no-use", action="store_true", help="Leave docker's current context as it is")
    parser.add_argument(
        "--no-hostname", action="store_true", help="Let the host keep its own name instead of the machine's"
    )


def _dry_run_kind(text: str) -> str:
    """Return what --dry-run prints: plan, script, or "" for none; =true and =false as a switch takes them."""
    if text in ("plan", "script"):
        return text
    try:
        return "plan" if parse_bool(text, "--dry-run") else ""
    except UsageError:
        raise UsageError(f"--dry-run must be plan or script, not {text!r}") from None


def add_engine_flags(parser: Parser) -> None:
    """Add the flags of dockerd, its installation and its certificate."""
    engine = parser.add_argument_group("flags of the engine")
    engine.add_argument(
        "--engine-install-url",
        default=None,
        metavar="URL",
        help="Script that installs Docker (default https://get.docker.com), or distro, or none; a --resume may name"
        " another [$MACHINE_DOCKER_INSTALL_URL]",
    )
    engine.add_argument("--engine-opt", action="append", default=[], metavar="K=V", help="A flag of dockerd")
    engine.add_argument(
        "--engine-env", action="append", default=[], metavar="K=V", help="A variable in dockerd's environment"
    )
    add_engine_proxy(engine)
    engine.add_argument("--engine-label", action="append", default=[], metavar="K=V", help="A label of the engine")
    engine.add_argument(
        "--engine-insecure-registry", action="append", default=[], metavar="HOST", help="A registry without TLS"
    )
    engine.add_argument(
        "--engine-registry-mirror",
        action="append",
        default=None,
        metavar="URL",
        help="A mirror of the registry [$ENGINE_REGISTRY_MIRROR]",
    )
    engine.add_argument(
        "--engine-storage-driver", default="", metavar="NAME", help="Storage driver; unset, the engine chooses"
    )
    engine.add_argument(
        "--tls-san", action="append", default=[], metavar="NAME", help="One more name or address for the certificate"
    )


def add_engine_proxy(group: Group, default: str = "for machines on this computer env, for others off") -> None:
    """Add the flag that says which proxies engine and package manager use."""
    group.add_argument(
        "--engine-proxy",
        default="",
        metavar="env|off|URL",
        help=f"Proxy of the engine and of apt: that of this environment, none, or this one (default: {default})",
    )


def add_classic_swarm_flags(parser: Parser) -> None:
    """Add the flags of classic swarm, which are docker-machine's."""
    swarm = parser.add_argument_group("flags of classic swarm")
    swarm.add_argument("--swarm", action="store_true", help="Part of a classic swarm")
    swarm.add_argument("--swarm-master", action="store_true", help="Its manager")
    swarm.add_argument(
        "--swarm-discovery", default="", metavar="URL", help="How the classic swarm finds its nodes, such as token://T"
    )
    swarm.add_argument(
        "--swarm-strategy", default=None, metavar="NAME", help="spread, binpack or random (default spread)"
    )
    swarm.add_argument("--swarm-host", default=None, metavar="URL", help="Where the manager listens")
    swarm.add_argument("--swarm-addr", default="", metavar="ADDR", help="Address that the node advertises")
    swarm.add_argument(
        "--swarm-image",
        default=None,
        metavar="IMAGE",
        help="Run docker-machine's two containers of this image instead of services [$MACHINE_SWARM_IMAGE]",
    )
    swarm.add_argument("--swarm-opt", action="append", default=[], metavar="K=V", help="A flag of the manager")
    swarm.add_argument("--swarm-join-opt", action="append", default=[], metavar="K=V", help="A flag of the node's join")
    swarm.add_argument(
        "--swarm-experimental", action="store_true", help="Experimental features of the manager, for --swarm-image"
    )


def add_swarm_mode_flags(parser: Parser) -> None:
    """Add the flags of Docker's swarm mode."""
    mode = parser.add_argument_group("flags of Docker's swarm mode")
    mode.add_argument(
        "--swarm-mode",
        default="",
        metavar="manager|worker",
        help="Part of a cluster that the engines form themselves; --swarm-discovery is then its name (default"
        " default), --swarm-addr the address that others reach, or public for the one seen from here",
    )
    mode.add_argument(
        "--swarm-availability", default="", metavar="WORD", help="active, pause or drain: which tasks it takes (active)"
    )
    mode.add_argument(
        "--swarm-data-path-addr", default="", metavar="ADDR", help="Address or interface for traffic between containers"
    )
    mode.add_argument(
        "--swarm-autolock", action="store_true", help="First manager: restarted managers need a key, which is kept here"
    )
    mode.add_argument(
        "--swarm-cert-expiry",
        default="",
        metavar="TIME",
        help="First manager: how long nodes' certificates last (2160h)",
    )
    mode.add_argument(
        "--swarm-default-addr-pool",
        action="append",
        default=[],
        metavar="CIDR",
        help="First manager: where overlay networks get their addresses; unset, where the host has none of its own",
    )
