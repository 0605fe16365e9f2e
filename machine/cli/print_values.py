"""The output of commands that print one value of each machine: a line for each, or all values as JSON."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machine.cli.app import App
    from machine.cli.parser import Parser


def add_json(parser: Parser) -> None:
    """The switch --json."""
    parser.add_argument("--json", action="store_true", help="JSON: an object, or a list of them for several names")


def add_names(parser: Parser) -> None:
    """Any number of names; none means the machine called default."""
    parser.add_argument("names", nargs="*", metavar="NAME", help='Machines; without any, the one called "default"')


def print_values(app: App, objects: Sequence[dict[str, Any]], key: str, *, as_json: bool) -> None:
    """Print the value under `key` of each object, a line for each; or JSON, a list for several objects."""
    if as_json:
        app.print_json(objects[0] if len(objects) == 1 else list(objects))
    else:
        app.print_text("\n".join(str(fact[key]) for fact in objects))
