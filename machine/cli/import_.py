"""`machine import [--name NAME] FILE`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = """Make a machine known to this store from a file that `machine export` wrote.

Take such files only from people you trust: the file says which host your docker client and ssh talk to."""


def add_arguments(parser: Parser) -> None:
    """The file, and another name."""
    parser.add_argument("--name", "-n", metavar="NAME", help="Call it so here, rather than as its owner does")
    parser.add_argument("file", metavar="FILE", help="What `machine export` wrote; - is stdin")


def run(args: Namespace, app: App) -> int:
    """The machine's name on stdout. StoreError, MachineExists, NameInvalid, RecordBroken, CertificateError."""
    from machine import archive

    if args.file == "-":
        import sys

        done = archive.unpack(app.store, sys.stdin.buffer.read(archive.LARGEST + 1), "stdin", args.name)
    else:
        done = archive.import_(app.store, args.file, args.name)
    app.say(done.name)
    for note in done.notes:
        app.console.warn(note)
    return 0
