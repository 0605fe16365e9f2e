"""`machine import [--name NAME] FILE`."""

from __future__ import annotations

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Make a machine known to this store from a file that `machine export` wrote.

Take such files only from people you trust: the file says which host your docker client and ssh talk to."""


def add_arguments(parser: Parser) -> None:
    """The file, and another name."""
    parser.add_argument("--name", "-n", metavar="NAME", help="Its name here, if not the one that its owner uses")
    parser.add_argument(
        "--engine-env",
        action="append",
        default=[],
        metavar="K[=V]",
        help="A variable for the engine that its owner kept; without =V its value is that of $K here",
    )
    parser.add_argument(
        "--engine-opt", action="append", default=[], metavar="K=V", help="A flag of dockerd that its owner kept"
    )
    parser.add_argument("file", metavar="FILE", help="What `machine export` wrote; - is stdin")


def run(args: Namespace, app: App) -> int:
    """The machine's name on stdout.

    Raises StoreError, MachineExists, NameInvalid, RecordBroken or CertificateError if the file cannot be imported.
    """
    from machine import archive

    added_settings = archive.AddedSettings(
        tuple(_with_value(app, item) for item in args.engine_env), tuple(args.engine_opt)
    )
    if args.file == "-":
        import sys

        imported = archive.unpack(
            app.store, sys.stdin.buffer.read(archive.LARGEST + 1), "stdin", args.name, added_settings
        )
    else:
        imported = archive.import_(app.store, args.file, args.name, added_settings)
    app.print_text(imported.name)
    for note in imported.notes:
        app.console.warn(note)
    return 0


def _with_value(app: App, item: str) -> str:
    """K=V as it is; the value of a bare K from the environment, so that a secret need not stand in a command line."""
    if "=" in item:
        return item
    if item not in app.environ:
        raise UsageError(f"--engine-env {item} has no value, and ${item} is not set", resolution=f"export {item}=VALUE")
    return f"{item}={app.environ[item]}"
