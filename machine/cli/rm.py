"""machine rm [-y] [-f] NAME..."""

from __future__ import annotations

from machine.errors import Interrupted, MachineError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from machine.cli.app import App
    from machine.cli.parser import Parser

HELP = "Remove machines: all that was made on their platform, then their records."


def add_arguments(parser: Parser) -> None:
    """Names and two switches."""
    parser.add_argument(
        "--force", "-f", action="store_true", help="Remove the record even if the platform fails; ask nothing"
    )
    parser.add_argument("-y", dest="yes", action="store_true", help="Do not ask first")
    parser.add_argument("names", nargs="*", metavar="NAME", help="machines to remove")


def run(args: argparse.Namespace, app: App) -> int:
    """0 when all are gone, when the answer was no, and with --force unless it was interrupted; else 1."""
    from machine.cli.acting import confirm, on_each, report
    from machine.lifecycle.remove import remove

    if not args.names:
        raise UsageError("rm needs the name of a machine", resolution="machine ls shows them")
    names = list(dict.fromkeys(args.names))
    if not args.force:
        for name in names:
            if not app.store.exists(name):
                app.store.load(name)  # raises the error that names what there is
        if not args.yes and not confirm(
            app, f"Remove {', '.join(names)}? What was made on a platform is lost with it."
        ):
            app.console.info("nothing was removed; -y answers the question beforehand")
            return 0
        return on_each(app, names, lambda world, name: remove(world, name, together=names), load=False)
    try:
        on_each(app, names, lambda world, name: remove(world, name, force=True, together=names), load=False)
    except Interrupted:
        raise
    except MachineError as error:
        report(app, names[0], error)
    return 0
