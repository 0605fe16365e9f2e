"""Classic Swarm's command line: which flags each command has, their short forms, variables and defaults. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from machine.errors import UsageError, masked
from machine.swarm.flag_tokens import tokenize


class Flag(NamedTuple):
    """One flag. `kind`: text, switch, or list (may be repeated)."""

    name: str
    kind: str = "text"
    default: str = ""
    also: tuple[str, ...] = ()  # other spellings
    env: str = ""
    help: str = ""


_DISCOVERY_OPT = Flag("--discovery-opt", "list", help="kv.path, kv.cacertfile, kv.certfile, kv.keyfile as KEY=VALUE")
TLS = (
    Flag("--tls", "switch", help="use TLS"),
    Flag("--tlsverify", "switch", help="use TLS and demand certificates that the CA signed, of clients and engines"),
    Flag("--tlscacert", help="CA certificate (PEM)"),
    Flag("--tlscert", help="our certificate (PEM)"),
    Flag("--tlskey", help="its key (PEM)"),
)
ADVERTISE = Flag("--advertise", also=("--addr",), env="SWARM_ADVERTISE", help="address that others reach us at")
MANAGE = (
    Flag("--strategy", default="spread", help="how an engine is chosen: spread, binpack, random"),
    Flag("--filter", "list", also=("-f",), help="a filter to apply; given once or more, only those given"),
    Flag("--host", "list", also=("-H",), env="SWARM_HOST", help="where to listen: tcp://HOST:PORT or unix://PATH"),
    Flag("--replication", "switch", help="be one of several managers, which elect a primary"),
    Flag("--replication-ttl", default="20s", help="how long a primary that died keeps the role"),
    ADVERTISE,
    *TLS,
    Flag("--engine-refresh-min-interval", default="30s", help="shortest time between two checks of an engine"),
    Flag("--engine-refresh-max-interval", default="60s", help="longest time between two checks of an engine"),
    Flag("--engine-failure-retry", default="3", help="failures after which an engine counts as unhealthy"),
    Flag("--engine-refresh-retry", help="old name of --engine-failure-retry; only 3 is accepted"),
    Flag("--heartbeat", default="60s", help="time between two reads of the discovery store"),
    Flag("--api-enable-cors", "switch", also=("--cors",), help="allow browsers of other sites"),
    Flag("--cluster-driver", default="swarm", also=("-c",), help="only swarm"),
    Flag("--cluster-opt", "list", help="swarm.overcommit=0.05, swarm.createretry=0, swarm.key=FILE"),
    _DISCOVERY_OPT,
    Flag("--refresh-on-node-filter", "switch", help="accepted; lists are always fresh"),
    Flag("--container-name-refresh-filter", help="accepted; names are always fresh"),
    Flag("--insecure", "switch", help="listen without TLS beyond this host, whoever may reach it"),
    Flag("--registry", help="file of tokens and their engines, for token://TOKEN without a service"),
)
JOIN = (
    ADVERTISE,
    Flag("--heartbeat", default="60s", help="time between two registrations"),
    Flag("--ttl", default="180s", help="how long a registration holds"),
    Flag("--delay", default="0s", help="wait a random time up to this first"),
    _DISCOVERY_OPT,
)
LIST = (Flag("--timeout", default="10s", help="how long to wait"), _DISCOVERY_OPT)
DISCOVERY = (
    Flag("--host", "list", also=("-H",), help="where to listen (default tcp://127.0.0.1:8080)"),
    *TLS,
    Flag("--registry", help="file that keeps tokens and entries (default: the machine store's own)"),
    Flag("--insecure", "switch", help="listen without TLS beyond this host, whoever may reach it"),
)
CREATE: tuple[Flag, ...] = (_DISCOVERY_OPT,)


class HelpRequested(UsageError):
    """--help or -h stands where a flag may: whoever has a help prints it, for all others it is an unknown flag."""


class ParsedArgs:
    """What was typed: values of flags, and the other words."""

    def __init__(self, command: str, flags: Sequence[Flag], environ: Mapping[str, str]) -> None:
        self.command = command
        self.positionals: list[str] = []
        self._flags = {flag.name: flag for flag in flags}
        self._values: dict[str, list[str]] = {}
        self._environ = environ

    def set_value(self, flag: Flag, value: str) -> None:
        """Take a value of a flag: a list collects them, of any other flag the last one counts."""
        values = self._values.setdefault(flag.name, [])
        if flag.kind != "list":
            values.clear()
        values.append(value)

    def all(self, name: str) -> list[str]:
        """Every value of a list; the variable's, if none was typed."""
        flag = self._flags[name]
        if name in self._values:
            return list(self._values[name])
        from_environ = self._environ.get(flag.env, "") if flag.env else ""
        return [from_environ] if from_environ else []

    def text(self, name: str) -> str:
        """The value: typed, else the variable's, else the default."""
        flag = self._flags[name]
        return (self._values.get(name) or [self._environ.get(flag.env, "") if flag.env else ""])[-1] or flag.default

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self._values.get(name, ["false"])[-1] == "true"

    def switches(self) -> dict[str, str]:
        """What was typed, as machine.swarm.http.address.tls_from_flags takes it."""
        return {name: values[-1] for name, values in self._values.items()}

    def reject_positionals(self) -> None:
        """Raises UsageError if there are words beside the flags."""
        if self.positionals:
            raise UsageError(
                f"{self.command} takes no arguments, and got {' '.join(masked(word) for word in self.positionals)}",
                resolution="leave them out",
            )

    def one_url(self, default: str) -> str:
        """The discovery: the only word, or `default`. Raises UsageError if there is none, or more than one."""
        if len(self.positionals) > 1:
            raise UsageError(
                f"{self.command} takes one discovery, not {' '.join(masked(word) for word in self.positionals)}"
            )
        url = self.positionals[0] if self.positionals else default
        if not url:
            raise UsageError(
                f"{self.command} needs a discovery",
                resolution="name one: token://TOKEN, nodes://HOST:PORT,..., file://PATH, etcd://..., consul://...",
            )
        return url


def parse_args(command: str, argv: Sequence[str], flags: Sequence[Flag], environ: Mapping[str, str]) -> ParsedArgs:
    """Read a command line: `--flag value`, `--flag=value`, `-flag`; flags and words in any order.

    Raises UsageError if there is no such flag, or its value is missing or wrong.

    Raises HelpRequested at --help or -h, wherever it stands, unless it is a flag's value.
    """
    args = ParsedArgs(command, flags, environ)
    declared = {flag.name: flag for flag in flags}
    by_spelling = {spelling: flag for flag in flags for spelling in (flag.name, *flag.also)}

    def find(name: str) -> tuple[str, bool]:
        flag = by_spelling.get(name) or by_spelling.get("-" + name)
        if flag is None:
            known = did_you_mean(name, by_spelling) or "it has " + " ".join(declared)
            error = HelpRequested if name in ("--help", "-h", "-help") else UsageError
            raise error(f"{command} has no flag {name}", resolution=known)
        return flag.name, flag.kind != "switch"

    for token in tokenize(argv, find):
        if token.flag:
            args.set_value(declared[token.flag], token.value)
        else:
            args.positionals.append(token.value)
    return args


def did_you_mean(typed: str, candidates: Iterable[str], least: float = 0.6) -> str:
    """The question "did you mean X?" for the known word most like `typed`; "" if none is alike by `least` (0 to 1)."""
    import difflib

    found = difflib.get_close_matches(typed, list(candidates), n=1, cutoff=least)
    return f"did you mean {found[0]}?" if found else ""


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str, name: str) -> float:
    """A time as Go writes it: 60s, 1m30s, 500ms; a bare number is seconds. Raises UsageError if it is none."""
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(text) > 40:
        raise UsageError(f"{name} must be a time such as 60s or 1m30s, not {text!r}")
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def heartbeat_and_ttl(args: ParsedArgs) -> tuple[float, float]:
    """--heartbeat and --ttl of a registration, in seconds. Raises UsageError if it would end before the next one."""
    beat, ttl = (seconds(args.text(name), name) for name in ("--heartbeat", "--ttl"))
    seconds(args.text("--delay"), "--delay")
    if beat < 1 or ttl <= beat:
        raise UsageError("--heartbeat must be at least 1s, and --ttl longer than it")
    return beat, ttl


def key_value_pairs(texts: Iterable[str], name: str) -> dict[str, str]:
    """KEY=VALUE, each. Raises UsageError if one is not of that form."""
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{name} {text!r} is not of the form KEY=VALUE")
        pairs[key] = value
    return pairs


def percent(text: str) -> int:
    """An overcommit of 0.05 as 5. Raises UsageError if it is no number, or out of range."""
    try:
        ratio = float(text)
    except ValueError:
        raise UsageError(f"swarm.overcommit must be a number, not {text[:40]!r}") from None
    if not ratio > -1:
        raise UsageError(f"swarm.overcommit should be larger than -1, {ratio:f} is invalid")
    if not ratio < 1000:
        raise UsageError(f"swarm.overcommit must be below 1000, not {text[:40]!r}", resolution="0.05 is 5 % more")
    return int(round(ratio * 100, 6))


def help_of(flags: Sequence[Flag]) -> str:
    """The flags for a command's help, as wide as the terminal ($COLUMNS; 80 where that is unknown)."""
    rows = {}
    for flag in flags:
        spellings = ", ".join((*(also for also in flag.also if len(also) == 2), flag.name))
        value = "" if flag.kind == "switch" else " VALUE"
        notes = "".join((f" (default {flag.default})" if flag.default else "", f" [${flag.env}]" if flag.env else ""))
        rows[spellings + value] = flag.help + notes
    return help_rows(rows)


def help_rows(rows: Mapping[str, str]) -> str:
    """Words and what they mean, in two columns as wide as the terminal ($COLUMNS; 80 where that is unknown)."""
    import shutil
    import textwrap

    width = max(shutil.get_terminal_size().columns, 60) - 2
    lines: list[str] = []
    for word, meaning in rows.items():
        lines += textwrap.wrap(
            meaning, width, initial_indent=f"  {word:36} ", subsequent_indent=" " * 39, break_on_hyphens=False
        )
    return "\n".join(lines)
