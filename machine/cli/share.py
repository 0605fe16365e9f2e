"""`machine share [NAME [PATH[:rw]...]]`."""

from __future__ import annotations

from machine.cli.machine_action import on_each
from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.session import Session

HELP = """Give a machine directories of this computer, at the same paths: machine share dev ~/project:rw

Afterwards docker run -v ~/project:/app shows the files that are here. Read-only unless PATH ends in :rw. It goes over
the machine's ssh connection, in the background, and comes back after a break and with machine start. Without PATH the
shares of the machine are listed, without NAME those of all; --stop ends one, or all of a machine.

Keys and credentials (~/.ssh, ~/.aws, ~/.kube, ~/.docker, browsers, ...) are not seen there unless they are named, and
stores of machines never. A directory in one that is shared can be shared as well: what is said of it counts there, so
~/project is read-only in a home directory that is not, and ~/.aws is seen. Whoever is root on the machine, or may use
its engine, reads what is shared, and changes what is shared with :rw."""


def add_arguments(parser: Parser) -> None:
    """A machine, directories, and what to do with them."""
    parser.add_argument("--stop", action="store_true", help="Share PATH, or all, no longer")
    parser.add_argument("--json", action="store_true", help="List as JSON")
    parser.add_argument("name", nargs="?", metavar="NAME", help="The machine")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="A directory, with :rw for one that it may change")


def run(args: Namespace, app: App) -> int:
    """List, start or end shares; the list is on stdout."""
    from machine.lifecycle import share
    from machine.share import spec

    if not args.name:
        if args.stop:
            raise UsageError("--stop needs the name of a machine", resolution="machine share --stop NAME [PATH]")
        return _list(args, app, app.store.names())
    name = app.name(args.name)
    shares = [spec.parse(text, writable=False) for text in args.paths]
    if args.stop:
        paths = {found.path for found in shares}
        return on_each(app, [name], lambda session, machine: share.remove(session, machine, paths))
    if not shares:
        return _list(args, app, [name])

    def add(session: Session, machine: str) -> None:
        share.add(session, machine, shares)

    return on_each(app, [name], add)


def _list(args: Namespace, app: App, names: list[str]) -> int:
    from machine.cli.text_table import print_table
    from machine.errors import MachineError
    from machine.lifecycle import share
    from machine.share import nesting, spec

    session, found = app.open_session(), []
    for name in names:
        try:
            record = app.store.load(name)
        except MachineError:
            if args.name:
                raise
            continue
        shares = spec.from_record(record.shares())
        for one in shares:
            outer = nesting.around(one, shares)
            found.append((name, one, *share.state_of(session, record, one), outer.path if outer else ""))
    if args.json:
        keys = ("Machine", "Path", "Writable", "State", "Reason", "In")
        app.print_json(
            [
                dict(zip(keys, (name, one.path, one.writable, str(state), text, place), strict=True))
                for name, one, state, text, place in found
            ]
        )
        return 0
    rows = [("MACHINE", "PATH", "MODE", "STATE")]
    for name, one, state, text, place in found:
        remarks = "; ".join(remark for remark in (text, f"in {place}" if place else "") if remark)
        rows.append((name, one.path, "rw" if one.writable else "ro", f"{state} ({remarks})" if remarks else str(state)))
    print_table(app, rows)
    return 0
