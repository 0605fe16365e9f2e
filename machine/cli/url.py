"""`machine url [NAME]`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print the URL of a machine's engine, as DOCKER_HOST wants it. Reads the record only."


def add_arguments(parser: Parser) -> None:
    """One optional name."""
    parser.add_argument("name", nargs="?", metavar="NAME", help='A machine; without one, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """One line: tcp://host:port."""
    from machine.cli.connect import url_of

    app.say(url_of(app.store.load(app.name(args.name))))
    return 0
