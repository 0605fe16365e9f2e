"""Dispatch, flags of every command, help, and how errors end."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from machine import __version__
from machine.build import commit
from machine.cli.commands import COMMANDS
from machine.cli.main import load, main
from machine.cli.parser import Parser
from machine.errors import INTERRUPTED, UsageError
from tests.cli.typed import StoreWithEngines

BARE = "Usage: machine "


@pytest.mark.parametrize("line", [[], ["help"], ["--help"], ["-h"], ["-help"], ["--debug", "--help"], ["help", "--"]])
def test_a_bare_call_is_help(cli: StoreWithEngines, line: list[str]) -> None:
    typed = cli.type(*line)
    assert (typed.status, typed.err) == (0, "")
    assert typed.out.startswith(BARE)
    assert all(f"\n  {name} " in typed.out for name in COMMANDS)


@pytest.mark.parametrize("line", [["--version"], ["-v"], ["version"], ["-version"]])
def test_the_version(cli: StoreWithEngines, line: list[str]) -> None:
    assert cli.type(*line).out == f"machine version {__version__}, build {commit()}\n"


@pytest.mark.parametrize(
    "line", [["ls", "--help"], ["help", "ls"], ["ls", "-h"], ["--help", "ls"], ["ls", "a", "-help"]]
)
def test_the_help_of_a_command(cli: StoreWithEngines, line: list[str]) -> None:
    typed = cli.type(*line)
    assert (typed.status, typed.err) == (0, "")
    assert "Usage: machine ls" in typed.out
    assert "--filter KEY=VALUE" in typed.out


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help_and_refuses_an_unknown_flag(cli: StoreWithEngines, command: str) -> None:
    assert cli.type(command, "--help").out.startswith(f"Usage: machine {command}")
    if getattr(load(command), "PASSES_ARGUMENTS_ON", False):
        return  # its words are another program's
    typed = cli.type(command, "--bogus")
    assert (typed.status, typed.out) == (2, "")
    assert "has no flag --bogus" in typed.err


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("azur", "Try: did you mean azure?"),
        ("google", "docker-machine's own driver google is not part of this program"),
        ("linode", "docker-machine-driver-linode into a directory of your PATH"),
    ],
)
def test_a_driver_that_is_none_is_told_what_is(cli: StoreWithEngines, name: str, advice: str) -> None:
    typed = cli.type("create", "-d", name, "m", PATH=str(cli.directory))
    assert typed.status == 2
    assert advice in typed.err
    assert cli.store.names() == []


@pytest.mark.parametrize("wide", [80, 120])
def test_help_is_as_wide_as_the_terminal(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    """But for examples of what to type."""
    monkeypatch.setenv("COLUMNS", str(wide))
    for line in ([], *([command, "--help"] for command in COMMANDS)):
        lines = cli.type(*line).out.splitlines()
        assert [text for text in lines if len(text) >= wide and not text.startswith("  machine ")] == [], line


@pytest.mark.parametrize("command", ["swarm-mode", "context", "image", "plugin"])
def test_a_command_of_commands_alone_tells_them(cli: StoreWithEngines, command: str) -> None:
    typed = cli.type(command)
    assert (typed.status, typed.err) == (0, "")
    assert typed.out == cli.type(command, "--help").out


def test_a_mistyped_command_of_a_command_is_told_the_nearest(cli: StoreWithEngines) -> None:
    typed = cli.type("swarm-mode", "demot", "x")
    assert (typed.status, typed.out) == (2, "")
    assert "there is no command 'demot' of machine swarm-mode" in typed.err
    assert "did you mean demote?" in typed.err
    assert "use one of: create update use rm ls" in cli.type("context", "nonsense").err


def test_create_shows_the_flags_of_the_driver_meant(cli: StoreWithEngines) -> None:
    generic = cli.type("create", "-d", "generic", "--help")
    assert "flags of the driver generic" in generic.out
    assert "--generic-ip-address" in generic.out
    assert "--generic-ip-address" not in cli.type("create", "-d", "none", "--help").out
    assert "--url" in cli.type("create", "--help", MACHINE_DRIVER="none").out
    assert "--generic-ip-address" in cli.type("help", "create", "-d", "generic").out


def test_a_mistyped_command_or_flag_is_told_the_nearest(cli: StoreWithEngines) -> None:
    typed = cli.type("statsu")
    assert (typed.status, typed.out) == (2, "")
    assert "there is no command 'statsu'" in typed.err
    assert "Try: machine status" in typed.err
    assert "Try: --format" in cli.type("ls", "--fromat", "x").err
    assert "Try: --storage-path" in cli.type("--storage-pth", "x", "ls").err


@pytest.mark.parametrize(
    "line",
    [
        ["--storage-path", "{}", "ls", "-q"],
        ["-s", "{}", "ls", "-q"],
        ["-storage-path={}", "ls", "-q"],
        ["ls", "--storage-path", "{}", "-q"],
        ["ls", "-q", "--storage-path={}"],
        ["--bugsnag-api-token=no-report", "--github-api-token", "x", "-s", "{}", "ls", "-q", "--tls-ca-cert", "x"],
    ],
)
def test_global_flags_before_the_command_and_after(cli: StoreWithEngines, line: list[str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "machines" / "elsewhere").mkdir(parents=True)
    assert cli.type(*(word.format(other) for word in line)).out == "elsewhere\n"


@pytest.mark.parametrize("flag", ["--log-format", "-s", "--tls-ca-cert"])
def test_a_global_flag_without_its_value(cli: StoreWithEngines, flag: str) -> None:
    typed = cli.type(flag)
    assert typed.status == 2
    assert f"{flag} needs a value" in typed.err


@pytest.mark.parametrize(
    ("variable", "value"), [("MACHINE_DEBUG", "zz"), ("MACHINE_NATIVE_SSH", "maybe"), ("MACHINE_LOG_FORMAT", "xml")]
)
def test_nonsense_in_a_variable_is_an_error(cli: StoreWithEngines, variable: str, value: str) -> None:
    typed = cli.type("ls", **{variable: value})
    assert (typed.status, typed.out) == (2, "")
    assert f"${variable}" in typed.err
    assert f"\nTry: set {variable} to " in typed.err


def test_nonsense_in_a_global_flag_is_told_what_it_takes(cli: StoreWithEngines) -> None:
    for line in (["--log-format", "xml", "ls"], ["ls", "--log-format=xml"]):
        assert "\nTry: --log-format=text, or --log-format=json\n" in cli.type(*line).err
    assert "\nTry: --debug=true, or --debug=false\n" in cli.type("--debug=maybe", "ls").err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["create", "-s", "/tmp/x", "m"], "machine -s VALUE create ...; or, after the command, --storage-path VALUE"),
        (["ls", "-s/tmp/x"], "machine -s VALUE ls ...; or, after the command, --storage-path VALUE"),
        (["rm", "-D", "m"], "machine -D rm ...; or, after the command, --debug"),
    ],
)
def test_a_short_global_flag_after_the_command_is_told_its_place(
    cli: StoreWithEngines, line: list[str], told: str
) -> None:
    typed = cli.type(*line)
    assert typed.status == 2
    assert typed.err == f"Error: {line[1][:2]} comes before the command\nTry: {told}\n"


def test_debug_shows_a_traceback_and_nothing_else_does(cli: StoreWithEngines) -> None:
    assert "Traceback" not in cli.type("ip", "nope").err
    for typed in (cli.type("--debug", "ip", "nope"), cli.type("ip", "nope", MACHINE_DEBUG="1")):
        assert "Traceback" in typed.err
        assert 'Error: Docker machine "nope" does not exist' in typed.err


def test_errors_as_json_lines(cli: StoreWithEngines) -> None:
    typed = cli.type("--log-format", "json", "ip", "nope")
    (line,) = typed.err.splitlines()
    found = json.loads(line)
    assert (found["level"], found["error"], found["status"]) == ("error", "MachineNotFound", 4)
    assert found["message"] == 'Docker machine "nope" does not exist'
    assert typed.out == ""


def test_a_bug_says_so_and_keeps_its_traceback(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise KeyError("unforeseen")

    monkeypatch.setattr("machine.cli.fast.ip.run", fail)
    typed = cli.type("ip")
    assert (typed.status, typed.out) == (1, "")
    assert "this is a bug in machine" in typed.err
    log = Path(cli.store.root, "bug.log")
    assert str(log) in typed.err
    assert "unforeseen" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_ctrl_c_is_130(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("machine.cli.fast.ip.run", interrupt)
    assert cli.type("ip").status == INTERRUPTED


def run(cli: StoreWithEngines, *line: str, script: str = "") -> subprocess.CompletedProcess[str]:
    """The program itself, in a process of its own."""
    own = [sys.executable, "-m", "machine", *line]
    words = ["bash", "-c", script, *own] if script else own
    environ = os.environ | cli.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(words, capture_output=True, text=True, env=environ, timeout=60, check=False)


def test_a_reader_that_goes_away_is_no_error(cli: StoreWithEngines) -> None:
    for number in range(3):
        cli.broken(f"m{number}")
    done = run(cli, "help", script='set -o pipefail; "$0" "$@" | true; echo ${PIPESTATUS[0]}')
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")
    full = run(cli, "ls", "-q", script='"$0" "$@" > /dev/full')
    assert "Error: the output cannot be written: No space left on device" in full.stderr
    assert full.returncode == 1


def test_any_text_can_be_printed(cli: StoreWithEngines) -> None:
    """A directory whose name is no UTF-8, and a terminal that knows ASCII only."""
    cli.machine("m", 1)
    odd = str(cli.directory / "odd-\udcff-é")
    os.rename(cli.store.root, odd)
    words = [sys.executable, "-m", "machine", "-s", odd, "inspect", "-f", "{{.HostOptions.AuthOptions.StorePath}}", "m"]
    home = os.fsencode(str(cli.directory))
    for encoding, shown in (("utf-8", b"odd-\xff-\xc3\xa9"), ("ascii", b"odd-\xff-\\xe9")):
        environ = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(words, capture_output=True, env=environ, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, home + b"/" + shown + b"/machines/m\n", b"")


def test_eval_of_a_failed_env_is_harmless(cli: StoreWithEngines) -> None:
    done = run(cli, "env", "nope", script='set -e; out="$("$0" "$@")" || true; eval "$out"; echo "[$out]"')
    assert done.stdout == "[]\n"
    assert 'Docker machine "nope" does not exist' in done.stderr


def test_the_parser_places_names() -> None:
    def read(*argv: str) -> dict[str, object]:
        from machine.cli.global_flags import GlobalFlags

        parser = Parser("x", "text")
        parser.add_argument("first")
        parser.add_argument("rest", nargs="*")
        parser.add_argument("last", metavar="LAST")
        parser.add_argument("--switch", action="store_true")
        parser.add_argument("--number", "-n", type=int, default=1)
        parser.add_argument("--list", action="append", default=[])
        values = dict(vars(parser.read(argv, GlobalFlags({}))))
        del values["help"]
        return values

    assert read("a", "-n5", "b", "--list", "x", "c", "--list=y", "d", "-switch=true", "--switch=false") == {
        "first": "a",
        "rest": ["b", "c"],
        "last": "d",
        "switch": False,
        "number": 5,
        "list": ["x", "y"],
    }
    assert read("a", "b") == {"first": "a", "rest": [], "last": "b", "switch": False, "number": 1, "list": []}
    for wrong in (["a"], ["a", "b", "-n", "x"], [], ["a", "b", "--numb", "3"]):
        with pytest.raises(UsageError):
            read(*wrong)
    with pytest.raises(ValueError, match="more than"):
        Parser("x", "").add_argument("--y", action="count")


def test_main_lets_nothing_out(cli: StoreWithEngines) -> None:
    for line in (["\0"], ["ls", "\udcff"], ["ip", "../.."], ["inspect", "/"], ["-"], ["--"], ["ls", "-t", "nan"]):
        assert isinstance(main(line, environ=cli.environ, stdout=io.StringIO(), stderr=io.StringIO()), int)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("shell", "ssh"), ("delete", "rm"), ("switch", "use"), ("up", "create, or machine start"), ("list", "ls")],
)
def test_words_of_other_programs_are_told_the_command_that_does_it(
    cli: StoreWithEngines, word: str, meant: str
) -> None:
    typed = cli.type(word, "dev")
    assert typed.status == 2
    assert f"Try: machine {meant}, or machine help" in typed.err


def test_every_word_of_other_programs_names_a_command_and_is_none(cli: StoreWithEngines) -> None:
    from machine.cli.suggest import ALIASES

    assert not set(ALIASES) & set(COMMANDS)
    assert all(meant.split()[0].rstrip(",") in COMMANDS for meant in ALIASES.values())
