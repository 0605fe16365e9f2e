"""`machine active`."""

from __future__ import annotations

from machine.cli.words import seconds
from machine.errors import MachineError, MachineNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print the name of the machine that $DOCKER_HOST points to, if it runs."


def add_arguments(parser: Parser) -> None:
    """How long to wait."""
    parser.add_argument("--timeout", "-t", type=seconds, default=10.0, metavar="SECONDS", help="For its answer (10)")


def run(args: Namespace, app: App) -> int:
    """One name. MachineNotFound if $DOCKER_HOST is unset, no machine's, or that of a machine that does not run.

    Only a machine whose record has that URL (or whose swarm has it) is asked.
    """
    from machine.cli.asking import ask
    from machine.cli.connect import swarm_url
    from machine.cli.listing import read_rows

    cure = 'eval "$(machine env NAME)" makes a machine the active one'
    current = app.environ.get("DOCKER_HOST", "")
    if not current:
        raise MachineNotFound("no machine is active: $DOCKER_HOST is not set", resolution=cure)
    found = []
    for row in read_rows(app.store, app.store.names()):
        url = row.record.url() if row.record else ""
        if row.record and (
            url == current or (row.options("SwarmOptions").get("Master") and swarm_url(row.record, url) == current)
        ):
            found.append(row)
    if not found:
        raise MachineNotFound(f"no machine is active: $DOCKER_HOST, {current}, is none's", resolution=cure)
    ask(app, found, args.timeout)
    for row in found:
        if row.state == "Running":
            app.say(row.name)
            return 0
    raise MachineError(
        f"$DOCKER_HOST points to {found[0].name}, which is {found[0].state or 'in no known state'}",
        details=found[0].error,
        resolution=f"machine start {found[0].name}",
    )
