"""`machine autostart [NAME [on|off]]`: machines that start when the user logs in."""

from __future__ import annotations

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Start a machine whenever you log in to this computer, by a systemd user unit, or a launchd agent on macOS.

  machine autostart               which machines are started, as `on` and `off`
  machine autostart dev on        from the next login on
  machine autostart dev off       no longer

By systemd, a machine that runs on this computer is stopped at logout in good order. Nothing needs root."""


def add_arguments(parser: Parser) -> None:
    """Add the name and what to do."""
    parser.add_argument("--json", action="store_true", help="JSON, a list of Name, Autostart and File")
    parser.add_argument("name", nargs="?", metavar="NAME", help="Machine; without any, all are listed")
    parser.add_argument("switch", nargs="?", choices=("on", "off"), metavar="on|off", help="What to do")


def run(args: Namespace, app: App) -> int:
    """Switch it on or off, or print the table. Raises MachineError where nothing runs commands at login."""
    if not args.switch:
        return _list(app, [args.name] if args.name else [], as_json=args.json)
    if args.json:
        raise UsageError("--json shows the list only", resolution="leave --json out")
    name = app.name(args.name)
    from machine.lifecycle import at_login

    session = app.open_session().for_machine(name)
    if args.switch == "on":
        at_login.start_on(session, app.store.load(name))
    else:
        at_login.start_off(session, name)
    return 0


def _list(app: App, names: list[str], *, as_json: bool) -> int:
    from machine.cli.text_table import print_table
    from machine.login_service import installed, service_path

    app.store.require(*names)
    found = []
    for name in names or app.store.names():
        key = ("start", app.store.root, name, app.environ)
        on = installed(*key)
        found.append({"Name": name, "Autostart": on, "File": service_path(*key) if on else ""})
    if as_json:
        app.print_json(found)
    else:
        print_table(
            app, [("NAME", "AUTOSTART"), *((str(one["Name"]), "on" if one["Autostart"] else "off") for one in found)]
        )
    return 0
