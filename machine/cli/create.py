"""machine create [-d DRIVER] [FLAGS] NAME..."""

from __future__ import annotations

import re

from machine.booleans import parse_bool
from machine.errors import DriverError, PreflightFailed, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.cli.parser import Parser
    from machine.clusters.swarm_mode.membership import Membership
    from machine.drivers.base import Driver
    from machine.lifecycle.planning import CreateRequest

OWN_FLAGS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey")  # of dockerd; set by provisioning alone
MODE_FLAGS = (  # they mean something beside --swarm-mode only
    "swarm_availability",
    "swarm_data_path_addr",
    "swarm_autolock",
    "swarm_cert_expiry",
    "swarm_default_addr_pool",
)
MANAGER_FLAGS = ("swarm_host", "swarm_strategy", "swarm_opt")

HELP = """Create machines: a host on some platform, Docker on it, behind TLS. Several names are made at the same time.

  machine create dev
  machine create -d amazonec2 --amazonec2-region eu-central-1 web1 web2

The drivers are amazonec2, azure, digitalocean, generic, none, openstack, qemu and virtualbox, and those that plugins
bring: `machine drivers` shows what each needs. `machine create -d DRIVER --help` shows the flags of one."""


def add_arguments(parser: Parser) -> None:
    """The flags of every driver's create, and those of the driver that is meant."""
    from machine.cli import driver_flags
    from machine.drivers import registry

    name = driver_flags.driver_from_argv(parser)
    parser.add_argument(
        "--driver", "-d", default=name, help=f"Which driver makes it (default {registry.DEFAULT}) [$MACHINE_DRIVER]"
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
    parser.add_argument("--no-context", action="store_true", help="Make no docker context for it")
    parser.add_argument(
        "--no-hostname", action="store_true", help="Let the host keep its own name instead of the machine's"
    )
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
    swarm.add_argument("--swarm-experimental", action="store_true", help="Experimental features of the manager")
    _add_swarm_mode(parser)
    driver_flags.add_options(parser, name, _driver(parser, name).traits.options)
    parser.explain_unknown.append(lambda flag: driver_flags.hint_for_other_driver(flag, name))
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of the machines")


def _dry_run_kind(text: str) -> str:
    """What --dry-run prints: plan, script, or "" for none; =true and =false as a switch takes them."""
    if text in ("plan", "script"):
        return text
    try:
        return "plan" if parse_bool(text, "--dry-run") else ""
    except UsageError:
        raise UsageError(f"--dry-run must be plan or script, not {text!r}") from None


def _add_swarm_mode(parser: Parser) -> None:
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


def find_driver(name: str) -> type[Driver]:
    """The class of a driver that was named on the command line; UsageError if there is no such driver."""
    from machine.drivers import registry

    try:
        return registry.find(name)
    except PreflightFailed:
        raise
    except DriverError as error:
        raise UsageError(error.brief, details=error.details, resolution=error.resolution) from None


def _driver(parser: Parser, name: str) -> type[Driver]:
    """The driver's class; an unknown one that nobody typed is the variable's fault, and the error says so."""
    try:
        return find_driver(name)
    except UsageError as error:
        if name == parser.environ.get("MACHINE_DRIVER") and name not in parser.typed:
            error.resolution = f"unset MACHINE_DRIVER, which says {name!r}, or choose another driver with -d"
        raise


def run(args: argparse.Namespace, app: App) -> int:
    """0 when every machine is ready; 3 when the checks before one failed and nothing was made; else 1."""
    from machine import names
    from machine.cli.machine_action import on_each
    from machine.lifecycle import create
    from machine.lifecycle.existing import resume_hint

    if not args.names:
        raise UsageError("create needs a name for the machine", resolution="machine create dev")

    def after(cut: Sequence[str]) -> str:
        return resume_hint(app.store, cut)

    if args.resume:
        _check_resume(args, app)
        url = args.engine_install_url or ""
        return on_each(
            app, args.names, lambda session, name: create.resume(session, name, not args.no_context, url), after=after
        )
    for name in args.names:
        names.check(name)  # all of them before the first is made
    _check_one_host(args)
    wanted = wanted_of(args, app)
    if args.dry_run:
        return _dry_run(args, app, wanted)
    make = create.create_if_missing if args.if_missing else create.create
    status = on_each(app, args.names, lambda session, name: make(session, name, wanted), load=False, after=after)
    if status == 0:
        app.console.info(f'To point docker at it: eval "$({_env_line(app, args.names[-1])})"')
        if args.swarm_master:
            app.console.info(f'or at its whole classic swarm: eval "$({_env_line(app, "--swarm", args.names[-1])})"')
    return status


def _check_one_host(args: argparse.Namespace) -> None:
    """UsageError on several names for a host that is there already: one host is one machine."""
    from machine.drivers import registry

    names = list(dict.fromkeys(args.names))
    if len(names) > 1 and registry.find(args.driver).traits.existing_host:
        raise UsageError(
            f"one host is one machine: the driver {args.driver} cannot make {' and '.join(names)} of it",
            resolution=f"create each with the address of a host of its own, beginning with {names[0]}",
        )


def _check_resume(args: argparse.Namespace, app: App) -> None:
    """UsageError on what goes not with --resume: a trial of it, and flags that it would pass over."""
    from machine.cli import driver_flags
    from machine.drivers import registry

    if args.dry_run or args.if_missing:
        other = "--dry-run" if args.dry_run else "--if-missing"
        raise UsageError(f"--resume and {other} exclude each other", resolution=f"leave {other} out")
    shared = "engine_opt engine_env engine_label engine_insecure_registry engine_registry_mirror engine_storage_driver"
    swarm = "swarm swarm_master swarm_discovery swarm_addr swarm_opt swarm_join_opt swarm_experimental"
    told = [
        name
        for name in [*f"no_hostname tls_san {shared} {swarm} swarm_mode".split(), *MODE_FLAGS]
        if getattr(args, name)
    ]
    told += [name for name in ("swarm_host", "swarm_image", "swarm_strategy") if getattr(args, name) is not None]
    usual = app.environ.get("MACHINE_DRIVER") or registry.DEFAULT
    told += ["driver"] * any(args.driver not in (usual, app.store.load(name).driver_name) for name in args.names)
    flags = " ".join("--" + name.replace("_", "-") for name in [*told, *driver_flags.typed_values(args)])
    if flags:
        names = " ".join(args.names)
        raise UsageError(
            f"--resume keeps what create was given, and would pass over {flags}",
            resolution=f"leave that out: machine create --resume {names}; or machine rm {names}, and create it again",
        )


def _env_line(app: App, *name: str) -> str:
    """The command that finds the machine again: in the store that was named, if one was."""
    import shlex

    where = ["-s", app.flags.typed_store()] if app.flags.typed_store() else []
    return shlex.join([app.prog, *where, "env", *name])


def wanted_of(args: argparse.Namespace, app: App) -> CreateRequest:
    """The command line as values; UsageError on nonsense."""
    from machine import engine_values
    from machine.cli import driver_flags
    from machine.drivers import registry
    from machine.lifecycle.planning import CreateRequest
    from machine.model import EngineOptions, SwarmOptions
    from machine.options import resolve

    _check_swarm(args, app)
    for item in args.engine_opt:
        if item.partition("=")[0].lstrip("-") in OWN_FLAGS:
            raise UsageError(
                f"--engine-opt {item!r} would change how the engine is protected",
                resolution="leave it out: TLS with client certificates is what makes a machine reachable safely",
            )
    mirrors = args.engine_registry_mirror
    if mirrors is None:
        mirrors = [part for part in app.environ.get("ENGINE_REGISTRY_MIRROR", "").split(",") if part]
    image = app.environ.get("MACHINE_SWARM_IMAGE", "") if args.swarm_image is None else args.swarm_image
    engine = EngineOptions(
        env=tuple(args.engine_env),
        insecure_registries=tuple(args.engine_insecure_registry),
        install_url=args.engine_install_url
        or app.environ.get("MACHINE_DOCKER_INSTALL_URL")
        or EngineOptions().install_url,
        labels=tuple(args.engine_label),
        flags=tuple(args.engine_opt),
        registry_mirrors=tuple(mirrors),
        storage_driver=args.engine_storage_driver,
    )
    engine_values.check(engine)
    swarm = SwarmOptions(
        is_swarm=args.swarm or args.swarm_master,
        master=args.swarm_master,
        agent=args.swarm,
        discovery="" if args.swarm_mode else args.swarm_discovery,
        address="" if args.swarm_mode else args.swarm_addr,
        host=SwarmOptions().host if args.swarm_host is None else args.swarm_host,
        image=image or SwarmOptions().image,
        strategy=SwarmOptions().strategy if args.swarm_strategy is None else args.swarm_strategy,
        flags=tuple(args.swarm_opt),
        join_flags=tuple(args.swarm_join_opt),
        experimental=args.swarm_experimental,
        containers=bool(image),
    )
    values = resolve(registry.find(args.driver).traits.options, driver_flags.typed_values(args), app.environ)
    mode = _mode_of(args)
    return CreateRequest(
        args.driver, values, engine, swarm, tuple(args.tls_san), not args.no_context, mode, args.no_hostname
    )


def _check_swarm(args: argparse.Namespace, app: App) -> None:
    """UsageError on a discovery that is none, or that nothing uses; a warning of a manager's flags without one.

    Scripts that were written for docker-machine give those to every machine of a swarm.
    """
    url = args.swarm_discovery
    if url and not args.swarm_mode:
        if re.fullmatch(r"[0-9a-f]{32}", url):
            raise UsageError(
                "--swarm-discovery has a bare token", resolution="write it as --swarm-discovery token://TOKEN"
            )
        if not re.fullmatch(r"[^:]*://.*", url):
            from machine.errors import masked

            raise UsageError(
                f"--swarm-discovery {masked(url)!r} is not a discovery URL",
                resolution="write it as token://TOKEN, nodes://a:2376,b:2376 or file://PATH",
            )
        if not (args.swarm or args.swarm_master):
            raise UsageError(
                "--swarm-discovery has no effect alone: the machine would be in no swarm",
                resolution="add --swarm for a node, --swarm-master for the manager, or --swarm-mode manager|worker",
            )
    alone = [] if args.swarm_master else [name for name in MANAGER_FLAGS if getattr(args, name) not in (None, [])]
    alone += ["swarm_join_opt"] if args.swarm_join_opt and not args.swarm else []
    for name in alone:
        needs = "--swarm" if name == "swarm_join_opt" else "--swarm-master"
        app.console.warn(f"--{name.replace('_', '-')} has no effect without {needs}")


def _mode_of(args: argparse.Namespace) -> Membership | None:
    """What is asked of swarm mode, None for nothing. UsageError on flags that do not go together."""
    typed = ["--" + name.replace("_", "-") for name in MODE_FLAGS if getattr(args, name)]
    if not args.swarm_mode:
        if typed:
            raise UsageError(
                f"{' '.join(typed)} has no effect without --swarm-mode", resolution="add --swarm-mode manager or worker"
            )
        return None
    if args.swarm or args.swarm_master:
        raise UsageError(
            "--swarm-mode is Docker's own cluster and --swarm the classic one: a machine is in one of them",
            resolution="leave one of the two flags out; docs/swarm-mode.md compares them",
        )
    from machine.clusters.swarm_mode import membership

    return membership.check(
        membership.Membership(
            role=args.swarm_mode,
            cluster=args.swarm_discovery or membership.DEFAULT_CLUSTER,
            availability=args.swarm_availability or "active",
            address=args.swarm_addr,
            data_path=args.swarm_data_path_addr,
            autolock=args.swarm_autolock,
            cert_expiry=args.swarm_cert_expiry,
            pools=tuple(args.swarm_default_addr_pool),
        )
    )


def _dry_run(args: argparse.Namespace, app: App, wanted: CreateRequest) -> int:
    from machine.lifecycle.dry_run import describe

    for name in args.names:
        app.say("\n".join(describe(app.open_session(), name, wanted, script=args.dry_run == "script")))
    return 0
