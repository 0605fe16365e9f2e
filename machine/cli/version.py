"""`machine version [NAME...]`."""

from __future__ import annotations

from machine.errors import EngineError, EngineUntrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from machine.cli.app import App
    from machine.cli.parser import Parser

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
        from machine.cli.facts import print_facts

        print_facts(app, [_of_engine(app, name) for name in args.names], "Version", as_json=args.json)
        return 0
    from machine import __version__
    from machine.build import commit

    if args.json:
        app.say_json({"Version": __version__, "Build": commit()})
    else:
        app.say(f"{app.prog} version {__version__}, build {commit()}")
    return 0


def _of_engine(app: App, name: str) -> dict[str, Any]:
    """What a machine's engine says of itself; EngineError, which says so if the platform knows that it is off."""
    from machine.cli.connect import engine_of, why_silent

    app.machine = name
    record = app.store.load(name)
    try:
        found = engine_of(record).version()
    except EngineUntrusted:
        raise
    except EngineError as error:
        raise why_silent(app, record, error) from None
    return {"Name": name, "Version": found["Version"], "ApiVersion": found["ApiVersion"]}
