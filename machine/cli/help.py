"""`machine help [COMMAND]`, and what a bare `machine` prints."""

from __future__ import annotations

from machine.cli.commands import COMMANDS
from machine.cli.global_flags import TABLE
from machine.cli.main import load, parser_of
from machine.cli.parser import columns
from machine.cli.tokenize import VALUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser

HELP = "Show the list of commands, or the help of one."


def add_arguments(parser: Parser) -> None:
    """One optional command; its words may follow (`machine help create -d generic`)."""
    parser.add_argument("--driver", "-d", metavar="DRIVER", help="For `help create`: whose flags to show")
    parser.add_argument("about", nargs="*", metavar="COMMAND", help="A command")


def run(args: Namespace, app: App) -> int:
    """Print help to stdout. Raises UsageError on a command that does not exist."""
    if not args.about:
        app.stdout.write(overview(app.prog))
        return 0
    command = args.about[0]
    typed = ["-d", args.driver] if args.driver else []
    app.stdout.write(parser_of(command, load(command), typed, app.environ).format_help())
    return 0


def overview(prog: str) -> str:
    """Usage, the commands and the global flags."""
    from machine import __version__

    lines = [f"Usage: {prog} [FLAGS] COMMAND [NAME...] [FLAGS]", ""]
    lines += [*_wrap("", f"Docker hosts anywhere, and many of them as one cluster. Version {__version__}."), ""]
    lines += ["Start:", f"  {prog} create dev", f'  eval "$({prog} env dev)"', "  docker run hello-world", ""]
    lines.append("Commands:")
    for name, (_, text) in COMMANDS.items():
        lines += _wrap(f"  {name:<18} ", text)
    lines += ["", "Flags of every command:"]
    for flag, short, follows, variable, text in TABLE:
        shown = ", ".join(part for part in (flag, short) if part) + (" VALUE" if follows == VALUE else "")
        lines += _wrap(f"  {shown:<28} ", text + (f" [${variable}]" if variable else ""))
    lines += ["", f"{prog} COMMAND --help shows more about one command."]
    return "\n".join(lines) + "\n"


def _wrap(indent: str, text: str) -> list[str]:
    """Lines no wider than the terminal, the text in a column of its own."""
    import textwrap

    return textwrap.wrap(
        text, columns() - 2, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False
    )
