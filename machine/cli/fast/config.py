"""`machine config [NAME]`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Print the docker client's flags for a machine, after a look whether its engine answers and trusts us.

Paths are in double quotes, which docker's client takes off (its releases from 29 on may not: add --plain for those)."""


def add_arguments(parser: Parser) -> None:
    """One optional name."""
    parser.add_argument("--swarm", action="store_true", help="The classic swarm that the machine is master of")
    parser.add_argument("--plain", action="store_true", help="Paths without quotes")
    parser.add_argument("name", nargs="?", metavar="NAME", help='A machine; without one, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """Flags, one per line, paths in double quotes as docker-machine has them.

    Raises EngineError, EngineUntrusted or CertificateError if `check_engine` does.

    A machine of the driver none that has no certificates gets its -H alone.
    """
    from machine.cli.connect import certificates, check_engine, url_of

    record = app.store.load(app.name(args.name))
    url = url_of(record, swarm=args.swarm)
    files = certificates(record)
    check_engine(app, record, url, is_manager=args.swarm)
    lines = ["--tlsverify"] if files else []
    if files:
        ca, cert, key = files
        quote = "" if args.plain else '"'
        for flag, path in (("--tlscacert", ca), ("--tlscert", cert), ("--tlskey", key)):
            lines.append(f"{flag}={quote}{path}{quote}")
    app.print_raw("\n".join([*lines, f"-H={url}"]))
    return 0
