"""machine rm [-y] [-f] NAME..."""

from __future__ import annotations

from machine.errors import FAILED, NOT_FOUND, Interrupted, MachineError, MachineNotFound, UsageError

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
    """Remove the machines and return the exit status.

    It is 0 when all are removed, when the answer was no, and with --force unless it was interrupted. A name that no
    machine has is an error, and the other machines are removed all the same. MachineError when stdin has ended.
    """
    from machine.cli.machine_action import report

    if not args.names:
        raise UsageError("rm needs the name of a machine", resolution="machine ls shows them")
    names = list(dict.fromkeys(args.names))
    missing = [name for name in names if not app.store.exists(name)]
    if len(missing) > 1:
        rest = [name for name in names if name not in missing]
        status = _remove_all(args, app, rest) if rest else NOT_FOUND
        report(app, missing[0], _missing_error(app, missing))
        return 0 if args.force else (status or FAILED)
    return _remove_all(args, app, names)


def _missing_error(app: App, missing: list[str]) -> MachineError:
    """Return the one error for several names that no machine has."""
    others = ", ".join(f'"{name}"' for name in missing[1:])
    return MachineNotFound(
        f'Docker machine "{missing[0]}" does not exist, nor {others}',
        details="" if app.store.names() else f"the store {app.store.root} has no machines",
        resolution="machine ls shows all",
    )


def _remove_all(args: argparse.Namespace, app: App, names: list[str]) -> int:
    """Remove the machines `names`, after a question unless -y or --force is there; return the exit status."""
    from machine.cli.machine_action import on_each, report

    if not args.force:
        existing = [name for name in names if app.store.exists(name)]
        if not args.yes and existing and not _confirm_removal(app, existing):
            return 0
        return on_each(app, names, lambda session, name: _remove(session, name, names), load=False)
    try:
        on_each(app, names, lambda session, name: _remove(session, name, names, force=True), load=False)
    except Interrupted:
        raise
    except MachineError as error:
        report(app, names[0], error)
    return 0


def _confirm_removal(app: App, names: list[str]) -> bool:
    """Ask the user and return whether these machines are to be removed. MachineError if nobody answers."""
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
