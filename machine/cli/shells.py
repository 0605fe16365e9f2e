"""Setting and unsetting a variable in every shell's own words, with every value quoted. Pure.

A value is whatever a path or an address may hold; quoting must let nothing of it be run.
"""

from __future__ import annotations

import re

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KNOWN = ("bash", "zsh", "sh", "fish", "tcsh", "powershell", "cmd", "emacs")
_ALIASES = {"csh": "tcsh", "pwsh": "powershell", **dict.fromkeys(("ash", "dash", "ksh", "mksh"), "sh")}
_PLAIN = re.compile(r"[\w@%+=:,./\\~ -]*", re.ASCII)
_QUOTES = '"\u201c\u201d\u201e'  # PowerShell takes typographic quotes for plain ones


def detect(environ: Mapping[str, str], *, windows: bool = False) -> str:
    """The shell that $SHELL names, sh if it is not known here; without one sh, on Windows cmd or powershell.

    On Windows cmd leaves $PROMPT behind.
    """
    shell = _program_name(environ.get("SHELL", ""))
    if shell:
        return shell if shell in KNOWN else "sh"
    return ("cmd" if environ.get("PROMPT") else "powershell") if windows else "sh"


def chosen(text: str) -> str:
    """The known shell that `--shell` names, by name or path. Raises UsageError with the known ones for another."""
    shell = _program_name(text)
    if shell not in KNOWN:
        from machine.cli.suggest import wrong_choice  # costs time, and only mistakes need it

        raise wrong_choice("--shell", KNOWN, text)
    return shell


def _program_name(path: str) -> str:
    """The name of a shell's program as KNOWN has it, if it is in there, from its path."""
    name = re.split(r"[/\\]", path)[-1].removesuffix(".exe").lower()
    return _ALIASES.get(name, name)


def set_line(shell: str, key: str, value: str) -> str:
    """One line that sets a variable. Raises UsageError where the shell has no way to write the value."""
    if "\n" in value and shell in ("tcsh", "cmd"):
        raise UsageError(f"{shell} cannot hold a value with a line break: {key}")
    if shell == "fish":
        return f'set -gx {key} "{_escape(value, chr(92), chr(92) + chr(34) + "$")}";'
    if shell == "tcsh":
        return f"setenv {key} {_tcsh(value)};"
    if shell == "powershell":
        text = _escape(value, "`", "`$" + _QUOTES).replace("\n", "`n").replace("\r", "`r")
        return f'$Env:{key} = "{text}"'
    if shell == "cmd":
        return f"SET {key}={value}" if _PLAIN.fullmatch(value) and "%" not in value else f'SET "{key}={value}"'
    if shell == "emacs":
        return f'(setenv "{key}" "{_escape(value, chr(92), chr(92) + chr(34))}")'
    return f'export {key}="{_escape(value, chr(92), chr(92) + chr(34) + "$`")}"'


def unset_line(shell: str, key: str) -> str:
    """One line that removes a variable."""
    return {
        "fish": f"set -e {key};",
        "tcsh": f"unsetenv {key};",
        "powershell": f"Remove-Item Env:\\\\{key}",
        "cmd": f"SET {key}=",
        "emacs": f'(setenv "{key}" nil)',
    }.get(shell, f"unset {key}")


def hint(shell: str, argv: Sequence[str]) -> str:
    """Two comment lines that tell how to run `argv` so that this shell takes its output."""
    command = " ".join(_comment_word(word) for word in argv)
    text = "Run this command to configure your shell:"
    return {
        "fish": f"# {text}\n# {command} | source",
        "tcsh": f": '{text}';\n: 'eval \"`{command}`\"';".replace("!", "\\!"),
        "powershell": f"# {text}\n# & {command} | Invoke-Expression",
        "cmd": f"REM {text}\nREM @FOR /f \"tokens=*\" %i IN ('{command}') DO @%i",
        "emacs": f";; {text}\n;; (with-temp-buffer (shell-command {_lisp(command)} (current-buffer)) (eval-buffer))",
    }.get(shell, f'# {text}\n# eval "$({command})"')


def remark(shell: str, text: str) -> str:
    """One comment line with `text`, in which signs that a shell could act on are replaced, as line ends are."""
    plain = re.sub(r"[^\w@%+=:,./~() -]", "_", text)
    if shell == "tcsh":
        return f": '{plain}';"
    sign = {"cmd": "REM", "emacs": ";;"}.get(shell, "#")
    return f"{sign} {plain}"


def _escape(value: str, sign: str, signs: str) -> str:
    """`value` with `sign` before each of `signs`."""
    return "".join(sign + letter if letter in signs else letter for letter in value)


def _tcsh(value: str) -> str:
    """In double quotes when nothing in it is special, else in single quotes: there only ' and ! still are."""
    if re.fullmatch(r"[\w@%+=:,./~ -]*", value, re.ASCII):
        return f'"{value}"'
    return "'" + value.replace("'", "'\\''").replace("!", "\\!") + "'"


def _comment_word(word: str) -> str:
    """A word of the command in a comment: one line whatever it holds."""
    if word and re.fullmatch(r"[\w@%+=:,./~-]+", word, re.ASCII):
        return word
    return '"' + re.sub(r"[\x00-\x1f\x7f'\"`$!;\\]", "_", word) + '"'


def _lisp(text: str) -> str:
    return '"' + _escape(text, "\\", '\\"') + '"'
