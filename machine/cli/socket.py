"""`machine socket NAME`: a local unix socket that leads to a machine's engine."""

from __future__ import annotations

from machine.cli.print_values import print_values
from machine.errors import LockHeld, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Serve the engine of a machine at a unix socket of this computer, for programs that know nothing of TLS. The
URL of the socket is printed, as DOCKER_HOST takes it.

  machine socket dev                        until Ctrl-C or SIGTERM
  machine socket --background dev           by a process in the background; --stop ends it
  machine socket --at-login on dev          from every login on; off ends that

Who may open the socket is root on the machine, without a certificate: it is 0600, in a directory 0700 of yours."""


def add_arguments(parser: Parser) -> None:
    """Add the name, and how the socket is served."""
    parser.add_argument(
        "--background",
        "-b",
        action="store_true",
        help="Leave it to a process in the background, and end when it answers",
    )
    parser.add_argument("--stop", action="store_true", help="End the process, and remove the socket")
    parser.add_argument(
        "--at-login",
        choices=("on", "off"),
        metavar="on|off",
        help="Serve it from every login on, by a systemd user unit or a launchd agent; off: no longer",
    )
    parser.add_argument("--json", action="store_true", help="A JSON object: Name, URL")
    parser.add_argument("name", nargs="?", metavar="NAME", help='Machine; without any, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """Print unix:///PATH, and serve it. Raises MachineError if another process does."""
    _check_flags(args)
    name = app.name(args.name)
    if args.stop:
        return _stop(app, name)
    if args.at_login == "off":
        return _not_at_login(app, name)
    _check(app, name)
    if args.at_login:
        return _at_login(app, name, as_json=args.json)
    if args.background:
        from machine.lifecycle import socket_process

        _print_url(app, name, socket_process.start(app.open_session().for_machine(name), name), as_json=args.json)
        return 0
    return _serve(app, name, as_json=args.json)


def _check_flags(args: Namespace) -> None:
    typed = [
        flag
        for flag, given in (("--background", args.background), ("--stop", args.stop), ("--at-login", args.at_login))
        if given
    ]
    if len(typed) > 1:
        raise UsageError(f"{' and '.join(typed)} exclude each other", resolution=f"leave {typed[0]} out")


def _check(app: App, name: str) -> None:
    """Raise the error for a machine without an address or certificates, before anything listens."""
    from machine.cli.connect import certificates, url_of

    record = app.store.load(name)
    url_of(record)
    certificates(record)


def _serve(app: App, name: str, *, as_json: bool) -> int:
    import asyncio

    from machine import background
    from machine.lifecycle.engine_socket import EngineSocket
    from machine.lifecycle.socket_process import lock_path, purpose
    from machine.socket_path import socket_path

    path = socket_path(app.store.root, name, app.environ)

    def ready() -> None:
        _print_url(app, name, path, as_json=as_json)
        app.stdout.flush()

    try:
        with background.Hold(lock_path(app.store.root, name), purpose(name)):
            asyncio.run(EngineSocket(app.store, name, app.console.info).serve(path, ready))
    except LockHeld as error:
        error.details, error.machine = f"unix://{path}", name
        error.resolution = f"use that one; machine socket --stop {name} ends it"
        raise
    return 0


def _stop(app: App, name: str) -> int:
    from machine.lifecycle import socket_process

    if not socket_process.stop(app.open_session().for_machine(name), name):
        app.console.info(f"no process serves a socket of {name}")
    return 0


def _at_login(app: App, name: str, *, as_json: bool) -> int:
    from machine.lifecycle import at_login
    from machine.socket_path import socket_path

    at_login.socket_on(app.open_session().for_machine(name), name)
    _print_url(app, name, socket_path(app.store.root, name, app.environ), as_json=as_json)
    return 0


def _not_at_login(app: App, name: str) -> int:
    from machine.lifecycle import at_login

    if not at_login.socket_off(app.open_session().for_machine(name), name):
        app.console.info(f"the socket of {name} was not served at login")
    return 0


def _print_url(app: App, name: str, path: str, *, as_json: bool) -> None:
    print_values(app, [{"Name": name, "URL": f"unix://{path}"}], "URL", as_json=as_json)
