"""The man pages: machine(1), and machine-COMMAND(1) for each command, out of the parsers that read the command line."""

from __future__ import annotations

from machine.cli.commands import COMMANDS
from machine.cli.global_flags import TABLE
from machine.cli.main import load, parser_of
from machine.cli.parser import Argument, Group, Parser
from machine.cli.tokenize import VALUE
from machine.drivers.registry import TABLE as DRIVERS
from machine.errors import EXIT_CODES
from release.roff import bold, escape, heading, italic, item, paragraphs, quoted

INTRODUCTION = """Make Docker hosts, on any cloud, in virtual machines or on any host that answers ssh, and use \
many of them as one cluster. An ordinary docker client does the rest.

  machine create dev
  eval "$(machine env dev)"
  docker run hello-world

Flags and names may be mixed in any order. A long flag takes its value after a space or an equals sign. \
Data goes to stdout, progress and errors to stderr."""
FILES = {
    "~/.docker/machine": "The store: records, keys and certificates of machines, in docker-machine's own layout",
    "~/.docker/machine/certs": "The certificate authority of the store, and the client's certificate and key",
}
ALIASES = {"docker-machine": "machine", "swarmd": "machine-swarmd"}  # programs that have another's page


def pages(version: str) -> dict[str, str]:
    """File name -> text of every page."""
    found = {"machine.1": overview(version)}
    found |= {f"machine-{command}.1": of_command(command, version) for command in COMMANDS}
    return found | {f"{alias}.1": f".so man1/{page}.1\n" for alias, page in ALIASES.items()}


def overview(version: str) -> str:
    """machine(1)."""
    text = title("machine", version) + name("machine", "Docker hosts anywhere, and many of them as one cluster")
    text += heading("Synopsis") + f"{bold('machine')} [{italic('FLAGS')}] {italic('COMMAND')} [{italic('NAME')} ...]\n"
    text += heading("Description") + paragraphs(INTRODUCTION)
    text += heading("Commands")
    for command, (_, line) in COMMANDS.items():
        text += item(f"{bold(f'machine-{command}')}(1)", line)
    text += heading("Options")
    for flag, short, follows, variable, line in TABLE:
        tag = ", ".join(bold(part) for part in (flag, short) if part)
        tag += f" {italic('VALUE')}" if follows == VALUE else ""
        text += item(tag, line + (f" [${variable}]" if variable else ""))
    text += heading("Exit status")
    for code, meaning in EXIT_CODES.items():
        text += item(bold(str(code)), meaning)
    text += heading("Files")
    for path, meaning in FILES.items():
        text += item(italic(path), meaning)
    return text + see_also([f"machine-{command}" for command in COMMANDS] + ["docker", "ssh"])


def of_command(command: str, version: str) -> str:
    """machine-COMMAND(1)."""
    _, line = COMMANDS[command]
    parser = parser_of(command, load(command), ["-d", "none"], {})
    text = title(f"machine-{command}", version) + name(f"machine-{command}", line)
    text += heading("Synopsis") + synopsis(command, parser)
    text += heading("Description") + paragraphs(parser.description or line)
    text += options(positional(parser), [group for group in parser.groups if not _of_driver(group)])
    if command == "create":
        for driver in DRIVERS:
            groups = parser_of(command, load(command), ["-d", driver], {}).groups
            text += options("", [group for group in groups if _of_driver(group)])
    return text + see_also(["machine"])


def title(page: str, version: str) -> str:
    """The first line. It has no date: the same sources give the same page."""
    return f".TH {quoted(page.upper())} 1 {quoted('')} {quoted(f'machine {version}')} {quoted('Docker hosts')}\n"


def name(page: str, line: str) -> str:
    """The section that whatis(1) and apropos(1) read."""
    return heading("Name") + f"{escape(page)} \\- {escape(line)}\n"


def synopsis(command: str, parser: Parser) -> str:
    """How the command is typed."""
    words = [bold(f"machine {command}"), f"[{italic('FLAGS')}]"]
    for argument in parser.positionals():
        word = italic(str(argument.options.get("metavar") or argument.dest.upper()))
        words.append({None: word, "?": f"[{word}]", "*": f"[{word} ...]", "+": f"{word} ..."}[argument.nargs])
    return " ".join(words) + "\n"


def positional(parser: Parser) -> str:
    """The names that the command takes, as items."""
    shown = [argument for argument in parser.positionals() if argument.options.get("help")]
    return "".join(item(italic(str(a.options.get("metavar") or a.dest.upper())), _help(a)) for a in shown)


def options(first: str, groups: list[Group]) -> str:
    """The flags in sections by their groups; `first` comes before them."""
    text = ""
    for group in groups:
        flags = "".join(item(_tag(argument), _help(argument)) for argument in group.arguments if argument.flags)
        body, first = first + flags, ""
        text += heading(group.title or "Options") + body if body else ""
    return text


def see_also(names: list[str]) -> str:
    """The last section."""
    return heading("See also") + ",\n".join(f"{bold(page)}(1)" for page in names) + "\n"


def _tag(argument: Argument) -> str:
    tag = ", ".join(bold(flag) for flag in argument.flags)
    if argument.action == "store_true":
        return tag
    value = italic(str(argument.options.get("metavar") or argument.dest.upper()))
    return tag + (f"[={value}]" if argument.nargs == "?" else f" {value}")


def _help(argument: Argument) -> str:
    return str(argument.options.get("help", "")).replace("%%", "%")


def _of_driver(group: Group) -> bool:
    return any(argument.of_driver for argument in group.arguments)
