"""`machine active`."""

from __future__ import annotations

from machine.cli.facts import print_facts
from machine.cli.tokenize import seconds
from machine.errors import FAILED, MachineError, MachineNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Print the name of the machine that $DOCKER_HOST or docker's current context points to, if it runs."


def add_arguments(parser: Parser) -> None:
    """How long to wait."""
    parser.add_argument("--json", action="store_true", help="A JSON object")
    parser.add_argument("--timeout", "-t", type=seconds, default=10.0, metavar="SECONDS", help="For its answer (10)")


def run(args: Namespace, app: App) -> int:
    """One name. MachineNotFound if docker talks to no machine; MachineError if that one does not run.

    Only a machine whose record has that URL (or whose swarm has it) is asked.
    """
    from machine.cli.connect import swarm_url
    from machine.cli.docker_target import described, docker_host
    from machine.cli.ls_rows import power_hint, read_rows
    from machine.cli.poll import ask

    current = docker_host(app.environ)
    if not current:
        return _none(app, "neither $DOCKER_HOST nor a docker context is set")
    found = []
    for row in read_rows(app.store, app.store.names()):
        url = row.record.url() if row.record else ""
        if row.record and (
            url == current or (row.options("SwarmOptions").get("Master") and swarm_url(row.record, url) == current)
        ):
            found.append(row)
    if not found:
        return _none(app, f"{described(app.environ)} belongs to no machine")
    ask(app, found, args.timeout)
    for row in found:
        if row.state == "Running":
            print_facts(app, [{"Name": row.name, "URL": current}], "Name", as_json=args.json)
            return 0
    chosen, row = described(app.environ).rstrip(","), found[0]
    raise MachineError(
        f"{chosen} points to {row.name}, which is {row.state or 'in no known state'}",
        details=row.error,
        resolution=power_hint(row.record, row.state) if row.record else f"machine start {row.name}",
    )


def _none(app: App, why: str) -> int:
    """MachineNotFound; under docker-machine's name its own words and status, which its wrappers compare."""
    if app.prog == "docker-machine" and app.flags.log_format == "text":
        app.stderr.write("No active host found\n")
        return FAILED
    raise MachineNotFound(
        f"No active host found: {why}",
        resolution='eval "$(machine env NAME)" makes a machine the active one, or: machine context use NAME',
    )
