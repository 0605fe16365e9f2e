"""`machine version [NAME...]`."""

from __future__ import annotations

from machine.errors import EngineError, EngineUntrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = "Print this program's version; with names, the versions of those machines' Docker Engines."


def add_arguments(parser: Parser) -> None:
    """Any number of names."""
    parser.add_argument("--json", action="store_true", help="JSON: an object, or a list of them for several names")
    parser.add_argument("names", nargs="*", metavar="NAME", help="Machines")


def run(args: Namespace, app: App) -> int:
    """A line on stdout, or one for each machine. Errors: as `machine config NAME`.

    JSON has Version and Build; of a machine Name, Version and ApiVersion.
    """
    if args.names:
        from machine.cli.print_values import print_values

        print_values(app, [_engine_version(app, name) for name in args.names], "Version", as_json=args.json)
        return 0
    from machine import __version__
    from machine.build import commit

    if args.json:
        app.print_json({"Version": __version__, "Build": commit()})
    else:
        app.print_text(f"{app.prog} version {__version__}, build {commit()}")
    return 0


def _engine_version(app: App, name: str) -> dict[str, Any]:
    """Return the version of a machine's engine, for JSON.

    Raises EngineError, which names the state if the machine is off.
    """
    from machine.cli.connect import engine_of, silent_engine_error

    app.machine = name
    record = app.store.load(name)
    try:
        version = engine_of(record).version()
    except EngineUntrusted:
        raise
    except EngineError as error:
        raise silent_engine_error(app, record, error) from None
    return {"Name": name, "Version": version["Version"], "ApiVersion": version["ApiVersion"]}
