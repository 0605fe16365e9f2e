"""What the commands that change machines have in common: many at once, errors one by one."""

from __future__ import annotations

from machine.errors import FAILED, MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from machine.cli.app import App
    from machine.cli.parser import Parser
    from machine.session import Session


def add_names(parser: Parser) -> None:
    """Add an argument of any number of names; none means the machine called default."""
    parser.add_argument("names", nargs="*", metavar="NAME", help='machines; without any, the one called "default"')


def on_each(
    app: App,
    names: Sequence[str],
    action: Callable[[Session, str], None],
    *,
    load: bool = True,
    interrupt_resolution: Callable[[Sequence[str]], str] | None = None,
) -> int:
    """Do `action` on all names in parallel, report each failure, and return the exit status (`status_of`).

    With `load` every record must be there and readable before anything is done, as docker-machine has it.
    `interrupt_resolution` returns what to type for the machines whose action was interrupted by Ctrl-C, SIGTERM or
    SIGHUP; without one, that is the same command for these machines.
    """
    from machine.cli.signals import interrupt_on_termination
    from machine.lifecycle import parallel

    names = list(dict.fromkeys(names))
    resolution = interrupt_resolution or (lambda unfinished: _again(app, names, unfinished))
    if load:
        app.store.require(*names)
        for name in names:
            app.store.load(name)
    with interrupt_on_termination():
        try:
            failures = parallel.run(app.open_session(), names, action, resolution)
        finally:
            app.console.close()
        for error in failures.values():
            if len(names) == 1 or not isinstance(error, MachineError):
                raise error
    for name, error in failures.items():
        report(app, name, error)
    return status_of(names, failures)


def _again(app: App, names: Sequence[str], unfinished: Sequence[str]) -> str:
    """Return what to type so that the command is run again for the machines `unfinished` of `names`, "" for none."""
    import shlex

    if not unfinished:
        return ""
    flags = [word for word in app.arguments if word not in names]
    return f"to go on: {shlex.join(['machine', app.command, *flags, *unfinished])}"


def status_of(names: Sequence[str], failures: Mapping[str, BaseException]) -> int:
    """Return 0 if nothing failed; the one exit status with which all of `names` failed; else 1: some was done."""
    if not failures:
        return 0
    codes = {getattr(error, "exit_code", FAILED) for error in failures.values()}
    return int(codes.pop()) if len(codes) == 1 and len(failures) == len(names) else FAILED


def report(app: App, name: str, error: BaseException) -> None:
    """Show one machine's error among several, with its name."""
    import re

    from machine.cli.report import print_error

    if isinstance(error, MachineError):
        named = re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", error.brief)
        error.brief = error.brief if named else f"{name}: {error.brief}"
        error.machine = error.machine or name
        print_error(error, app.stderr, as_json=app.flags.log_format == "json", store=app.flags.typed_store())


def confirm(app: App, question: str) -> bool | None:
    """Return y or n from stdin, asked on stderr; None when stdin has nothing more to say."""
    import sys

    from machine.printable import in_line

    app.stderr.write(f"{in_line(question)} (y/n): ")
    app.stderr.flush()
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer:
        app.stderr.write("\n")
        return None
    return answer.strip().lower() in ("y", "yes")


def agreed(app: App, question: str, *, undone: str, typed: str) -> bool:
    """Ask the user and return whether the answer is yes; if it is no, say what is `undone` and how not to be asked.

    `typed` is the command with the flag that answers beforehand. Raises MachineError if nobody answers.
    """
    answer = confirm(app, question)
    if answer is None:
        raise MachineError(
            f"{undone}: the question was not answered", resolution=f"answer it beforehand: machine {typed}"
        )
    if not answer:
        app.console.info(f"{undone}; -y answers the question beforehand")
    return answer
