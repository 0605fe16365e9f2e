"""machine create [-d DRIVER] [FLAGS] NAME..."""

from __future__ import annotations

from machine.drivers import registry
from machine.errors import DriverError, PreflightFailed, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.drivers.base import Driver
    from machine.lifecycle.current_context import CurrentContext
    from machine.lifecycle.draft import CreateRequest

_DRIVERS = list(registry.TABLE)
HELP = f"""Create machines: a host on some platform, Docker on it, behind TLS. Several names are made at the same time.

  machine create dev
  machine create -d amazonec2 --amazonec2-region eu-central-1 web1 web2

The drivers are {", ".join(_DRIVERS[:-1])} and {_DRIVERS[-1]}, and those that plugins
bring: `machine drivers` shows what each needs. `machine create -d DRIVER --help` shows the flags of one."""

# Flags of the engine and of clusters that --resume would pass over, as attributes of the parsed arguments.
_RECORDED_FLAGS = (
    "no_hostname",
    "share",
    "tls_san",
    "engine_opt",
    "engine_env",
    "engine_proxy",
    "engine_label",
    "engine_insecure_registry",
    "engine_registry_mirror",
    "engine_storage_driver",
    "swarm",
    "swarm_master",
    "swarm_discovery",
    "swarm_addr",
    "swarm_opt",
    "swarm_join_opt",
    "swarm_experimental",
    "swarm_mode",
)
_RECORDED_FLAGS_OR_NONE = ("swarm_host", "swarm_image", "swarm_strategy")  # "" counts as typed, None does not


def add_arguments(parser: Parser) -> None:
    """Add the flags of every driver's create, and those of the driver that is meant."""
    from machine.cli import create_flags, driver_flags

    name = driver_flags.driver_from_argv(parser)
    create_flags.add_create_flags(parser, name, registry.DEFAULT)
    create_flags.add_engine_flags(parser)
    create_flags.add_classic_swarm_flags(parser)
    create_flags.add_swarm_mode_flags(parser)
    driver_flags.add_options(parser, name, _driver(parser, name).traits.options)
    parser.explain_unknown.append(lambda flag: driver_flags.other_driver_resolution(flag, name))
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of the machines")


def find_driver(name: str) -> type[Driver]:
    """Return the class of a driver that was named on the command line. Raises UsageError if there is no such driver."""
    try:
        return registry.find(name)
    except PreflightFailed:
        raise
    except DriverError as error:
        raise UsageError(error.brief, details=error.details, resolution=error.resolution) from None


def _driver(parser: Parser, name: str) -> type[Driver]:
    """Return the driver's class. The UsageError for an unknown one names $MACHINE_DRIVER if the name is from there."""
    try:
        return find_driver(name)
    except UsageError as error:
        if name == parser.environ.get("MACHINE_DRIVER") and name not in parser.argv:
            error.resolution = f"unset MACHINE_DRIVER, which says {name!r}, or choose another driver with -d"
        raise


def run(args: Namespace, app: App) -> int:
    """Create the machines and return the exit status.

    It is 0 when every machine is ready, 3 when the checks before one failed and nothing was made, else 1.
    """
    from machine import names
    from machine.cli.create_request import create_request

    if not args.names:
        raise _no_name_error(args, app)
    if args.resume:
        return _resume(args, app)
    for name in args.names:
        names.check(name)  # all of them before the first is made
    _check_one_host(args)
    request = create_request(args, app)
    if args.dry_run:
        return _dry_run(args, app, request)

    if request.clone and not request.clone.tag and not all(map(app.store.exists, args.names)):
        return _clone_now(args, app, request)
    return _create(args, app, request)


def _clone_now(args: Namespace, app: App, request: CreateRequest) -> int:
    """Make clones of a machine as it is: of a snapshot that is made for that, and removed when no clone needs it."""
    from dataclasses import replace

    from machine.lifecycle import clone

    if request.clone is None:
        return 0
    source, session = request.clone.machine, app.open_session()
    with clone.snapshot_for_clones(session, source) as tag:
        return _create(args, app, replace(request, clone=replace(request.clone, tag=tag)))


def _create(args: Namespace, app: App, request: CreateRequest) -> int:
    """Create the machines in parallel and return the exit status."""
    from machine.cli.machine_action import on_each
    from machine.lifecycle import create
    from machine.lifecycle.existing import resume_resolution

    def after_interrupt(unfinished_names: Sequence[str]) -> str:
        return resume_resolution(app.store, unfinished_names)

    make = create.create_if_missing if args.if_missing else create.create
    status = on_each(
        app,
        args.names,
        lambda session, name: make(session, name, request),
        load=False,
        interrupt_resolution=after_interrupt,
    )
    if status == 0:
        _print_env_command(app, args.names[-1], request.current_context)
    return status


def _no_name_error(args: Namespace, app: App) -> UsageError:
    """Return the error for a create without a name; of --resume, with the name if only one machine is incomplete."""
    from machine.lifecycle.existing import incomplete_names

    if not args.resume:
        return UsageError("create needs a name for the machine", resolution="machine create dev")
    incomplete = incomplete_names(app.store)
    name = incomplete[0] if len(incomplete) == 1 else "NAME"
    several = f"; incomplete are {', '.join(incomplete)}" if len(incomplete) > 1 else ""
    none = "; no machine of this store is incomplete" if not incomplete else ""
    return UsageError(
        "create --resume needs the name of a machine", resolution=f"machine create --resume {name}{several}{none}"
    )


def _print_env_command(app: App, name: str, current: CurrentContext) -> None:
    """Say how docker is pointed at a machine that is ready, and at its classic swarm if this store has its master.

    Nothing of the former if docker talks to it now.
    """
    from machine import docker_config

    record = app.store.load(name)
    if registry.find(record.driver_name).traits.has_host and not record.shares():
        app.console.info(
            f"Bind mounts (-v) show directories of {name}: machine share {name} PATH gives it one of this computer's"
        )
    if current.machine != name or docker_config.selection(app.environ)[0] != "currentContext":
        app.console.info(f'To point docker at it: eval "$({_env_command(app, name)})"')
    if master := _swarm_master(app, name):
        app.console.info(f'or at its whole classic swarm: eval "$({_env_command(app, "--swarm", master)})"')


def _swarm_master(app: App, name: str) -> str:
    """Return the master of the machine's classic swarm: the machine itself, else one of this store; "" without one."""
    from machine.clusters.classic import membership

    own = app.store.load(name).swarm_options()
    if own.master:
        return name
    if not (own.is_swarm and own.discovery):
        return ""
    return next((other.name for other in membership.masters(app.store, own.discovery)), "")


def _resume(args: Namespace, app: App) -> int:
    """Continue the creation of the machines and return the exit status."""
    from machine import engine_values
    from machine.cli.create_request import current_context
    from machine.cli.machine_action import on_each
    from machine.lifecycle import create
    from machine.lifecycle.existing import resume_resolution

    _check_resume(args, app)
    current = current_context(args, app)
    install_url = args.engine_install_url or ""
    if install_url:
        engine_values.check_install_url(install_url)
    status = on_each(
        app,
        args.names,
        lambda session, name: create.resume(session, name, not args.no_context, install_url, current),
        interrupt_resolution=lambda unfinished: resume_resolution(app.store, unfinished),
    )
    if status == 0:
        _print_env_command(app, args.names[-1], current)
    return status


def _check_one_host(args: Namespace) -> None:
    """Raise UsageError for several names and a host that is there already: one host is one machine."""
    names = list(dict.fromkeys(args.names))
    if len(names) > 1 and registry.find(args.driver).traits.existing_host:
        raise UsageError(
            f"one host is one machine: the driver {args.driver} cannot make {' and '.join(names)} of it",
            resolution=f"create each with the address of a host of its own, beginning with {names[0]}",
        )


def _check_resume(args: Namespace, app: App) -> None:
    """Raise UsageError for flags that exclude --resume, and for those that it would pass over."""
    from machine.cli import driver_flags
    from machine.cli.create_flags import SWARM_MODE_FLAGS

    if args.dry_run or args.if_missing:
        other = "--dry-run" if args.dry_run else "--if-missing"
        raise UsageError(f"--resume and {other} exclude each other", resolution=f"leave {other} out")
    app.store.require(*args.names)
    typed = [name for name in (*_RECORDED_FLAGS, *SWARM_MODE_FLAGS) if getattr(args, name)]
    typed += [name for name in _RECORDED_FLAGS_OR_NONE if getattr(args, name) is not None]
    usual = app.environ.get("MACHINE_DRIVER") or registry.DEFAULT
    if any(args.driver not in (usual, app.store.load(name).driver_name) for name in args.names):
        typed.append("driver")
    flags = " ".join("--" + name.replace("_", "-") for name in [*typed, *driver_flags.typed_values(args)])
    if flags:
        names = " ".join(args.names)
        raise UsageError(
            f"--resume keeps what create was given, and would pass over {flags}",
            resolution=f"leave that out: machine create --resume {names}; or machine rm {names}, and create it again",
        )


def _env_command(app: App, *arguments: str) -> str:
    """Return the command `env` with these arguments; it names the store if the command line named one."""
    import shlex

    store = ["-s", app.flags.typed_store()] if app.flags.typed_store() else []
    return shlex.join([app.prog, *store, "env", *arguments])


def _dry_run(args: Namespace, app: App, request: CreateRequest) -> int:
    """Print what create would do with each machine, and return exit status 0."""
    from machine.lifecycle.dry_run import describe

    for name in dict.fromkeys(args.names):
        app.print_text("\n".join(describe(app.open_session(), name, request, script=args.dry_run == "script")))
    return 0
