"""`machine use NAME`: docker talks to that machine from now on."""

from __future__ import annotations

from machine.cli.print_values import print_values
from machine.errors import MachineNotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Point docker at a machine, in this and every other terminal: its docker context is made, or brought up to
date, and becomes the current one, as by `docker context use`. `machine env` does that for one shell only.

  machine use dev
  machine use --unset      back to docker's default context, the engine of this computer

$DOCKER_HOST and $DOCKER_CONTEXT go before the current context; `machine active` says where docker is pointed."""


def add_arguments(parser: Parser) -> None:
    """Add the name, and how to go back."""
    parser.add_argument("--unset", "-u", action="store_true", help="Go back to docker's default context")
    parser.add_argument("--json", action="store_true", help="A JSON object: Name, Context, URL")
    parser.add_argument("name", nargs="?", metavar="NAME", help='Machine; without any, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """Print the name of the context that is the current one now.

    Raises StoreError for a context that is not ours, and for a configuration of docker that is not to be written.
    """
    if args.unset and args.name:
        raise UsageError(f"--unset and {args.name} exclude each other", resolution="leave one of the two out")
    shown = _unset(app) if args.unset else use_machine(app, _name(args, app))
    print_values(app, [shown], "Context", as_json=args.json)
    return 0


def use_machine(app: App, name: str) -> dict[str, str]:
    """Make or update the context of a machine, make it the current one, and return what --json shows."""
    from machine import docker_context
    from machine.cli.connect import certificates

    record = app.store.load(name)
    certificates(record)  # before it is written: a context without them would lead docker to no TLS
    docker_context.write(record.name, record.url(), record.cert_dir(), environ=app.environ)
    context = docker_context.use(record.name, cert_dir=record.cert_dir(), environ=app.environ)
    _warn_of_variables(app)
    return {"Name": record.name, "Context": context, "URL": record.url()}


def _name(args: Namespace, app: App) -> str:
    """Return the machine that is meant. Raises MachineNotFound with a hint for docker's word of going back."""
    if args.name == "default" and not app.store.exists("default"):
        raise MachineNotFound(
            'there is no machine called "default"',
            resolution="machine use --unset goes back to docker's default context; machine ls shows the machines",
            machine="default",
        )
    return app.name(args.name)


def _unset(app: App) -> dict[str, str]:
    from machine import docker_config

    docker_config.set_current_context("", app.environ)
    _warn_of_variables(app)
    return {"Name": "", "Context": docker_config.DEFAULT, "URL": ""}


def _warn_of_variables(app: App) -> None:
    from machine import docker_config

    for warning in docker_config.override_warnings(app.environ):
        app.console.warn(warning)
