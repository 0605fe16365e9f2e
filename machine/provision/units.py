"""systemd's unit files as text (systemd.service(5), systemd.syntax(7)): parsing ExecStart, quoting, our drop-in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

OURS = "10-machine.conf"

_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+""", re.DOTALL)
_QUOTED = re.compile(r"""\\(.)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""", re.DOTALL)


def exec_start(files: Iterable[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
    """The command of a service from its files (path, text), the unit first and then its drop-ins in systemd's order.

    Our own drop-in is left out, so that what was shipped can be read again under it. Second, the paths of
    drop-ins that set the command and are read after ours: systemd orders them by file name.
    """
    command, later = "", []
    for number, (path, text) in enumerate(files):
        name = path.rsplit("/", 1)[-1]
        if name == OURS:
            continue
        values = values_of(text, "ExecStart")
        if values:
            command = values[-1]
            if number and name > OURS:
                later.append(path)
    return command, tuple(later)


def values_of(text: str, key: str) -> list[str]:
    """The values of `key` in a unit file, in order, with continued lines joined."""
    joined = re.sub(r"\\\n(?:[#;].*\n)*", " ", text)
    pairs = (line.partition("=") for line in joined.splitlines() if not line.lstrip().startswith(("#", ";")))
    return [value.strip() for name, equals, value in pairs if equals and name.strip() == key]


def split_words(command: str) -> list[tuple[str, str]]:
    """Return a command line's words, each as it is written and without its quotes."""
    return [(word, _QUOTED.sub(_unquote, word)) for word in _WORD.findall(command)]


def _unquote(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    return re.sub(r"\\(.)", r"\1", match[2] if match[2] is not None else match[3])


def specifiers(hostname: str, os_id: str, os_version: str) -> dict[str, str]:
    """What systemd's specifiers stand for in docker.service (systemd.unit(5)), as far as that is known."""
    names = dict.fromkeys("pPN", "docker") | {"n": "docker.service", "i": "", "I": ""}
    directories = {
        "t": "/run",
        "S": "/var/lib",
        "C": "/var/cache",
        "L": "/var/log",
        "E": "/etc",
        "T": "/tmp",  # noqa: S108 (what %T means)
        "V": "/var/tmp",  # noqa: S108
    }
    root = {"u": "root", "U": "0", "g": "root", "G": "0", "h": "/root"}
    system = {"H": hostname, "l": hostname.partition(".")[0], "o": os_id, "w": os_version}
    return {"%": "%", **names, **directories, **root, **system}


def resolve_specifiers(text: str, specifiers: Mapping[str, str] | None) -> str:
    """`text` with its specifiers put in; those that are not `specifiers` stay. None: there are none."""
    return text if specifiers is None else re.sub("%(.)", lambda found: specifiers.get(found[1], found[0]), text)


def quote_argument(value: str) -> str:
    """Return the word of an ExecStart line that stands for `value`: no specifier, no variable, one word."""
    text = value.replace("%", "%%").replace("$", "$$")
    return text if text and not re.search(r"""[\s"'\\;]""", text) else _quote(text)


def environment_line(pair: str) -> str:
    """The line that sets one "K=V" exactly; only specifiers and quotes are special there, `$` is not."""
    return f"Environment={_quote(pair.replace('%', '%%'))}"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def drop_in(command: Sequence[str], env: Sequence[str]) -> str:
    """Return the text of our drop-in: `command` are words quoted for systemd, `env` are "K=V"."""
    lines = ["# Written by machine; changes are overwritten by: machine provision", "[Service]", "ExecStart="]
    lines += ["ExecStart=" + " ".join(command), *(environment_line(pair) for pair in env)]
    return "\n".join(lines) + "\n"
