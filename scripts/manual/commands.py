"""docs/commands/NAME.md: one page a command, of which only the examples are written by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from machine.cli.commands import COMMANDS
from machine.cli.main import load, parser_of
from machine.cli.parser import Argument, Group, Parser
from machine.swarm.cli import COMMANDS as SWARM_COMMANDS
from machine.swarm.cli_flags import Flag
from machine.swarmd.backends.registry import TABLE as BACKENDS
from manual.drivers import DRIVERS
from manual.markdown import DOCS, part_of, table

BEGIN, END = (
    "<!-- Written by hand, and run: the examples. `make docs` makes all else. -->\n",
    "<!-- end of examples -->\n",
)
HEADS = ("flag", "meaning")
LAST = """\
* [Flags of every command](../commands.md#flags-of-every-command) and [exit statuses](../exit-codes.md)
"""
VARIABLE = re.compile(r"\[\$([A-Z0-9_]+)(; secret[^\]]*)?\]")
GUIDES = {  # the pages under docs/ that say more of a command
    "config": ("certificates.md",),
    "context": ("certificates.md#docker-contexts",),
    "create": ("provisioning.md", "swarm.md", "swarm-mode.md"),
    "drivers": ("drivers/flags.md", "plugins.md"),
    "export": ("certificates.md#sharing-a-machine",),
    "image": ("drivers/qemu.md#images",),
    "import": ("certificates.md#sharing-a-machine",),
    "inspect": ("templates.md", "store.md"),
    "ls": ("templates.md",),
    "provision": ("provisioning.md",),
    "regenerate-certs": ("certificates.md",),
    "autostart": ("first-laptop.md",),
    "socket": ("security.md#what-each-listener-demands", "first-laptop.md"),
    "swarm": ("swarm.md", "hybrid.md"),
    "swarm-mode": ("swarm-mode.md",),
    "swarmd": ("swarmd.md", "add-a-backend.md"),
    "use": ("certificates.md#docker-contexts",),
    "upgrade": ("provisioning.md",),
}


def page(name: str) -> str:
    """Return docs/commands/NAME.md."""
    parser = parser_of(name, load(name), ["-d", "none"], {})
    usage = " ".join(["machine", name, *(place(argument) for argument in parser.positionals()), "[FLAGS]"])
    parts = [f"# {name}\n", f"    {usage}\n", description(parser, COMMANDS[name][1]), "## Examples\n"]
    parts.append(BEGIN + (part_of(f"commands/{name}.md", BEGIN, END) or "\n") + END)
    parts += arguments(parser)
    if name == "create":
        parts.append(flags_of_drivers())
    if name == "swarm":
        parts += [of_swarm(*row) for row in SWARM_COMMANDS.items()]
    if name == "swarmd":
        rows = [(f"[`{backend}`](../swarmd.md)", line) for backend, (_, _, line) in sorted(BACKENDS.items())]
        parts.append("## Backends\n\n" + table(("backend", "what it does"), rows))
    parts.append("## More\n\n" + "".join(f"* [{title(path)}](../{path})\n" for path in GUIDES.get(name, ())) + LAST)
    return "\n".join(parts)


def title(path: str) -> str:
    """Return the heading of a page under docs/, or of the part of it that the path names."""
    name, _, anchor = path.partition("#")
    headings: list[str] = re.findall(r"^#+ (.+)$", (DOCS / name).read_text(), re.MULTILINE)
    found: list[str] = (
        [heading for heading in headings if heading.lower().replace(" ", "-") == anchor] if anchor else headings
    )
    return found[0].replace("`", "")


def description(parser: Parser, line: str) -> str:
    """Return what the help says first; a list with indented lines is a block of code."""
    paragraphs = (parser.description or line).split("\n\n")
    said = [f"```\n{part}\n```" if "\n  " in f"\n{part}" else links(part) for part in paragraphs]
    return "\n\n".join(said) + "\n"


def links(text: str) -> str:
    """Return a text of the help with the pages that it names as links."""
    return re.sub(r"docs/([a-z-]+)\.md", r"[\1](../\1.md)", text)


def arguments(parser: Parser) -> list[str]:
    """Return the sections on names and flags."""
    sections = []
    named = [argument for argument in parser.positionals() if argument.options.get("help")]
    if named:
        rows = [(f"`{a.options.get('metavar', a.dest)}`", explain(a)) for a in named]
        sections.append("## Arguments\n\n" + table(("argument", "meaning"), rows))
    for group in parser.groups:
        found = [a for a in group.arguments if a.flags and a.dest != "help" and not a.of_driver]
        if found:
            sections.append(section(group, found))
    return sections


def section(group: Group, found: Sequence[Argument]) -> str:
    """Return the flags of one group, under its heading."""
    title = group.title[0].upper() + group.title[1:] if group.title else "Flags"
    return f"## {title}\n\n" + table(HEADS, [(spelling(a), explain(a)) for a in found])


def spelling(argument: Argument) -> str:
    """Return a flag in all its forms, with what follows it."""
    flags = ", ".join(f"`{flag}`" for flag in argument.flags)
    if argument.action == "store_true":
        return flags
    metavar = str(argument.options.get("metavar") or argument.dest.upper())
    return flags + (f"[={metavar}]" if argument.nargs == "?" else f" {metavar}")


def place(argument: Argument) -> str:
    """Return a positional argument as the line of usage has it."""
    word = str(argument.options.get("metavar") or argument.dest.upper())
    return {None: word, "?": f"[{word}]", "*": f"[{word}...]", "+": f"{word}..."}[argument.nargs]


def explain(argument: Argument) -> str:
    """Return an argument's help as one cell."""
    text = str(argument.options.get("help", "")).replace("%%", "%")
    return links(VARIABLE.sub(r"[`$\1`\2]", text))


def flags_of_drivers() -> str:
    """Return where the flags of the drivers are."""
    pages = ", ".join(f"[{driver}](../drivers/{driver}.md)" for driver in DRIVERS)
    return f"""## Flags of the drivers

Each driver has a page with its flags: {pages}. [All of them](../drivers/flags.md) are in one table, too, which can be
searched. A plugin has its own: `machine create -d DRIVER --help`.
"""


def of_swarm(name: str, command: tuple[str, Sequence[Flag], str]) -> str:
    """Return the section on one command of `machine swarm`."""
    takes, flags, line = command
    usage = f"    machine swarm {name} [FLAGS] {takes}".rstrip()
    rows = []
    for flag in flags:
        spellings = ", ".join(f"`{text}`" for text in (flag.name, *flag.also))
        notes = [
            note for note, given in ((f"default {flag.default}", flag.default), (f"`${flag.env}`", flag.env)) if given
        ]
        meaning = flag.help + (f" [{'; '.join(notes)}]" if notes else "")
        rows.append((spellings + ("" if flag.kind == "switch" else " VALUE"), meaning))
    return f"## swarm {name}\n\n{usage}\n\n{line[0].upper()}{line[1:]}.\n\n" + table(HEADS, rows)
