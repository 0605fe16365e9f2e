"""`machine status [NAME]`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print the state of a machine as its platform tells it: Running, Stopped, Paused, Saved, Missing, ..."


def add_arguments(parser: Parser) -> None:
    """One optional name."""
    parser.add_argument("name", nargs="?", metavar="NAME", help='A machine; without one, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """One word. Asks the platform; errors are the driver's."""
    record = app.store.load(app.name(args.name))
    from machine.cli.acting import world_of
    from machine.lifecycle.world import open_driver

    app.say(str(open_driver(world_of(app), record).state()))
    return 0
