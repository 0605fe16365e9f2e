"""dockerd's command line: the shipped one, with what we need and without what daemon.json says instead.

dockerd refuses to start when one setting stands both on its command line and in daemon.json. So every
setting has one place: hosts, TLS and --engine-opt are flags; labels and registries are in daemon.json. TLS stands
beside `-H tcp` in one file, so that no half-written or half-loaded configuration listens without it. Flags of
the shipped unit that belong in daemon.json are moved, whatever else it has is kept as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from machine import paths
from machine.booleans import GO_TRUE
from machine.provision.dockerd_flags import KEYS, SHORT, SWITCHES, keys_of
from machine.provision.units import quote_argument, resolve_specifiers, split_words
from machine.provision.variables import expand, variable_names

_LISTS = ("label", "insecure-registry", "registry-mirror")
PREFIXES = "@-:+!|"  # which systemd takes before the program in ExecStart
TLS_PORT = "2376"  # where dockerd listens behind TLS when a host names no port
TLS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey")  # all that decide about it, as flags and as keys


@dataclass
class Command:
    """A command line of dockerd, parsed."""

    program: str = ""  # with systemd's prefix characters, and with what it is started by (env K=V), as written
    hosts: list[str] = field(default_factory=list)
    moved: dict[str, list[str]] = field(default_factory=dict)  # list flags that go to daemon.json
    kept: list[str] = field(default_factory=list)  # all other words, as written
    live_restore: bool | None = None  # a flag too that goes to daemon.json, where a reload can change it
    took_flags: bool = False  # whether any flag was taken out of the words
    unknown: tuple[str, ...] = ()  # words that were taken, and hold a specifier of systemd that we do not know
    expanded_variables: tuple[
        str, ...
    ] = ()  # the variables of which something was taken, so that the rest stands as words


def parse(
    text: str,
    *,
    drop: tuple[str, ...] = (),
    variables: Mapping[str, str] | None = None,
    specifiers: Mapping[str, str] | None = None,
) -> Command:
    """Parse a command line; TLS flags and those named in `drop` are left out, for we set them.

    `variables` and `specifiers` are those of the unit: what they hold counts as if it were written. One that holds
    nothing of ours is kept as it is written, of another variable the rest is kept as words. Without `specifiers`
    "%" means nothing, as outside systemd.
    """
    command = Command()
    remaining = split_words(text)
    start = _first_flag(remaining)
    command.program = " ".join(written for written, _ in remaining[:start])
    del remaining[:start]
    tokens = [
        _Token(number, written, part)
        for number, (written, meant) in enumerate(remaining)
        for part in (expand(resolve_specifiers(meant, specifiers), variables or {}) or [""])
    ]
    flag_tokens = _take_flags(command, tokens, drop)
    touched_words = {token.word for token in flag_tokens}
    command.took_flags = bool(flag_tokens)
    if specifiers is not None:
        command.unknown = tuple(
            token.written
            for token in flag_tokens
            if not variable_names(token.written) and "%" in resolve_specifiers(token.written, specifiers)
        )
    command.expanded_variables = tuple(
        dict.fromkeys(name for token in flag_tokens for name in variable_names(token.written))
    )
    seen = set()
    for token in tokens:
        if token.word not in touched_words:
            command.kept += [token.written] if token.word not in seen else []
            seen.add(token.word)
        elif token not in flag_tokens and token.meant:
            command.kept.append(quote_argument(token.meant))
    return command


@dataclass(eq=False)
class _Token:
    """One word that dockerd gets: out of word number `word` of the command, which is `written` there."""

    word: int
    written: str
    meant: str


def _take_flags(command: Command, tokens: list[_Token], drop: tuple[str, ...]) -> list[_Token]:
    """Move the flags that we set from `tokens` to `command`, and return their tokens."""
    flag_tokens: list[_Token] = []
    remaining = list(tokens)
    while remaining:
        token = remaining.pop(0)
        name, value = flag_of(token.meant)
        if name not in ("host", "live-restore", *_LISTS, *TLS, *drop):
            continue
        flag_tokens.append(token)
        if value is None:
            value = ""
            if name not in SWITCHES and remaining:
                flag_tokens.append(remaining.pop(0))
                value = flag_tokens[-1].meant
        if name == "host":
            command.hosts.append(value)
        elif name in _LISTS:
            command.moved.setdefault(KEYS[name], []).append(value)
        elif name == "live-restore" and name not in drop:
            command.live_restore = value in ("", *GO_TRUE)
    return flag_tokens


def flag_of(argument: str) -> tuple[str, str | None]:
    """Return the long name of the flag in a word, "" for none, and its value if the word has that too, else None."""
    if argument.startswith("--"):
        name, equals, value = argument[2:].partition("=")
        return name, value if equals else None
    letters = argument[1:] if argument.startswith("-") else ""
    while letters and SHORT.get(letters[0]) in SWITCHES and len(letters) > 1 and letters[1] != "=":
        letters = letters[1:]  # -DH tcp://...: switches may stand before another letter
    if not letters or letters[0] not in SHORT:
        return "", None
    return SHORT[letters[0]], letters[1:].removeprefix("=") if len(letters) > 1 else None


def arguments(text: str, variables: Mapping[str, str], specifiers: Mapping[str, str] | None = None) -> list[str]:
    """Return the arguments that dockerd gets from a command line, variables expanded, the program left out."""
    found = split_words(text)
    return [
        part
        for _, meant in found[_first_flag(found) :]
        for part in expand(resolve_specifiers(meant, specifiers), variables)
    ]


def _first_flag(command: list[tuple[str, str]]) -> int:
    """Return the index of dockerd's first argument in a command's words; after "@" the word behind it is its name."""
    for at, (_, meant) in enumerate(command):
        if _is_dockerd(meant):
            named = at == 0 and "@" in meant[: len(meant) - len(meant.lstrip(PREFIXES))]
            return at + 2 if named else at + 1
    return 1


def is_understood(text: str) -> bool:
    """Return whether a command line starts dockerd itself, so that flags can be added at its end."""
    return any(_is_dockerd(meant) for _, meant in split_words(text))


def mentions_own_flags(text: str) -> bool:
    """Return whether a shell file that cannot be parsed names a flag that we set or move, comments left out."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    flags = "|".join(["--host", "-H", *(f"--{name}" for name in (*_LISTS, *TLS))])
    return any(re.search(rf"(?<![\w-])(?:{flags})(?![\w-])", line) for line in lines)


def _is_dockerd(argument: str) -> bool:
    return argument.lstrip(PREFIXES).rpartition("/")[2] == "dockerd"


def settings_file(arguments: list[str], options: tuple[str, ...]) -> str:
    """The file that dockerd's arguments `arguments` or --engine-opt name by --config-file, "" if neither does."""
    all_arguments = [*arguments, *option_flags(options)]
    found = ""
    for word, next_argument in zip(all_arguments, [*all_arguments[1:], ""], strict=False):
        name, value = flag_of(word)
        if name == "config-file":
            found = next_argument if value is None else value
    return found


def option_flags(options: tuple[str, ...]) -> list[str]:
    """Return the values of --engine-opt, "k=v" or "k", as flags of dockerd."""
    return ["--" + option.lstrip("-") for option in options]


def tls_flags(directory: str, options: tuple[str, ...]) -> list[str]:
    """Return the flags that admit nobody without a certificate of our CA, but for those that --engine-opt sets."""
    own_flags = {
        "tlsverify": "--tlsverify",
        "tlscacert": f"--tlscacert={directory}/{paths.CA}",
        "tlscert": f"--tlscert={directory}/{paths.SERVER_CERT}",
        "tlskey": f"--tlskey={directory}/{paths.SERVER_KEY}",
    }
    chosen = {option.lstrip("-").partition("=")[0] for option in options}
    return [flag for name, flag in own_flags.items() if name not in chosen]


def switches_tls_off(options: tuple[str, ...]) -> str:
    """The --engine-opt that would let anybody in over the network, "" if there is none (values as Go reads them)."""
    for option in options:
        name, equals, value = option.lstrip("-").partition("=")
        if name in ("tls", "tlsverify") and equals and value not in GO_TRUE:
            return option
    return ""


def option_keys(options: tuple[str, ...]) -> list[str]:
    """Return the keys of daemon.json that are replaced by flags of --engine-opt."""
    return [key for option in options for key in keys_of(option.lstrip("-").partition("=")[0])]


def hosts(command: Command, from_daemon_json: list[str], own_host: str, *, socket_unit: bool) -> list[str]:
    """Return all addresses to listen on: the shipped ones and daemon.json's, a local socket, and our own."""
    port = own_host.rsplit(":", 1)[-1]
    addresses = list(dict.fromkeys([*command.hosts, *from_daemon_json]))
    addresses = [host for host in addresses if tcp_port(host) != port]
    if not socket_unit:
        addresses = ["unix:///var/run/docker.sock" if host.startswith("fd://") else host for host in addresses]
    if not any(host.startswith(("fd://", "unix://")) for host in addresses):
        addresses.insert(0, "unix:///var/run/docker.sock")
    return [*addresses, own_host]


def tcp_port(host: str) -> str:
    """The port at which dockerd listens behind TLS for a -H of its, "" if it is not TCP. A host may lack its scheme."""
    scheme, _, location = host.rpartition("://")
    if scheme not in ("", "tcp"):
        return ""
    _, colon, port = location.partition("/")[0].rpartition(":")
    return port if colon and port.isdigit() else TLS_PORT


def render(command: Command, listen: list[str], options: tuple[str, ...], dockerd: str, tls: list[str]) -> list[str]:
    """Return the words of the new command line, quoted for systemd."""
    program = command.program or dockerd
    flags = [word for host in listen for word in ("-H", quote_argument(host))]
    # After what was there: of a flag that is given twice the last one counts, and a variable may hold one.
    return [
        program,
        *flags,
        *command.kept,
        *map(quote_argument, tls),
        *(quote_argument(flag) for flag in option_flags(options)),
    ]
