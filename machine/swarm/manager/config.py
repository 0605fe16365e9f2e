"""The settings of a manager, made from the flags of `manage`, which are those of swarmd's backend `swarm` too."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from machine.errors import UsageError
from machine.swarm.cli_flags import ParsedArgs, key_value_pairs, percent, seconds
from machine.swarm.cluster import Settings, ledger, signing
from machine.swarm.discovery import Discovery, DiscoveryError, from_url
from machine.swarm.discovery.ranges import address
from machine.swarm.http.address import tls_from_flags
from machine.swarm.manager.manager import ManagerConfig
from machine.swarm.scheduler import DEFAULT_FILTERS, FILTERS, STRATEGIES

_MIN, _MAX = "--engine-refresh-min-interval", "--engine-refresh-max-interval"
_RETRY = "--engine-failure-retry"


def manager_config_from(
    args: ParsedArgs, environ: Mapping[str, str], registry: str, discovery: Discovery | None = None
) -> ManagerConfig:
    """What the command line of `manage` means. Raises UsageError if a flag is missing or wrong.

    `discovery`, if any, is used instead of one named there.
    """
    discovery = discovery or _discovery(args, environ, registry)
    cluster_options = key_value_pairs(args.all("--cluster-opt"), "--cluster-opt")
    settings = Settings(
        strategy=_strategy(args.text("--strategy")),
        filters=_filters(args.all("--filter")),
        overcommit=percent(cluster_options.get("swarm.overcommit", "0.05")),
        createretry=_whole_number(cluster_options.get("swarm.createretry", "0"), "swarm.createretry"),
        refresh_min=seconds(args.text("--engine-refresh-min-interval"), "--engine-refresh-min-interval"),
        refresh_max=seconds(args.text("--engine-refresh-max-interval"), "--engine-refresh-max-interval"),
        retry=_whole_number(args.text("--engine-failure-retry"), "--engine-failure-retry"),
        heartbeat=seconds(args.text("--heartbeat"), "--heartbeat"),
        cors=args.on("--api-enable-cors"),
    )
    _check_settings(settings)
    if args.on("--replication") and not args.text("--advertise"):
        raise UsageError("missing mandatory --advertise flag", resolution="--advertise HOST:PORT, our address")
    if args.on("--replication"):
        _check_advertised(args.text("--advertise"))
    if args.text("--engine-refresh-retry") not in ("", "3"):
        raise UsageError("--engine-refresh-retry is called --engine-failure-retry")
    if args.text("--cluster-driver") != "swarm":
        raise UsageError(f"there is no cluster driver {args.text('--cluster-driver')!r}; there is swarm")
    state = _state_directory(args.text("--registry") or registry, environ)
    own_key = os.path.join(state, signing.KEY_FILE)
    return ManagerConfig(
        discovery=discovery,
        settings=settings,
        tls=tls_from_flags(args.switches(), environ),
        replication=args.on("--replication"),
        advertise=args.text("--advertise"),
        ttl=_replication_ttl(args.text("--replication-ttl")),
        key_file=cluster_options.get("swarm.key") or own_key,
        key_named=bool(cluster_options.get("swarm.key")),
        older_key_file=own_key,
        ledger_file=os.path.join(state, ledger.FILE),
    )


def _replication_ttl(text: str) -> int:
    """The ttl of the primary's lease, in the whole seconds that stores count. Raises UsageError below one second."""
    ttl = seconds(text, "--replication-ttl")
    if ttl < 1:
        raise UsageError("--replication-ttl should be at least one second", resolution="--replication-ttl 20s")
    return round(ttl)


def _discovery(args: ParsedArgs, environ: Mapping[str, str], registry: str) -> Discovery:
    """Return the discovery that the command line or the environment names.

    Raises UsageError if there is none of that kind.
    """
    try:
        return from_url(
            args.one_url(environ.get("SWARM_DISCOVERY", "")),
            registry=args.text("--registry") or registry,
            options=key_value_pairs(args.all("--discovery-opt"), "--discovery-opt"),
            environ=environ,
        )
    except DiscoveryError as error:
        raise UsageError(str(error), resolution=error.resolution) from error


def _check_advertised(text: str) -> None:
    """Raises UsageError for an address that replicas would not take from the discovery."""
    try:
        address(text)
    except DiscoveryError as error:
        raise UsageError(f"--advertise: {error}", resolution="--advertise HOST:PORT, our address") from error


def _state_directory(registry: str, environ: Mapping[str, str]) -> str:
    """Return the directory for what a manager keeps: that of its registry, else systemd's for it, else the user's.

    https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#RuntimeDirectory= ,
    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if registry:
        return os.path.dirname(os.path.abspath(registry))
    if environ.get("STATE_DIRECTORY"):
        return environ["STATE_DIRECTORY"].partition(":")[0]
    home = environ.get("HOME") or os.path.expanduser("~")
    base = environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return os.path.join(base, "machine-swarm")


def _check_settings(settings: Settings) -> None:
    """Raise UsageError, worded as classic Swarm has it, for settings out of their range."""
    if settings.refresh_min <= 0:
        raise UsageError("min refresh interval should be a positive number", resolution=f"{_MIN} 30s")
    if settings.refresh_max < settings.refresh_min:
        raise UsageError(
            "max refresh interval cannot be less than min refresh interval", resolution=f"{_MIN} 30s {_MAX} 60s"
        )
    if settings.retry < 1:
        raise UsageError("invalid failure retry count: it should be a positive number", resolution=f"{_RETRY} 3")
    if settings.heartbeat < 1:
        raise UsageError("--heartbeat should be at least one second", resolution="--heartbeat 60s")


def _strategy(name: str) -> str:
    if name not in STRATEGIES:
        raise UsageError(f"there is no strategy {name!r}", resolution="choose spread, binpack or random")
    return name


def _filters(names: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in FILTERS]
    if unknown:
        raise UsageError(f"there is no filter {unknown[0]!r}", resolution=f"choose among {', '.join(FILTERS)}")
    return tuple(names) or DEFAULT_FILTERS


def _whole_number(text: str, name: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(f"{name} must be a whole number, not {text!r}")
    return int(text)
