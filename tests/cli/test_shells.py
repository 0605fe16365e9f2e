"""Values come through every shell as they are, whatever is in them. Real shells where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine.cli import shells
from machine.errors import UsageError
from tests.cli.lines import CommandLine

NASTY = [
    "/plain/path",
    "/with space/and  two",
    "a\"b'c`d$HOME$(touch pwned)`touch pwned`\\n\\",
    "!history !! ^caret^",
    "%PATH% & | < > ; # ~ * ? [a] {b,c}",
    "é \u201cquoted\u201d",
    "$",
    "\\",
    "'",
    '"',
    "trailing\\",
    "-n",
    "",
]
SETTERS = {
    "bash": ["bash", "--norc"],
    "sh": ["sh"],
    "zsh": ["zsh", "-f"],
    "fish": ["fish", "--no-config"],
    "tcsh": ["tcsh", "-f"],
}
EVALS = {
    "bash": 'eval "$(cat "$LINES_FILE")"; printenv VALUE',
    "sh": 'eval "$(cat "$LINES_FILE")"; printenv VALUE',
    "zsh": 'eval "$(cat "$LINES_FILE")"; printenv VALUE',
    "fish": "cat $LINES_FILE | source; printenv VALUE",
    "tcsh": 'eval "`cat $LINES_FILE`"; printenv VALUE',
}


def through(shell: str, lines: str, directory: Path) -> str | None:
    """VALUE in the environment of a program started by `shell` after it has taken `lines`; None if it is unset."""
    if shutil.which(SETTERS[shell][0]) is None:
        pytest.skip(f"{SETTERS[shell][0]} is not installed")
    file = directory / "lines"
    file.write_text(lines + "\n")
    done = subprocess.run(
        [*SETTERS[shell], "-c", EVALS[shell]],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory), "LINES_FILE": str(file), "LANG": "C.UTF-8"},
        check=False,
    )
    assert not (directory / "pwned").exists()
    assert done.stderr == "" or "VALUE" in done.stderr, done.stderr
    return done.stdout.removesuffix("\n") if done.returncode == 0 else None


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("shell", SETTERS)
def test_a_value_comes_through(shell: str, value: str, tmp_path: Path) -> None:
    lines = shells.set_line(shell, "VALUE", value) + "\n" + shells.remark(shell, f"a {value}\ntouch pwned")
    lines += "\n" + shells.hint(shell, ["machine", "env", "a b$(touch pwned)"])
    assert through(shell, lines, tmp_path) == value


@pytest.mark.parametrize("shell", SETTERS)
def test_an_unset_value_is_gone(shell: str, tmp_path: Path) -> None:
    lines = shells.set_line(shell, "VALUE", "x") + "\n" + shells.unset_line(shell, "VALUE")
    assert through(shell, lines, tmp_path) is None


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20))
def test_sh_takes_any_text(value: str) -> None:
    done = subprocess.run(
        ["sh", "-c", shells.set_line("sh", "VALUE", value) + '\nprintf %s "$VALUE"'],
        capture_output=True,
        env={"PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert done.stdout.decode() == value


def test_emacs_reads_its_lines_back(tmp_path: Path) -> None:
    if shutil.which("emacs") is None:
        pytest.skip("emacs is not installed")
    value = 'a "b" \\c\\ $d'
    file = tmp_path / "lines.el"
    hint = shells.hint("emacs", ["machine", "env", "x"])
    file.write_text(shells.set_line("emacs", "VALUE", value) + "\n" + hint + '\n(princ (getenv "VALUE"))')
    done = subprocess.run(
        ["emacs", "-Q", "--batch", "-l", str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == value


@pytest.mark.parametrize(
    ("shell", "set_line", "unset_line"),
    [
        ("bash", 'export K="V"', "unset K"),
        ("zsh", 'export K="V"', "unset K"),
        ("sh", 'export K="V"', "unset K"),
        ("fish", 'set -gx K "V";', "set -e K;"),
        ("tcsh", 'setenv K "V";', "unsetenv K;"),
        ("powershell", '$Env:K = "V"', "Remove-Item Env:\\\\K"),
        ("cmd", "SET K=V", "SET K="),
        ("emacs", '(setenv "K" "V")', '(setenv "K" nil)'),
    ],
)
def test_the_forms_are_docker_machines(shell: str, set_line: str, unset_line: str) -> None:
    assert shells.set_line(shell, "K", "V") == set_line
    assert shells.unset_line(shell, "K") == unset_line


@pytest.mark.parametrize(
    ("shell", "value", "line"),
    [
        ("powershell", 'a"b$c`d\u201de', '$Env:K = "a`"b`$c``d`\u201de"'),
        ("powershell", "a\nb", '$Env:K = "a`nb"'),
        ("cmd", "C:\\a b", "SET K=C:\\a b"),
        ("cmd", "a&b", 'SET "K=a&b"'),
    ],
)
def test_quoting_of_shells_that_are_not_here(shell: str, value: str, line: str) -> None:
    assert shells.set_line(shell, "K", value) == line


@pytest.mark.parametrize("shell", ["tcsh", "cmd"])
def test_a_line_break_that_cannot_be_written_is_refused(shell: str) -> None:
    with pytest.raises(UsageError):
        shells.set_line(shell, "K", "a\nb")


@pytest.mark.parametrize("shell", shells.KNOWN)
@pytest.mark.parametrize("text", NASTY)
def test_a_remark_is_one_comment_line(shell: str, text: str) -> None:
    line = shells.remark(shell, f"{text}\n{text}\r\u2028{text}")
    assert line.startswith({"cmd": "REM ", "emacs": ";; ", "tcsh": ": '"}.get(shell, "# "))
    assert line.removeprefix(": '").removesuffix("';").isprintable()
    assert not set("\"'`$!;\\&|<>*?") & set(line.removeprefix(": '").removeprefix(";; ").removesuffix("';"))


@pytest.mark.parametrize("shell", shells.KNOWN)
def test_a_hint_is_two_comment_lines(shell: str) -> None:
    lines = shells.hint(shell, ["machine", "env", "dev"]).split("\n")
    token = {"powershell": "#", "cmd": "REM", "emacs": ";;", "tcsh": ":"}.get(shell, "#")
    assert len(lines) == 2
    assert all(line.startswith(token + " ") for line in lines)
    assert "machine env dev" in lines[1]


@pytest.mark.parametrize(
    ("environ", "windows", "shell"),
    [
        ({"SHELL": "/bin/bash"}, False, "bash"),
        ({"SHELL": "/usr/bin/fish"}, False, "fish"),
        ({"SHELL": "/bin/csh"}, False, "tcsh"),
        ({"SHELL": "/bin/unheard-of"}, False, "sh"),
        ({}, False, "sh"),
        ({"SHELL": "C:\\Program Files\\Git\\bin\\bash.exe"}, True, "bash"),
        ({"PROMPT": "$P$G"}, True, "cmd"),
        ({}, True, "powershell"),
    ],
)
def test_detection(environ: dict[str, str], windows: bool, shell: str) -> None:
    assert shells.detect(environ, windows=windows) == shell


@pytest.mark.parametrize(
    ("text", "shell"),
    [
        *((shell, shell) for shell in shells.KNOWN),
        ("/usr/bin/fish", "fish"),
        ("csh", "tcsh"),
        ("PowerShell", "powershell"),
        ("pwsh.exe", "powershell"),
        ("dash", "sh"),
        ("ksh", "sh"),
    ],
)
def test_a_shell_by_name_or_path(text: str, shell: str) -> None:
    assert shells.chosen(text) == shell


@pytest.mark.parametrize(("text", "resolution"), [("fsh", "did you mean fish?"), ("unheard-of", "machine env --help")])
def test_a_shell_that_is_not_known_is_refused_with_those_that_are(store: Path, text: str, resolution: str) -> None:
    typed = CommandLine(["env", "--shell", text, "dev"])
    assert (typed.status, typed.out) == (2, "")
    known = ", ".join(shells.KNOWN)
    assert typed.err == f"Error: --shell must be one of {known}, not '{text}'\nTry: {resolution}\n"


def test_completion_without_a_shell_says_which_there_are() -> None:
    typed = CommandLine(["completion"])
    assert (typed.status, typed.out) == (2, "")
    assert typed.err == "Error: machine completion needs a SHELL: bash, zsh, fish\nTry: machine completion bash\n"
    assert "Try: did you mean fish?" in CommandLine(["completion", "fsh"]).err
