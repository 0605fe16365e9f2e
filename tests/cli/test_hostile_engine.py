"""An engine that says anything at all harms neither the terminal, nor memory, nor the other machines."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machine.cli import connect
from machine.cli.app import App
from machine.cli.global_flags import GlobalFlags
from machine.cli.report import print_error
from machine.cli.text_table import align, print_table
from machine.console import Console
from machine.errors import MachineError
from tests.cli.typed import CommandResult, StoreWithEngines
from tests.scripted_answers import HOSTILE, NASTY, absurd_length, json_answer
from tests.scripted_engine import ScriptedEngine

VERSION = {"Version": "27.1.1", "ApiVersion": "1.46", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}


@pytest.fixture(scope="module")
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine("bad") as made:
        yield made


@pytest.fixture
def fleet(cli: StoreWithEngines, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> StoreWithEngines:
    """A machine of a good engine, and one of an engine that says what a test tells it; little patience."""
    monkeypatch.setattr(connect, "ENGINE_SECONDS", 0.3)
    cli.machine("good", cli.engine())
    cli.none("bad", engine.url)
    return cli


def is_decent(typed: CommandResult) -> bool:
    """Whether nothing reached the terminal that it would obey, and no error is called a bug."""
    shown = (typed.out + typed.err).replace("\n", "")
    return shown.isprintable() and "bug" not in typed.err and "Traceback" not in typed.err


@pytest.mark.parametrize("kind", HOSTILE)
def test_one_bad_row_and_the_others_as_ever(fleet: StoreWithEngines, engine: ScriptedEngine, kind: str) -> None:
    engine.answers["*"] = HOSTILE[kind]
    began = time.monotonic()
    typed = fleet.type("ls", "-t", "1", "--format", "{{.Name}} {{.DockerVersion}} {{.Error}}")
    assert time.monotonic() - began < 20
    bad, good = typed.out.splitlines()
    assert (typed.status, good) == (0, "good v20.10.24 ")
    assert bad.startswith("bad Unknown ")
    assert len(bad.split(maxsplit=2)) == 3, "an error must say why"
    assert is_decent(typed)


@pytest.mark.parametrize("command", ["env", "version"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_command_fails_with_advice(fleet: StoreWithEngines, engine: ScriptedEngine, command: str, kind: str) -> None:
    engine.answers["*"] = HOSTILE[kind]
    typed = fleet.type(command, "bad")
    if kind == "nasty header" and command != "version":
        return  # a status of 200 and an odd header are an answer
    assert (typed.status, typed.out) == (1, "")
    assert "Error: " in typed.err
    assert "Try: " in typed.err
    assert is_decent(typed)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(NASTY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_json, st.sampled_from([*VERSION, "message"]), st.sampled_from([200, 404, 500]))
def test_a_version_of_anything(
    fleet: StoreWithEngines, engine: ScriptedEngine, value: object, key: str, status: int
) -> None:
    engine.answers["*"] = json_answer({**VERSION, key: value}, status)
    lines = fleet.type("ls", "-t", "2").out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "bad", "good"]
    for line in (["ls"], ["ls", "--json"], ["ls", "--format", "{{json .}}"], ["version", "bad"], ["env", "bad"]):
        assert is_decent(fleet.type(*line, *(["-t", "2"] if line[0] == "ls" else []))), line


def test_json_says_what_the_engine_said(fleet: StoreWithEngines, engine: ScriptedEngine) -> None:
    engine.answers["*"] = json_answer({**VERSION, "Version": NASTY})
    typed = fleet.type("ls", "--json")
    assert json.loads(typed.out)[0]["DockerVersion"] == f"v{NASTY}"
    assert is_decent(typed)


def test_a_length_that_no_answer_has_is_refused_before_it_comes(
    fleet: StoreWithEngines, engine: ScriptedEngine
) -> None:
    engine.answers["*"] = absurd_length()
    typed = fleet.type("version", "bad")
    assert "its body has more than 262144 bytes" in typed.err


@pytest.mark.parametrize("word", ["0.1", "1.23", "x", "-1.50", "1.٤٦", "9" * 5000])
def test_an_api_version_that_none_has(fleet: StoreWithEngines, engine: ScriptedEngine, word: str) -> None:
    from machine.engine import EngineClient
    from machine.errors import EngineError

    engine.answers["*"] = json_answer({**VERSION, "ApiVersion": word})
    with pytest.raises(EngineError):
        EngineClient("127.0.0.1", engine.port).info()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_errors_and_progress_are_lines_that_a_terminal_shows(log_format: str) -> None:
    """Each line after the first of a text is indented or has the machine's name: none can be forged."""
    out = io.StringIO()
    console = Console(out, log_format=log_format).for_machine("dev")
    for say in (console.step, console.info, console.warn, console.failed, console.done):
        say(f"a\nError: b {NASTY}")
    print_error(MachineError(NASTY, details=f"x\n{NASTY}", resolution=NASTY), out, as_json=log_format == "json")
    lines = out.getvalue().splitlines()
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith(("(dev) ", "    ", "Error: ", "Try: ", "{")) for line in lines)
    assert not any(line.startswith(("forged", "Error: b")) for line in lines)


def test_cells_of_every_table_are_escaped(cli: StoreWithEngines) -> None:
    out = io.StringIO()
    print_table(App(GlobalFlags({}), {}, out, out), [["NAME", "ORIGIN"], ["a\nforged row", NASTY]])
    assert out.getvalue().count("\n") == 2
    assert out.getvalue().replace("\n", "").isprintable()
    assert align([["a"]]) == ["a"]
