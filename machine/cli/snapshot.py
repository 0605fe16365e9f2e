"""`machine snapshot NAME TAG`, `machine snapshot ls|restore|rm NAME ...`."""

from __future__ import annotations

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Keep states of a machine, and come back to them: its disk, and its memory if it runs.

  machine snapshot dev before-upgrade           make a snapshot
  machine snapshot ls dev                       list those of a machine
  machine snapshot restore dev before-upgrade   come back to it; what the machine is now is lost
  machine snapshot rm dev before-upgrade        remove it

For machines of this computer (drivers qemu and virtualbox). `machine create --from dev@before-upgrade NEW` makes
another machine of a snapshot."""
VERBS = ("ls", "restore", "rm", "create")


def add_arguments(parser: Parser) -> None:
    """What to do, the machine, and the tag."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="ls, restore or rm, if no snapshot is to be made; a machine; a tag"
    )
    parser.add_argument("--json", action="store_true", help="List as JSON")


def run(args: Namespace, app: App) -> int:
    """Return exit status 0. Raises UsageError for words that make no sense, DriverError if it fails."""
    from machine.lifecycle import snapshot

    verb, names = parse(args.words)
    if args.json and verb != "ls":
        raise UsageError("--json is for the list of snapshots", resolution="machine snapshot ls NAME --json")
    if verb == "ls":
        return _list(app, names[0], as_json=args.json)
    action = {"create": snapshot.take, "restore": snapshot.restore, "rm": snapshot.remove}[verb]
    app.store.require(names[0])
    for tag in names[1:]:
        action(app.open_session(), names[0], tag)
    return 0


def parse(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return what to do and with what: a machine and tags. The verb may stand before or behind the machine.

    Raises UsageError if there are too few words or too many.
    """
    rest = list(words)
    place = next((number for number, word in enumerate(rest[:2]) if word in VERBS), -1)
    verb = rest.pop(place) if place >= 0 else "create"
    most = {"ls": 1, "rm": 1 << 10}.get(verb, 2)
    if len(rest) < min(most, 2) or len(rest) > most:
        usage = {"ls": "ls NAME", "create": "NAME TAG", "rm": "rm NAME TAG..."}.get(verb, f"{verb} NAME TAG")
        raise UsageError(
            f"snapshot {' '.join(words)}".strip() + " has too many or too few words",
            resolution=f"machine snapshot {usage}",
        )
    return verb, rest


def _list(app: App, name: str, *, as_json: bool) -> int:
    import json

    from machine.cli.text_table import print_table
    from machine.lifecycle.snapshot import list_snapshots

    app.store.require(name)
    found = list_snapshots(app.open_session(), name)
    if as_json:
        rows = [{"Tag": one.tag, "Made": one.made, "Memory": one.memory} for one in found]
        app.print_text(json.dumps(rows, indent=2))
        return 0
    print_table(
        app, [("TAG", "MADE", "MEMORY"), *((one.tag, one.made, "yes" if one.memory else "no") for one in found)]
    )
    return 0
