"""docs/commands.md, the overview of the commands, and the tables of docs/exit-codes.md and docs/variables.md."""

from __future__ import annotations

import re
from collections.abc import Iterator

from machine import errors
from machine.cli.commands import COMMANDS
from machine.cli.global_flags import TABLE
from machine.cli.main import load, parser_of
from machine.cli.tokenize import VALUE
from machine.errors import EXIT_CODES
from machine.swarm.cli import COMMANDS as SWARM_COMMANDS
from manual.commands import VARIABLE
from manual.markdown import table, with_part

GROUPS = {  # as the navigation of the site has them
    "Make and remove machines": ("create", "rm", "drivers", "image"),
    "See what there is": ("ls", "status", "ip", "url", "inspect", "active", "version"),
    "Use a machine": ("use", "env", "config", "context", "socket", "ssh", "scp", "mount", "forward", "share"),
    "Switch on and off": ("start", "stop", "suspend", "restart", "kill", "autostart"),
    "Keep machines in order": ("provision", "set", "upgrade", "regenerate-certs"),
    "Share machines": ("export", "import"),
    "Many engines as one": ("swarm", "swarm-mode", "swarmd"),
    "The program itself": ("help", "completion", "plugin"),
}
HEAD = """\
# Commands

<!-- Made by `make docs` from the program itself; change the texts there. -->

    machine [FLAGS] COMMAND [NAME...] [FLAGS]

Each command has a page with its flags and with examples that were run.

GROUPS
## Names and flags

Flags and names may be mixed in any order. A long flag takes its value after a space or `=`, and one dash will do
(`-driver x`); a switch takes `=true` and `=false`; short switches may be bundled (`rm -fy`); after `--` all is names.
Flags with a [`$VARIABLE`](variables.md) after their text get their default from it.

Where a name may be left out, the machine called `default` is meant, if there is one.

## Flags of every command

Before the command all of them are understood, after it the long ones; `ssh` leaves what follows it to the remote side.

FLAGS_TABLE
## Output

Data goes to stdout, progress and errors to stderr. With `--log-format json` these are lines of JSON:
`{"time", "level", "machine", "message"}`, for errors also `error` (its class), `details`, `resolution` and `code` (the
exit status; `status` is the same). The level is `step`, `info`, `warning`, `debug`, `error`, or the last word on a
machine: `done` or, while others go on, `failed`, both with `seconds`; of `create`, `start` and `restart` also with
`url` and `ip`.

With `--json` data is JSON: an object, a list for several names. The keys:

JSON_KEYS
`Phase` is how far `create` has come: `recorded`, `created`, `reachable`, `provisioned`, `ready`.

## Exit statuses

[Exit statuses](exit-codes.md) has more on them.

STATUSES"""
JSON_KEYS = {  # command -> what its JSON has
    "`ls`": "those of its [templates](templates.md): `Name`, `Active`, `State`, `URL`, `IP`, `Phase`, `Created`,"
    " `Error`, ...; always a list",
    "`forward --list`": "`machine`, `process`, `address`, `connected`, and `ports`: `protocol`, `port`, `container`,"
    " `state` (`open`, `waiting` for the link, `refused`), `reason`; always a list",
    "`ip` `url` `status`": "`Name` and `IP`, `URL`, or `State` and `Phase`",
    "`active`": "`Name`, `URL`",
    "`use`": "`Name`, `Context`, `URL`",
    "`socket`": "`Name`, `URL`",
    "`autostart`": "`Name`, `Autostart`, `File`; always a list",
    "`version`": "`Version`, `Build`; of a machine `Name`, `Version`, `ApiVersion`",
    "`inspect`": "the record, as [on disk](store.md)",
    "`drivers`": "`Name`, `Machine`, `Needs`, `Proved`, `Options` (a list of `Flag`, `Kind`, `Variable`, `Default`,"
    " `Help`, `Secret`)",
    "`set`": "`Name`, `Changes` (by option: `Before`, `After`), `Pending` (options that come with the next start),"
    " `RestartNeeded`",
    "`swarm-mode ls`": "`machine`, `cluster`, `node`, `role`, ...; always a list",
}
MADE = "<!-- {}: made by `make docs` from the program -->\n"
END = "<!-- end of {} -->\n"


def overview() -> str:
    """Return docs/commands.md."""
    shown = ""
    for title, names in GROUPS.items():
        rows = [(f"[`{name}`](commands/{name}.md)", COMMANDS[name][1]) for name in names]
        shown += f"## {title}\n\n{table(('command', 'what it does'), rows)}\n"
    flags = [
        (
            f"`{long}`" + (f", `{short}`" if short else "") + (" VALUE" if follows == VALUE else ""),
            with_variable(text, env),
        )
        for long, short, follows, env, text in TABLE
    ]
    parts = {
        "GROUPS\n": shown,
        "FLAGS_TABLE\n": table(("flag", "meaning"), flags) + "\n",
        "JSON_KEYS": table(("command", "keys"), JSON_KEYS.items()),
        "STATUSES": statuses(),
    }
    made = HEAD
    for mark, part in parts.items():
        made = made.replace(mark, part)
    return made


def with_variable(text: str, variable: str) -> str:
    """Return the text on a flag with the variable that gives its default."""
    return text + (f" [`${variable}`]" if variable else "")


def statuses() -> str:
    """Return the table of the exit statuses."""
    rows = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    return table(("status", "meaning"), [*rows, ("other", "`ssh` and `scp` pass on the status of the remote command")])


def exit_codes_page() -> str:
    """Return docs/exit-codes.md with its two tables as they are now."""
    name, kinds = "statuses", "kinds of error"
    text = with_part("exit-codes.md", MADE.format(name), END.format(name), statuses())
    found = re.findall(r"^ +(\w+) +(\d+)(?:   .+)?$", errors.__doc__ or "", re.MULTILINE)
    rows = [
        (f"`{kind}`", status, said_of(kind)) for kind, status in found if kind != "InProgress"
    ]  # nobody sees that one
    made = table(("`error`", "status", "meaning"), rows)
    begin, end = MADE.format(kinds), END.format(kinds)
    before, mark, rest = text.partition(begin)
    return before + mark + made + end + rest.partition(end)[2]


def said_of(kind: str) -> str:
    """Return what the docstring of a class of errors says first."""
    return "any other error" if kind == "MachineError" else (getattr(errors, kind).__doc__ or "").partition("\n")[0]


def variables_page() -> str:
    """Return docs/variables.md with its table of the flags' variables as it is now."""
    name = "variables of flags"
    rows = [(f"`{variable}`", f"`{flag}`", where) for variable, flag, where in sorted(variables())]
    made = table(("variable", "flag", "of"), rows)
    return with_part("variables.md", MADE.format(name), END.format(name), made)


def variables() -> Iterator[tuple[str, str, str]]:
    """Yield each variable that gives a flag its default, with the flag and the command; none of drivers' flags."""
    for flag, _, _, variable, _ in TABLE:
        if variable:
            yield variable, flag, "[every command](commands.md#flags-of-every-command)"
    for name in COMMANDS:
        for argument in {*parser_of(name, load(name), ["-d", "none"], {}).flags().values()}:
            for variable, _ in VARIABLE.findall(str(argument.options.get("help", ""))):
                if not argument.of_driver:
                    yield variable, argument.flags[0], f"[{name}](commands/{name}.md)"
    for name, (_, flags, _) in SWARM_COMMANDS.items():
        for option in flags:
            if option.env:
                yield option.env, option.name, f"[swarm {name}](commands/swarm.md)"
