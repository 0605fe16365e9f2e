"""`machine url [NAME...]`."""

from __future__ import annotations

from machine.cli.print_values import add_json, add_names, print_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = "Print the URLs of machines' engines, as DOCKER_HOST wants them. Reads the records only."


def add_arguments(parser: Parser) -> None:
    """Any number of names."""
    add_json(parser)
    add_names(parser)


def run(args: Namespace, app: App) -> int:
    """A line for each: tcp://host:port. All of them, or an error and nothing. JSON has Name and URL."""
    from machine.cli.connect import url_of

    found = [{"Name": name, "URL": url_of(app.store.load(name))} for name in app.names(args.names)]
    print_values(app, found, "URL", as_json=args.json)
    return 0
