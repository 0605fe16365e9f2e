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
  machine snapshot restore dev before-upgrade   come back to it; what the machine is now is lost (-y: do not ask)
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
    parser.add_argument("-y", dest="yes", action="store_true", help="Do not ask before something is restored")


def run(args: Namespace, app: App) -> int:
    """Return exit status 0, also when the answer was no.

    Raises UsageError for words that make no sense, MachineError if it fails or stdin has ended.
    """
    from machine.lifecycle import clone, snapshot

    verb, names = parse(args.words)
    if args.json and verb != "ls":
        raise UsageError("--json is for the list of snapshots", resolution="machine snapshot ls NAME --json")
    if args.yes and verb != "restore":
        raise UsageError("-y is for restore, which alone asks", resolution="leave -y out")
    if verb == "ls":
        return _list(app, names[0], as_json=args.json)
    app.store.require(names[0])
    if verb == "restore":
        if args.yes or _confirm_restore(app, names[0], names[1]):
            snapshot.restore(app.open_session(), names[0], names[1])
        return 0
    action = snapshot.take if verb == "create" else snapshot.remove
    for tag in names[1:]:
        action(app.open_session(), names[0], tag)
    clone.remove_unneeded(app.open_session(), names[0])
    return 0


def _confirm_restore(app: App, name: str, tag: str) -> bool:
    """Ask the user and return whether the machine is to be what it was.

    Raises UsageError if it has no such snapshot, MachineError if nobody answers.
    """
    from machine.cli.machine_action import agreed
    from machine.lifecycle import snapshot

    found = snapshot.find_snapshot(app.open_session(), name, tag)
    made = f", made {found.made}" if found.made else ""
    question = f"Bring {name} back to {tag}{made}? What it is now is lost."
    return agreed(app, question, undone="nothing was restored", typed=f"snapshot restore -y {name} {tag}")


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
