"""`machine version [NAME]`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print this program's version; with a name, the version of that machine's Docker Engine."


def add_arguments(parser: Parser) -> None:
    """One optional name."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="A machine")


def run(args: Namespace, app: App) -> int:
    """One line on stdout. Errors: as `machine config NAME`."""
    if args.name:
        from machine.cli.connect import engine_of

        app.say(str(engine_of(app.store.load(args.name)).version()["Version"]))
        return 0
    from machine import __version__

    app.say(f"{app.prog} version {__version__}")
    return 0
