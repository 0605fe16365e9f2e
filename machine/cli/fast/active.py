"""`machine active`."""

from __future__ import annotations

from machine.cli.print_values import print_values
from machine.cli.tokenize import seconds
from machine.errors import FAILED, MachineError, MachineNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = "Print the name of the machine that $DOCKER_HOST or docker's current context points to, if it runs."


def add_arguments(parser: Parser) -> None:
    """How long to wait."""
    parser.add_argument("--json", action="store_true", help="A JSON object")
    parser.add_argument("--timeout", "-t", type=seconds, default=10.0, metavar="SECONDS", help="For its answer (10)")


def run(args: Namespace, app: App) -> int:
    """One name. Raises MachineNotFound if docker talks to no machine. Raises MachineError if that one does not run.

    Only a machine whose record has that URL (or whose swarm has it) is asked.
    """
    from machine import docker_config
    from machine.cli.connect import swarm_url
    from machine.cli.docker_target import describe_target, docker_host, url_behind_socket
    from machine.cli.ls_rows import power_resolution, read_rows
    from machine.cli.poll import fill_in_states

    current = docker_host(app.environ)
    if not current:
        chosen, _ = docker_config.selection(app.environ)
        reason = f"{describe_target(app.environ)} leads to no machine" if chosen else ""
        return _no_active_machine(app, reason or "neither $DOCKER_HOST nor a docker context is set")
    active = []
    rows = read_rows(app.store, app.store.names())
    current = url_behind_socket(current, (row.record for row in rows if row.record), app.environ)
    for row in rows:
        url = row.record.url() if row.record else ""
        if row.record and (
            url == current or (row.options("SwarmOptions").get("Master") and swarm_url(row.record, url) == current)
        ):
            active.append(row)
    if not active:
        return _no_active_machine(app, f"{describe_target(app.environ)} belongs to no machine")
    fill_in_states(app, active, args.timeout)
    for row in active:
        if row.state == "Running":
            print_values(app, [{"Name": row.name, "URL": current}], "Name", as_json=args.json)
            return 0
    target, row = describe_target(app.environ).rstrip(","), active[0]
    raise MachineError(
        f"{target} points to {row.name}, which is {row.state or 'in no known state'}",
        details=row.error,
        resolution=power_resolution(row.record, row.state) if row.record else f"machine start {row.name}",
    )


def _no_active_machine(app: App, reason: str) -> int:
    """Raise MachineNotFound; as docker-machine print its message and return its status, which wrappers compare."""
    if app.prog == "docker-machine" and app.flags.log_format == "text":
        app.stderr.write("No active host found\n")
        return FAILED
    raise MachineNotFound(
        f"No active host found: {reason}",
        resolution='eval "$(machine env NAME)" makes a machine the active one, or: machine use NAME',
    )
