"""`machine inspect [NAME]`."""

from __future__ import annotations

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print a machine's record as JSON, or through a template. Reads the record only."


def add_arguments(parser: Parser) -> None:
    """One optional name, the template."""
    parser.add_argument("--format", "-f", metavar="TEMPLATE", help="Go template over the JSON, as docs/templates.md")
    parser.add_argument("--json", action="store_true", help="JSON in one line")
    parser.add_argument("name", nargs="?", metavar="NAME", help='A machine; without one, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """JSON with 4 spaces of indent, or the template's result and a newline."""
    if args.json and args.format:
        raise UsageError("--json and --format exclude each other", resolution="--format '{{json .}}'")
    record = app.store.load(app.name(args.name))
    if args.format:
        from machine.template import render

        app.say(render(args.format, record.shown()))
        return 0
    app.say_json(record.shown(), indent=None if args.json else 4)
    return 0
