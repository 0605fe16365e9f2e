"""`machine version [NAME...]`."""

from __future__ import annotations

from machine.errors import EngineError, EngineUntrusted, MachineError

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
        return _engine_versions(args, app)
    from machine import __version__
    from machine.build import commit

    if args.json:
        app.print_json({"Version": __version__, "Build": commit()})
    else:
        app.print_text(f"{app.prog} version {__version__}, build {commit()}")
    return 0


def _engine_versions(args: Namespace, app: App) -> int:
    """Print the versions of those engines that answer, then the errors of the others; return the exit status."""
    from machine.cli.machine_action import report, status_of
    from machine.cli.print_values import print_values

    app.store.require(*args.names)
    found: list[dict[str, Any]] = []
    failures: dict[str, MachineError] = {}
    for name in args.names:
        try:
            found.append(_engine_version(app, name))
        except MachineError as error:
            if len(args.names) == 1:
                raise
            failures[name] = error
    if args.json and len(args.names) > 1:
        app.print_json(found)
    elif found:
        print_values(app, found, "Version", as_json=args.json)
    for name, failure in failures.items():
        report(app, name, failure)
    return status_of(list(dict.fromkeys(args.names)), failures)


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
