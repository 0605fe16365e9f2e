"""`machine export [--with-keys] [--with-value SETTING] [-o FILE] NAME`."""

from __future__ import annotations

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = """Write a machine to one file, with which `machine import` makes it known to a colleague's store.

Without --with-keys nothing private is in the file, and its reader cannot use the machine yet. Values of
--engine-env and of log options, and whatever else may be a secret, stay here; --with-value sends the ones it names.
The token of a classic swarm goes with the keys, or with --with-value swarm-discovery."""


def add_arguments(parser: Parser) -> None:
    """The machine, the file, what goes in."""
    parser.add_argument("--with-keys", action="store_true", help="Certificates and private keys as well")
    parser.add_argument(
        "--with-value",
        action="append",
        default=[],
        metavar="SETTING",
        help="Send the value of this variable or option of the engine too, such as TZ or log-opt=max-size",
    )
    parser.add_argument("--output", "-o", metavar="FILE", help="Where to (NAME.tar.gz here; - is stdout)")
    parser.add_argument("--force", "-f", action="store_true", help="Replace FILE if it exists")
    parser.add_argument("name", nargs="?", metavar="NAME", help='A machine; without one, the one called "default"')


def run(args: Namespace, app: App) -> int:
    """The file's path on stdout, or the file itself.

    Raises StoreError or CertificateError if the machine cannot be exported.
    """
    from machine import archive

    name = app.name(args.name)
    target = args.output or f"{name}.tar.gz"
    raw = getattr(app.stdout, "buffer", None)
    if target == "-" and (raw is None or app.stdout.isatty()):
        raise UsageError("the file is not text for a terminal", resolution=f"machine export {name} -o FILE")
    path = "" if target == "-" else target
    exported = archive.export(app.store, name, path, args.with_keys, with_values=args.with_value, replace=args.force)
    if raw is not None and target == "-":
        raw.write(exported.data)
        raw.flush()
    else:
        app.print_text(target)
    for note in exported.notes:
        app.console.warn(note)
    if not args.with_keys:
        app.console.info("no keys are in the file; --with-keys puts them in")
    return 0
