"""`machine completion bash|zsh|fish`: a script that completes commands, flags, machines and drivers.

Commands, flags and drivers are written into the script; machines are asked for when needed, by `machine ls -q`.
"""

from __future__ import annotations

from machine.cli.commands import COMMANDS
from machine.cli.global_flags import AFTER_COMMAND, TABLE
from machine.cli.main import load, parser_of
from machine.cli.tokenize import VALUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from machine.cli.app import App
    from machine.cli.parser import Argument, Namespace, Parser

HELP = """Print a completion script.

  bash: eval "$(machine completion bash)" in ~/.bashrc
  zsh:  eval "$(machine completion zsh)" in ~/.zshrc, after compinit
  fish: machine completion fish > ~/.config/fish/completions/machine.fish"""

SHELLS = ("bash", "zsh", "fish")
MACHINE, REMOTE = "@machine", "@remote"  # a machine's name; a machine's name and a colon
_NEW_NAME = ("create", "import")  # their NAME is one that is not there yet
_VALUES = {  # flags whose values are known
    "--shell": "bash zsh sh fish tcsh powershell cmd emacs",
    "--log-format": "text json",
    "--engine-proxy": "env off",
    "--at-login": "on off",
    "--qemu-warm": "on off",
    "--qemu-localhost": "auto on off",
    "--qemu-host-access": "auto on off",
    "--qemu-accel": "auto kvm hvf tcg",
    "--swarm-mode": "manager worker",
    "--swarm-availability": "active pause drain",
    "--filter": "driver= label= name= state= swarm=",
    "--from": MACHINE,
}


def add_arguments(parser: Parser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(args: Namespace, app: App) -> int:
    """The script on stdout."""
    vocabulary = Vocabulary(app.environ)
    app.stdout.write(fish(vocabulary) if args.shell == "fish" else posix(vocabulary, args.shell))
    return 0


class Vocabulary:
    """All words that can be completed: from the parsers, so that a new flag needs nothing here."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Load every command and driver; a driver of a third party that cannot be loaded has no flags."""
        from machine.drivers.registry import names

        self.drivers = names()
        environ = {key: value for key, value in environ.items() if key != "MACHINE_DRIVER"}
        self.words: dict[str, list[str]] = {}
        self.flags: dict[str, dict[str, Argument]] = {}
        for command in COMMANDS:
            parser = parser_of(command, load(command), [], environ)
            self.words[command] = _completions_of(command, parser)
            self.flags[command] = parser.flags()
        self.words["help"] = list(COMMANDS)
        self.words["swarm"] = _swarm_commands()
        self.words["swarmd"] = _swarmd_backends()
        self.words["drivers"] = self.drivers
        self.words["snapshot"] = ["ls", "restore", "rm", MACHINE]
        self.of_driver: dict[str, dict[str, Argument]] = {}
        for driver in self.drivers:
            typed = _create_flags(driver, environ)
            self.of_driver[driver] = {flag: typed[flag] for flag in typed if typed[flag].of_driver}
        self.flags["create"] = {flag: a for flag, a in self.flags["create"].items() if not a.of_driver}


def _swarm_commands() -> list[str]:
    from machine.swarm.cli import COMMANDS

    return [*COMMANDS, "help"]


def _swarmd_backends() -> list[str]:
    from machine.swarmd.backends.registry import names

    return list(names())


def _create_flags(driver_name: str, environ: Mapping[str, str]) -> dict[str, Argument]:
    try:
        return parser_of("create", load("create"), ["-d", driver_name], environ).flags()
    except Exception:
        return {}  # a third party's driver that does not load is no reason to complete nothing


def _completions_of(command: str, parser: Parser) -> list[str]:
    """Return what is completed for a command's arguments other than flags."""
    completions: list[str] = []
    for place in parser.positionals():
        metavar = str(place.options.get("metavar", ""))
        completions += place.options.get("choices") or []
        if command in ("scp", "mount"):
            completions.append(REMOTE)
        elif "NAME" in metavar and command not in _NEW_NAME:
            completions.append(MACHINE)
    return completions


def posix(vocabulary: Vocabulary, shell: str) -> str:
    """Return the script for bash or zsh: one function that finds the command typed, with the same words for both."""
    takes_value = "|".join(
        part for flag, short, follows, *_ in TABLE if follows == VALUE for part in (flag, short) if part
    )
    lines = ["_machine() {", *(_BASH_HEAD if shell == "bash" else _ZSH_HEAD)]
    lines += [_FIND.replace("@TAKES_VALUE", takes_value), '    case "$command" in']
    everywhere = " ".join(AFTER_COMMAND)
    for command in COMMANDS:
        flags = " ".join(sorted(vocabulary.flags[command]))
        lines.append(f'    {command}) flags="{flags}"; choices="{" ".join(vocabulary.words[command])}" ;;')
    both = " ".join(sorted(part for flag, short, *_ in TABLE for part in (flag, short) if part))
    lines += [f'    "") flags="{both}"; choices="{" ".join(COMMANDS)}" ;;', "    esac"]
    lines.append(f'    [ -n "$command" ] && flags="$flags {everywhere}"')
    lines += ['    [ "$command" = create ] && case "$driver" in']
    lines += [
        f'    {name}) flags="$flags {" ".join(sorted(flags))}" ;;' for name, flags in vocabulary.of_driver.items()
    ]
    lines += ["    esac", '    case "$command $previous" in']
    drivers = " ".join(vocabulary.drivers)
    lines.append(f'    "create -d"|"create --driver"|"help -d"|"help --driver") only="{drivers}" ;;')
    lines += [f'    *" {flag}") only="{values}" ;;' for flag, values in _VALUES.items()]
    lines += ["    esac", _CHOOSE, *(_BASH_TAIL if shell == "bash" else _ZSH_TAIL)]
    return "\n".join(lines) + "\n"


_BASH_HEAD = (
    '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" program="$1"',
    '    local -a typed=("${COMP_WORDS[@]:1:COMP_CWORD-1}")',
)
_ZSH_HEAD = (
    "    emulate -L zsh",
    '    local current="${words[CURRENT]}" previous="${words[CURRENT-1]}" program="${words[1]}"',
    '    local -a typed=("${(@)words[2,CURRENT-1]}")',
)
_FIND = """\
    local command="" driver="${MACHINE_DRIVER:-qemu}" store="" flags="" choices="" only="" list="" before="" word
    for word in "${typed[@]}"; do
        case "$before" in
        -s|--storage-path) store="$word" ;;
        -d|--driver) driver="$word" ;;
        esac
        if [ -z "$command" ]; then
            case "$before" in
            @TAKES_VALUE) ;;
            *) case "$word" in -*) ;; *) command="$word" ;; esac ;;
            esac
        fi
        before="$word"
    done"""
_CHOOSE = """\
    case "$current" in
    -*) list="$flags" ;;
    *)
        list="${only:-$choices}"
        case " $list " in
        *" @machine "*|*" @remote "*)
            word="$(MACHINE_STORAGE_PATH="${store:-$MACHINE_STORAGE_PATH}" "$program" ls -q 2>/dev/null)"
            case " $list " in *" @remote "*) word="$(printf '%s\\n' "$word" | sed -n 's/..*/&:/p')" ;; esac
            list="${list//@machine/}"
            list="${list//@remote/} $word"
            ;;
        esac
        ;;
    esac"""
_BASH_TAIL = (
    '    COMPREPLY=($(compgen -W "$list" -- "$current"))',
    '    case "${COMPREPLY[0]-}" in *=|*:) compopt -o nospace 2>/dev/null ;; esac',
    "}",
    "complete -o bashdefault -o default -F _machine machine docker-machine",
)
_ZSH_TAIL = (
    "    local -a found=(${=list})",
    "    if (( ${#found} )); then compadd -- $found; else _files; fi",
    "}",
    "compdef _machine machine docker-machine",
)

_FISH_MACHINES = "(machine ls -q 2>/dev/null)"


def fish(vocabulary: Vocabulary) -> str:
    """Return the script for fish: one line for each word that can be completed."""
    lines = [
        "complete -c machine -f",
        "complete -c docker-machine -w machine",
        "function __machine_driver",
        "    set -l found",
        "    set -l typed (commandline -opc)",
        "    for at in (seq (count $typed))",
        "        contains -- $typed[$at] -d --driver; and set found $typed[(math $at + 1)]",
        "    end",
        '    test "$found" = $argv[1]; or begin; test -z "$found"; and test "$argv[1]" = qemu; end',
        "end",
        "function __machine_remote",
        "    machine ls -q 2>/dev/null | string replace -r '$' ':'",
        "end",
        "function __machine_no_command",
        f"    not __fish_seen_subcommand_from {' '.join(COMMANDS)}",
        "end",
    ]
    no_command = "__machine_no_command"
    for command, (_, text) in COMMANDS.items():
        lines.append(f"complete -c machine -n '{no_command}' -a {command} -d {_quote(text)}")
    for flag, short, follows, _, text in TABLE:
        needs_value = " -r" if follows == VALUE else ""
        option_text = f"{needs_value} -d {_quote(text)}"
        lines.append(f"complete -c machine -l {flag[2:]}{option_text}")
        if short:
            lines.append(f"complete -c machine -n '{no_command}' -s {short[1:]}{option_text}")
    for command in COMMANDS:
        condition = f"__fish_seen_subcommand_from {command}"
        for word in vocabulary.words[command]:
            completions = {MACHINE: _FISH_MACHINES, REMOTE: "(__machine_remote)"}.get(word, word)
            files = " -F" if word == REMOTE else ""
            lines.append(f"complete -c machine -n '{condition}'{files} -a '{completions}'")
        lines += _fish_flags(condition, vocabulary.flags[command], vocabulary.drivers)
    for driver, flags in vocabulary.of_driver.items():
        lines += _fish_flags(f"__fish_seen_subcommand_from create; and __machine_driver {driver}", flags, [])
    return "\n".join(lines) + "\n"


def _fish_flags(condition: str, flags: Mapping[str, Argument], drivers: list[str]) -> list[str]:
    lines = []
    for argument in dict.fromkeys(flags.values()):
        names = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in argument.flags)
        values = " ".join(drivers) if "--driver" in argument.flags else _VALUES.get(argument.flags[0], "")
        value = " -r" if argument.follows == VALUE else ""
        if values:
            value = f" -x -a '{_FISH_MACHINES if values == MACHINE else values}'"
        text = str(argument.options.get("help", "")).replace("%%", "%")
        lines.append(f"complete -c machine -n '{condition}' {names}{value} -d {_quote(text)}")
    return lines


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
