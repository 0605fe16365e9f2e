"""`machine inspect [NAME]`."""

from __future__ import annotations

from machine.cli.print_values import add_names
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = "Print records of machines as JSON, or through a template. Reads the records only."


def add_arguments(parser: Parser) -> None:
    """Any number of names, the template."""
    parser.add_argument("--format", "-f", metavar="TEMPLATE", help="Go template over what --json shows")
    parser.add_argument("--json", action="store_true", help="JSON in one line")
    add_names(parser)


def run(args: Namespace, app: App) -> int:
    """JSON with 4 spaces of indent, a list for several names; or the template's result, a line for each."""
    if args.json and args.format:
        raise UsageError("--json and --format exclude each other", resolution="--format '{{json .}}'")
    documents = [app.store.load(name).redacted() for name in app.names(args.names)]
    if args.format:
        from machine.template import render

        app.print_text("\n".join(render(args.format, shown) for shown in documents))
        return 0
    app.print_json(documents[0] if len(documents) == 1 else documents, indent=None if args.json else 4)
    return 0
