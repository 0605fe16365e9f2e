"""`machine status [NAME...]`."""

from __future__ import annotations

from machine.cli.print_values import add_json, add_names, print_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Print the states of machines as their platforms report them, one per line, in the order of the names.

Running, Stopped, Paused, Saved, Starting, Stopping, Missing, Timeout or Error; `machine ls` asks all at once."""


def add_arguments(parser: Parser) -> None:
    """Any number of names."""
    add_json(parser)
    add_names(parser)


def run(args: Namespace, app: App) -> int:
    """A word for each. Asks the platforms; errors are the drivers'. JSON has Name, State and Phase."""
    records = [app.store.load(name) for name in app.names(args.names)]
    from machine.lifecycle.driver_record import open_driver

    found = []
    for record in records:
        app.machine = record.name
        state = str(open_driver(app.open_session(), record).state())
        found.append({"Name": record.name, "State": state, "Phase": record.phase})
    print_values(app, found, "State", as_json=args.json)
    return 0
