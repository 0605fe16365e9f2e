"""A command line of `machine create` as the `CreateRequest` that lifecycle takes, with what makes no sense refused."""

from __future__ import annotations

import re

from machine import engine_proxy, engine_values
from machine.cli import driver_flags
from machine.cli.create_flags import MANAGER_FLAGS, SWARM_MODE_FLAGS
from machine.clusters.swarm_mode import membership
from machine.drivers import registry
from machine.errors import UsageError, masked
from machine.lifecycle import clone, snapshot
from machine.lifecycle.clone import CloneRequest
from machine.lifecycle.current_context import CurrentContext, Wish
from machine.lifecycle.draft import CreateRequest
from machine.model import EngineOptions, SwarmOptions
from machine.options import naming_variables, resolve, variables_of
from machine.share import spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace

_TLS_OPTIONS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey")  # of dockerd; set by provisioning alone


def create_request(args: Namespace, app: App) -> CreateRequest:
    """Return what the command line asks for. Raises UsageError for values that are wrong or do not go together."""
    _check_classic_swarm(args, app)
    _check_engine_options(args)
    engine = _engine_options(args, app)
    options, typed = registry.find(args.driver).traits.options, driver_flags.typed_values(args)
    variables = _engine_variables(args, app) | variables_of(options, typed, app.environ)
    engine_proxy.check_flag(args.engine_proxy)
    with naming_variables(variables):
        engine_values.check(engine)
    wanted_clone = _clone_request(args, app, frozenset(typed))
    if wanted_clone:
        engine = clone.engine_options(app.store.load(wanted_clone.machine).engine_options(), engine)
    return CreateRequest(
        driver_name=args.driver,
        values=resolve(options, typed, app.environ),
        variables=variables,
        engine=engine,
        swarm=_swarm_options(args, app),
        sans=tuple(args.tls_san),
        docker_context=not args.no_context,
        current_context=current_context(args, app),
        swarm_mode=_swarm_mode_membership(args),
        engine_proxy=args.engine_proxy,
        keep_hostname=args.no_hostname,
        clone=wanted_clone,
        shares=_shares(args, app, wanted_clone),
    )


def _shares(args: Namespace, app: App, wanted_clone: CloneRequest | None) -> tuple[spec.Share, ...]:
    """Return the directories to be shared: those of the flags, else of the variable, else what is usual.

    Usual is the home directory for a machine on this computer. A member of a cluster, whose users would see it, too,
    gets nothing but what the flags say: the variable is set for other machines, and long ago. A clone gets what its
    source has: whoever ruled that one, and was given no files for it, rules the clone.
    """
    variable = app.environ.get("MACHINE_SHARE", "")
    if args.share is not None:
        return tuple(spec.parse_all(args.share, writable=True))
    traits = registry.find(args.driver).traits
    if args.swarm or args.swarm_master or args.swarm_mode or not traits.has_host:
        return ()
    if wanted_clone:
        return tuple(spec.from_record(app.store.load(wanted_clone.machine).shares()))
    if usual := [part for part in variable.split(",") if part]:
        return tuple(spec.parse_all(usual, writable=True))
    if not traits.shares_home:
        return ()
    home = spec.home(app.environ)
    return (spec.Share(home, True),) if home else ()


def _clone_request(args: Namespace, app: App, typed: frozenset[str]) -> CloneRequest | None:
    """Return what --from asks for, None without it. Raises UsageError if there is no such machine or snapshot."""
    if not args.source:
        return None
    name, at, tag = args.source.partition("@")
    if at:
        snapshot.check_tag(tag)
    clone.check_source(app.open_session(), name, args.driver, tag)
    return CloneRequest(name, tag, typed)


def current_context(args: Namespace, app: App) -> CurrentContext:
    """Return whether a machine becomes docker's current context, by --use and --no-use.

    Without either it does where docker has none; not for scripts written for docker-machine, which never did that.
    Raises UsageError for flags that exclude each other.
    """
    other = "--no-use" if args.no_use else "--no-context" if args.no_context else ""
    if args.use and other:
        raise UsageError(f"--use and {other} exclude each other", resolution="leave one of the two out")
    if args.use:
        return CurrentContext(Wish.ALWAYS)
    return CurrentContext(Wish.NEVER if other or app.prog == "docker-machine" else Wish.IF_NONE)


def _check_engine_options(args: Namespace) -> None:
    """Raise UsageError for an --engine-opt that decides about TLS."""
    for option in args.engine_opt:
        if option.partition("=")[0].lstrip("-") in _TLS_OPTIONS:
            raise UsageError(
                f"--engine-opt {option!r} would change how the engine is protected",
                resolution="leave it out: TLS with client certificates is what makes a machine reachable safely",
            )


def _engine_options(args: Namespace, app: App) -> EngineOptions:
    """Return the engine's options: a flag goes before its variable, and that before the default."""
    mirrors = args.engine_registry_mirror
    if mirrors is None:
        mirrors = [part for part in app.environ.get("ENGINE_REGISTRY_MIRROR", "").split(",") if part]
    install_url = args.engine_install_url or app.environ.get("MACHINE_DOCKER_INSTALL_URL")
    return EngineOptions(
        env=tuple(args.engine_env),
        insecure_registries=tuple(args.engine_insecure_registry),
        install_url=install_url or EngineOptions().install_url,
        labels=tuple(args.engine_label),
        flags=tuple(args.engine_opt),
        registry_mirrors=tuple(mirrors),
        storage_driver=args.engine_storage_driver,
    )


def _engine_variables(args: Namespace, app: App) -> dict[str, str]:
    """Return the variables that the engine's options are from, by the flags that were not given."""
    from_environment = {}
    if not args.engine_install_url and app.environ.get("MACHINE_DOCKER_INSTALL_URL"):
        from_environment["engine-install-url"] = "MACHINE_DOCKER_INSTALL_URL"
    if args.engine_registry_mirror is None and app.environ.get("ENGINE_REGISTRY_MIRROR"):
        from_environment["engine-registry-mirror"] = "ENGINE_REGISTRY_MIRROR"
    return from_environment


def _swarm_options(args: Namespace, app: App) -> SwarmOptions:
    """Return the options of classic swarm; --swarm-discovery and --swarm-addr belong to swarm mode beside its flag."""
    default = SwarmOptions()
    image = app.environ.get("MACHINE_SWARM_IMAGE", "") if args.swarm_image is None else args.swarm_image
    return SwarmOptions(
        is_swarm=args.swarm or args.swarm_master,
        master=args.swarm_master,
        is_node=args.swarm,
        discovery="" if args.swarm_mode else args.swarm_discovery,
        address="" if args.swarm_mode else args.swarm_addr,
        host=default.host if args.swarm_host is None else args.swarm_host,
        image=image or default.image,
        strategy=default.strategy if args.swarm_strategy is None else args.swarm_strategy,
        flags=tuple(args.swarm_opt),
        join_flags=tuple(args.swarm_join_opt),
        experimental=args.swarm_experimental,
        use_containers=bool(image),
    )


def _check_classic_swarm(args: Namespace, app: App) -> None:
    """Raise UsageError for a bad --swarm-discovery or a --swarm-addr of no swarm; warn of flags that have no effect.

    A manager's flags without --swarm-master are only warned of: scripts that were written for docker-machine give them
    to every machine of a swarm.
    """
    if args.swarm_discovery and not args.swarm_mode:
        _check_discovery(args)
    if args.swarm_addr and not (args.swarm or args.swarm_master or args.swarm_mode):
        raise UsageError(
            "--swarm-addr has no effect alone: the machine would be in no swarm",
            resolution="add --swarm for a node, --swarm-master for the manager, or --swarm-mode manager|worker",
        )
    without_effect = []
    if not args.swarm_master:
        without_effect += [(name, "--swarm-master") for name in MANAGER_FLAGS if getattr(args, name) not in (None, [])]
    if args.swarm_join_opt and not args.swarm:
        without_effect.append(("swarm_join_opt", "--swarm"))
    for name, needed in without_effect:
        app.console.warn(f"{flag_of(name)} has no effect without {needed}")


def _check_discovery(args: Namespace) -> None:
    """Raise UsageError for a --swarm-discovery that is no URL of a discovery store, or that no swarm uses."""
    url = args.swarm_discovery
    if re.fullmatch(r"[0-9a-f]{32}", url):
        raise UsageError("--swarm-discovery has a bare token", resolution="write it as --swarm-discovery token://TOKEN")
    if not re.fullmatch(r"[^:]*://.*", url):
        raise UsageError(
            f"--swarm-discovery {masked(url)!r} is not a discovery URL",
            resolution="write it as token://TOKEN, nodes://a:2376,b:2376 or file://PATH",
        )
    if not (args.swarm or args.swarm_master):
        raise UsageError(
            "--swarm-discovery has no effect alone: the machine would be in no swarm",
            resolution="add --swarm for a node, --swarm-master for the manager, or --swarm-mode manager|worker",
        )


def _swarm_mode_membership(args: Namespace) -> membership.Membership | None:
    """Return the membership in swarm mode that is asked for, None for none.

    Raises UsageError for flags that do not fit.
    """
    typed = [flag_of(name) for name in SWARM_MODE_FLAGS if getattr(args, name)]
    if not args.swarm_mode:
        if typed:
            raise UsageError(
                f"{' '.join(typed)} has no effect without --swarm-mode", resolution="add --swarm-mode manager or worker"
            )
        return None
    if args.swarm or args.swarm_master:
        raise UsageError(
            "--swarm-mode is Docker's own cluster and --swarm the classic one: a machine is in one of them",
            resolution="leave one of the two flags out",
        )
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


def flag_of(name: str) -> str:
    """Return the flag whose value is the attribute `name` of the parsed arguments."""
    return "--" + name.replace("_", "-")
