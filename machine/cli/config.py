"""`machine config [NAME]`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print the docker client's flags for a machine, after a look whether its engine answers and trusts us."


def add_arguments(parser: Parser) -> None:
    """One optional name."""
    parser.add_argument("--swarm", action="store_true", help="The swarm that the machine is master of")
    parser.add_argument("name", nargs="?", metavar="NAME", help='A machine; without one, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """Flags, one per line, values not quoted (the client takes quotes literally). EngineError, EngineUntrusted, ...

    A machine of the driver none that has no certificates gets its -H alone.
    """
    from machine.cli.connect import certificates, check_engine, url_of

    record = app.store.load(app.name(args.name))
    url = url_of(record, swarm=args.swarm)
    files = certificates(record)
    check_engine(app, record, url, manager=args.swarm)
    if files:
        ca, cert, key = files
        app.say(f"--tlsverify\n--tlscacert={ca}\n--tlscert={cert}\n--tlskey={key}")
    app.say(f"-H={url}")
    return 0
