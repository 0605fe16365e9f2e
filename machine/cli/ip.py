"""`machine ip [NAME...]`."""

from __future__ import annotations

from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print the addresses of machines as last seen, one per line, in the order of the names."


def add_arguments(parser: Parser) -> None:
    """Any number of names."""
    parser.add_argument("names", nargs="*", metavar="NAME", help='Machines; without any, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """All addresses, or an error and nothing. Reads the records only."""
    found = []
    for name in app.names(args.names):
        record = app.store.load(name)
        if not record.address():
            raise MachineError(
                f"the address of {name} is not known",
                details=f"its creation came as far as: {record.phase}",
                resolution=f"machine start {name}, or machine create --resume {name} if it was never ready",
            )
        found.append(record.address())
    app.say("\n".join(found))
    return 0
