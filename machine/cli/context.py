"""`machine context create|use|update|rm|ls [NAME...]`."""

from __future__ import annotations

from machine.errors import MachineNotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Make, update or remove the docker contexts of machines; afterwards `docker --context NAME ...` works.

  create   make the context, or bring its address and certificates up to date (also: update)
  use      make it docker's current context, made or updated before; the same as `machine use`
  rm       remove it; the docker client goes back to its default if it was the current one
  ls       list the contexts that machine made"""


def add_arguments(parser: Parser) -> None:
    """What to do, and any number of names."""
    parser.add_argument(
        "verb", choices=("create", "update", "use", "rm", "ls"), metavar="create|update|use|rm|ls", help="What to do"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help='Machines; without any, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """The contexts' names on stdout. Raises StoreError if a name is taken by a context that is not ours."""
    if args.verb == "ls":
        return _list(app, args.names)
    if args.verb == "rm":
        return _remove(app, args.names or app.names([]))
    names = app.names(args.names)
    return _use(app, names) if args.verb == "use" else _create(app, names)


def _create(app: App, names: list[str]) -> int:
    from machine import docker_context
    from machine.cli.connect import certificates

    records = [app.store.load(name) for name in names]
    for record in records:
        certificates(record)  # before the first is written: a context without them would lead docker to no TLS
    for record in records:
        app.print_text(docker_context.write(record.name, record.url(), record.cert_dir(), environ=app.environ))
    return 0


def _use(app: App, names: list[str]) -> int:
    from machine.cli.use import use_machine

    if len(names) != 1:
        raise UsageError("docker has one current context", resolution=f"machine context use {names[0]}")
    app.print_text(use_machine(app, names[0])["Context"])
    return 0


def _remove(app: App, names: list[str]) -> int:
    """A context may be left when its machine is gone, so the machine need not exist.

    Those that there are are removed; the others are one error.
    """
    from machine import docker_context

    missing = []
    for name in dict.fromkeys(names):
        if docker_context.remove(name, cert_dir=app.store.directory(name), environ=app.environ):
            app.print_text(docker_context.context_name(name))
        else:
            missing.append(name)
    if missing:
        contexts = ", nor ".join(docker_context.context_name(name) for name in missing)
        raise MachineNotFound(
            f"there is no docker context {contexts} that machine made for {', '.join(missing)}",
            resolution="machine context ls shows those that there are",
        )
    return 0


def _list(app: App, names: list[str]) -> int:
    from machine import docker_context

    found = [context for context in docker_context.own_contexts(app.environ) if not names or context.machine in names]
    rows = [("NAME", "MACHINE", "CURRENT", "ENDPOINT")]
    rows += [(context.name, context.machine, "*" if context.current else "-", context.host) for context in found]
    from machine.cli.text_table import print_table

    print_table(app, rows)
    return 0
