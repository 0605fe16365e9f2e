"""What the reading commands print: one fact of each machine, a line for each, or all that is known as JSON."""

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


def print_facts(app: App, facts: Sequence[dict[str, Any]], shown: str, *, as_json: bool) -> None:
    """The value under `shown` of each, a line for each; or JSON, an object if there is one and a list if not."""
    if as_json:
        app.say_json(facts[0] if len(facts) == 1 else list(facts))
    else:
        app.say("\n".join(str(fact[shown]) for fact in facts))
