"""`machine env [NAME]`."""

from __future__ import annotations

import os

from machine.cli import expiry, shells
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.store import Record

HELP = """Print what points the docker client at a machine; run it as: eval "$(machine env NAME)"

The engine must answer first; if it does not, nothing is printed to stdout and the status is 1. Values are quoted for
the shell. Without --shell that is the one in $SHELL (sh for one that is not known here), without $SHELL it is sh (on
Windows cmd or powershell). A comment in the output says which directories bind mounts show."""

_KEYS = ("DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME")
_COMPOSE = "COMPOSE_CONVERT_WINDOWS_PATHS"
_SHOWN, _LONGEST = 5, 200  # shares that are named in a comment, and characters of each


def add_arguments(parser: Parser) -> None:
    """One optional name, the shell, and what to print."""
    parser.add_argument("--swarm", action="store_true", help="The classic swarm that the machine is master of")
    parser.add_argument("--shell", metavar="SHELL", help=f"{', '.join(shells.KNOWN)}; else by $SHELL")
    parser.add_argument("--unset", "-u", action="store_true", help="Unset the variables instead")
    parser.add_argument("--no-proxy", action="store_true", help="Also keep the machine's address off the proxy")
    parser.add_argument("name", nargs="?", metavar="NAME", help='A machine; without one, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """The lines, once the engine has answered over TLS; on any error nothing is on stdout, so that eval is safe.

    Without $SHELL the lines are for sh. A machine without TLS (driver none) unsets the variables of TLS.
    """
    windows = os.name == "nt"
    shell = shells.chosen(args.shell) if args.shell else shells.detect(app.environ, windows=windows)
    if args.unset:
        if args.name:
            raise UsageError("Expected no machine name when the -u flag is present", resolution=f"{app.prog} env -u")
        values, remark = unset_values(app.environ, no_proxy=args.no_proxy, windows=windows), ""
    else:
        record = app.store.load(app.name(args.name))
        values = _values(args, app, record, windows=windows)
        remark = about_bind_mounts(record, swarm=args.swarm)
    lines = [
        shells.unset_line(shell, key) if value is None else shells.set_line(shell, key, value) for key, value in values
    ]
    lines += [shells.remark(shell, remark)] if remark else []
    app.print_raw("\n".join([*lines, shells.hint(shell, _typed_command(args, app))]))
    return 0


def about_bind_mounts(record: Record, *, swarm: bool) -> str:
    """What `docker run -v` shows from now on, in one line; "" where the engine may be one of this computer."""
    if swarm:
        return "Bind mounts (-v) show directories of the host that runs the container, not of this computer"
    if record.is_only_url():
        return ""
    shares = sorted(record.shares().items())
    if not shares:
        return f"Bind mounts (-v) show directories of {record.name}: machine share {record.name} PATH"
    shown = [
        f"{path[:_LONGEST]} ({'rw' if isinstance(about, dict) and about.get('Writable') is True else 'ro'})"
        for path, about in shares[:_SHOWN]
    ]
    shown += [f"{len(shares) - _SHOWN} more"] if len(shares) > _SHOWN else []
    return f"Bind mounts (-v) show files of this computer in {', '.join(shown)}, elsewhere those of {record.name}"


def unset_values(environ: Mapping[str, str], *, no_proxy: bool, windows: bool) -> list[tuple[str, str | None]]:
    """Every variable that `env` may have set, None for its value; the proxy's only if asked for."""
    values: list[tuple[str, str | None]] = [(key, None) for key in _KEYS]
    if windows:
        values.append((_COMPOSE, None))
    if no_proxy:
        values.append((proxy_variable(environ), None))
    return values


def set_values(url: str, cert_dir: str, name: str, *, windows: bool) -> list[tuple[str, str | None]]:
    """The variables of a machine; `cert_dir` "" for one without TLS, whose variables of TLS are to be unset."""
    values: list[tuple[str, str | None]] = [
        ("DOCKER_TLS_VERIFY", "1" if cert_dir else None),
        ("DOCKER_HOST", url),
        ("DOCKER_CERT_PATH", cert_dir or None),
        ("DOCKER_MACHINE_NAME", name),
    ]
    if windows:
        values.append((_COMPOSE, "true"))
    return values


def _values(args: Namespace, app: App, record: Record, *, windows: bool) -> list[tuple[str, str | None]]:
    from machine.cli.connect import at_work, certificates, check_engine, url_of

    url = url_of(record, swarm=args.swarm)
    secure = certificates(record) is not None
    if not url.startswith(("unix:", "npipe:")):
        check_engine(app, record, url, is_manager=args.swarm)
    expiry.warn(app, [record])
    if not record.reached("ready"):
        from machine.cli.report import in_store

        busy = at_work(record)
        app.console.warn(
            f"{record.name} is incomplete (create got as far as '{record.phase}'): "
            + (busy or in_store(f"machine create --resume {record.name} finishes it", app.flags.typed_store()))
        )
    values = set_values(url, record.cert_dir() if secure else "", record.name, windows=windows)
    if args.no_proxy:
        key = proxy_variable(app.environ)
        values.append((key, with_address(app.environ.get(key, ""), record.address())))
    return values


def proxy_variable(environ: Mapping[str, str]) -> str:
    """no_proxy if that is set, else NO_PROXY."""
    return "no_proxy" if environ.get("no_proxy") else "NO_PROXY"


def with_address(no_proxy: str, address: str) -> str:
    """Return the list `no_proxy`, separated by commas, with `address` in it once."""
    addresses = no_proxy.split(",") if no_proxy else []
    if address and address not in addresses:
        addresses.append(address)
    return ",".join(addresses)


_SWITCHES = {"--swarm": "swarm", "--no-proxy": "no_proxy", "-u": "unset"}


def _typed_command(args: Namespace, app: App) -> list[str]:
    """Return the command that was typed, for the hint."""
    argv = [app.prog]
    if app.flags.typed_store():
        argv += ["-s", app.flags.typed_store()]
    argv.append("env")
    if args.shell:
        argv += ["--shell", args.shell]
    argv += [flag for flag, typed in _SWITCHES.items() if getattr(args, typed)]
    if args.name:
        argv.append(args.name)
    return argv
