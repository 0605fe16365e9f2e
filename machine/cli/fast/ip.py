"""`machine ip [NAME...]`."""

from __future__ import annotations

from machine.cli.print_values import add_json, add_names, print_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = "Print the addresses of machines as last seen, one per line, in the order of the names."


def add_arguments(parser: Parser) -> None:
    """Any number of names."""
    add_json(parser)
    add_names(parser)


def run(args: Namespace, app: App) -> int:
    """All addresses, or an error and nothing. Reads the records only. JSON has Name and IP."""
    addresses = []
    for name in app.names(args.names):
        record = app.store.load(name)
        if not record.address():
            from machine.cli.connect import no_address_error

            raise no_address_error(record)
        addresses.append({"Name": name, "IP": record.address()})
    print_values(app, addresses, "IP", as_json=args.json)
    return 0
