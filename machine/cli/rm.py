"""machine rm [-y] [-f] NAME..."""

from __future__ import annotations

from machine.errors import Interrupted, MachineError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from machine.cli.app import App
    from machine.cli.parser import Parser
    from machine.session import Session

HELP = "Remove machines: all that was made on their platform, then their records."


def add_arguments(parser: Parser) -> None:
    """Names and two switches."""
    parser.add_argument(
        "--force", "-f", action="store_true", help="Remove the record even if the platform fails; ask nothing"
    )
    parser.add_argument("-y", dest="yes", action="store_true", help="Do not ask first")
    parser.add_argument("names", nargs="*", metavar="NAME", help="machines to remove")


def run(args: argparse.Namespace, app: App) -> int:
    """0 when all are gone, when the answer was no, and with --force unless it was interrupted.

    Names that no machine has are errors, and the machines of the other names go all the same. MachineError when a
    question cannot be answered because stdin has ended.
    """
    from machine.cli.machine_action import on_each, report

    if not args.names:
        raise UsageError("rm needs the name of a machine", resolution="machine ls shows them")
    names = list(dict.fromkeys(args.names))
    if not args.force:
        there = [name for name in names if app.store.exists(name)]
        if not args.yes and there and not _agreed(app, there):
            return 0
        return on_each(app, names, lambda session, name: _remove(session, name, names), load=False)
    try:
        on_each(app, names, lambda session, name: _remove(session, name, names, force=True), load=False)
    except Interrupted:
        raise
    except MachineError as error:
        report(app, names[0], error)
    return 0


def _agreed(app: App, names: list[str]) -> bool:
    """Whether the user wants these machines removed. MachineError if nobody answers."""
    from machine.cli.machine_action import confirm

    answer = confirm(app, f"Remove {', '.join(names)}? What was made on a platform is lost with it.")
    if answer is None:
        raise MachineError(
            "nothing was removed: the question was not answered",
            resolution=f"answer it beforehand: machine rm -y {' '.join(names)}",
        )
    if not answer:
        app.console.info("nothing was removed; -y answers the question beforehand")
    return answer


def _remove(session: Session, name: str, names: list[str], *, force: bool = False) -> None:
    from machine.lifecycle.remove import remove

    if not session.store.exists(name):
        session.store.load(name)  # raises the error that names what there is
    remove(session, name, force=force, also_removed=names)
