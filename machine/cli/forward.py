"""`machine forward`."""

from __future__ import annotations

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Have what the containers of a machine publish on this computer too, at the same port numbers.

  machine forward web                  until Ctrl-C; says what it opens and closes
  machine forward --background web     goes on after this command, and after a lost link
  machine forward --list               what is open
  machine forward --stop web           end it

It works for machines of every driver that has a host, over one ssh connection: neither the machine's firewall nor the
containers have to be opened to anybody. Docker's events tell which ports are published; those of UDP need python3 on
the machine. A manager of swarm mode tells of its services, too; a worker knows of none. Ports are opened at 127.0.0.1,
where only this computer reaches them; one that another program has is said, and opened when it becomes free."""


def add_arguments(parser: Parser) -> None:
    """Add what to do, where to open ports, and the machines."""
    parser.add_argument("--background", "-b", action="store_true", help="Go on in a process of its own")
    parser.add_argument("--stop", action="store_true", help="End what runs in the background")
    parser.add_argument("--list", "-l", action="store_true", help="Show what is open; without a NAME, of all machines")
    parser.add_argument("--json", action="store_true", help="--list: a JSON list")
    parser.add_argument(
        "--address", metavar="IP", default="127.0.0.1", help="Open ports at this address of this computer (127.0.0.1)"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help='machines; without any, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """Forward, start, stop or list. Raises UsageError for flags that exclude each other, and for an address."""
    if args.list + args.stop + args.background > 1:
        raise UsageError("--background, --stop and --list exclude each other", resolution="give one of them")
    if args.json and not args.list:
        raise UsageError("--json goes with --list", resolution="machine forward --list --json")
    if args.list:
        return _list(app, args.names, as_json=args.json)
    names = list(dict.fromkeys(app.names(args.names)))
    if args.stop:
        return _stop(app, names)
    _check_address(args.address)
    if args.background:
        from machine.cli.machine_action import on_each
        from machine.lifecycle.forward import control

        return on_each(app, names, lambda session, name: control.start(session, name, args.address))
    if len(names) != 1:
        raise UsageError("one machine at a time in the foreground", resolution="machine forward --background NAME...")
    return _foreground(app, names[0], args.address)


def _foreground(app: App, name: str, address: str) -> int:
    from machine.cli.signals import interrupt_on_termination
    from machine.errors import Interrupted
    from machine.lifecycle.forward.run import Forwarding

    app.machine = name
    try:
        with interrupt_on_termination():
            Forwarding(app.open_session().for_machine(name), name, address).run()
    except Interrupted:
        app.console.info(f"the ports of {name} are closed")
    return 0


def _stop(app: App, names: Sequence[str]) -> int:
    from machine.lifecycle.forward import control

    for name in names:
        ended = control.stop(app.store, name)
        app.console.info(f"the ports of {name} are {'closed' if ended else 'not forwarded'}")
    return 0


def _list(app: App, names: Sequence[str], *, as_json: bool) -> int:
    from machine.cli.text_table import print_table
    from machine.lifecycle.forward import control

    app.store.require(*names)
    found = control.rows(app.store, names or app.store.names())
    if as_json:
        app.print_json(found)
        return 0
    table = [["MACHINE", "ADDRESS", "PORT", "CONTAINER", "STATE", "REASON"]]
    for machine in found:
        rows = machine["ports"] or [{"protocol": "tcp", "port": "-", "container": "", "state": "", "reason": ""}]
        for row in rows:
            port = f"{row['port']}/udp" if row["protocol"] == "udp" else str(row["port"])
            state = row["state"] or ("connected" if machine["connected"] else "waiting")
            cells = (machine["machine"], machine["address"], port, row["container"], state, row["reason"])
            table.append([str(cell) for cell in cells])
    print_table(app, table)
    return 0


def _check_address(address: str) -> None:
    from ipaddress import ip_address

    try:
        ip_address(address)
    except ValueError:
        raise UsageError(
            f"--address {address} is no IP address",
            resolution="--address 127.0.0.1, or another that this computer has (0.0.0.0: everybody reaches the ports)",
        ) from None
