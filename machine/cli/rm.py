"""machine rm [-y] [-f] NAME..."""

from __future__ import annotations

from machine.errors import FAILED, Interrupted, MachineError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.session import Session

HELP = "Remove machines: all that was made on their platform, then their records."


def add_arguments(parser: Parser) -> None:
    """Names and two switches."""
    parser.add_argument(
        "--force", "-f", action="store_true", help="Remove the record even if the platform fails; ask nothing"
    )
    parser.add_argument("-y", dest="yes", action="store_true", help="Do not ask first")
    parser.add_argument("names", nargs="*", metavar="NAME", help="machines to remove")


def run(args: Namespace, app: App) -> int:
    """Remove the machines and return the exit status.

    It is 0 when all are removed, when the answer was no, and with --force unless it was interrupted. Names that no
    machine has are one error (with --force a warning), whatever the answer; the other machines are removed all the
    same. Raises MachineError if stdin has ended.
    """
    from machine.cli.machine_action import report
    from machine.cli.report import in_store

    if not args.names:
        raise UsageError("rm needs the name of a machine", resolution="machine ls shows them")
    names = list(dict.fromkeys(args.names))
    existing = [name for name in names if app.store.exists(name)]
    missing = [name for name in names if name not in existing]
    if missing:
        error = app.store.not_found_error(*missing, typed=names)
        if args.force:
            app.console.warn(f"{error.brief}: {in_store(error.resolution, app.flags.typed_store())}")
        elif not existing:
            raise error
        else:
            report(app, missing[0], error)
    status = _remove_all(args, app, existing) if existing else 0
    return FAILED if missing and not args.force else status


def _remove_all(args: Namespace, app: App, names: list[str]) -> int:
    """Remove the machines `names`, after a question unless -y or --force is there; return the exit status."""
    from machine.cli.machine_action import on_each, report

    def action(session: Session, name: str) -> None:
        from machine.lifecycle.remove import remove

        remove(session, name, force=args.force, also_removed=names)

    if not args.force and not args.yes and not _confirm_removal(app, names):
        return 0
    try:
        status = on_each(app, names, action, load=False)
    except Interrupted:
        raise
    except MachineError as error:
        if not args.force:
            raise
        report(app, names[0], error)
        return 0
    return 0 if args.force else status


def _confirm_removal(app: App, names: list[str]) -> bool:
    """Ask the user and return whether these machines are to be removed. Raises MachineError if nobody answers."""
    from machine.cli.machine_action import agreed

    question = f"Remove {', '.join(names)}? What was made on a platform is lost with it."
    return agreed(app, question, undone="nothing was removed", typed=f"rm -y {' '.join(names)}")
