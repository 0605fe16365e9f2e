"""`machine ls`: columns, filters, formats; damage, silence and deadlines."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.cli import text_table
from machine.cli.ls_rows import HEADERS, STATES, Row, fields
from machine.cli.text_table import align
from machine.model import State
from tests.cli.typed import StoreWithEngines
from tests.engine.servers import blackhole

HEADER = ["NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS"]


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_table(cli: StoreWithEngines) -> None:
    port = cli.engine()
    cli.machine("m10", port)
    cli.machine("m9", 1)
    cli.broken("bad")
    typed = cli.type("ls", DOCKER_HOST=f"tcp://127.0.0.1:{port}")
    assert (typed.status, typed.err) == (0, "")
    rows = cells(typed.out)
    assert rows[0] == HEADER
    assert rows[1][:6] == ["bad", "-", "not", "found", "Error", "Unknown"]
    assert rows[2] == ["m9", "-", "generic", "Stopped", "Unknown"]
    assert rows[3] == ["m10", "*", "generic", "Running", f"tcp://127.0.0.1:{port}", "v20.10.24"]


def test_nothing_to_list(cli: StoreWithEngines) -> None:
    assert cells(cli.type("ls").out) == [HEADER]
    assert cli.type("ls", "-q").out == ""
    assert cli.type("ls", "--json").out == "[]\n"
    assert cli.type("ls", "--format", "{{.Name}}").out == ""


def test_names_only_asks_nothing(cli: StoreWithEngines) -> None:
    for name in ("m10", "m9", "M1"):
        cli.broken(name)
    assert cli.type("ls", "-q").out == "M1\nm9\nm10\n"
    assert cli.type("ls", "-q", "m10").out == "m10\n"
    assert cli.type("ls", "nope").status == 4


def test_json(cli: StoreWithEngines) -> None:
    cli.machine("m", cli.engine())
    cli.broken("bad")
    bad, good = json.loads(cli.type("ls", "--json").out)
    assert (good["Name"], good["State"], good["DockerVersion"], good["Active"]) == ("m", "Running", "v20.10.24", "-")
    assert good["EngineOptions"]["InstallURL"] == "https://get.docker.com"
    assert (bad["Name"], bad["State"], bad["DriverName"], bad["EngineOptions"]) == ("bad", "Error", "not found", None)
    assert bad["Error"]


@pytest.mark.parametrize(
    ("form", "out"),
    [
        ("{{.Name}}", "m\n"),
        ("{{.Name}}\\t{{.State}}", "m\tStopped\n"),
        ("{{.Name}}: {{.EngineOptions.InstallURL}}", "m: https://get.docker.com\n"),
        ("table {{.Name}}\\t{{.DriverName}}", "NAME   DRIVER\nm      generic\n"),
        ("table {{.Name}}\\t{{.SwarmOptions.Master}}", "m   false\n"),
        ("{{.ActiveHost}} {{.ActiveSwarm}} {{.Active}}", "false false -\n"),
        ("{{if eq .State `Stopped`}}down{{else}}up{{end}}", "down\n"),
    ],
)
def test_formats(cli: StoreWithEngines, form: str, out: str) -> None:
    cli.machine("m", 1)
    assert cli.type("ls", "--format", form).out == out
    assert cli.type("ls", "-f", form).out == out


def test_every_field_has_a_header_in_the_same_order() -> None:
    (row,) = fields([Row("broken", None, "no record")], {})
    assert [*row] == [*HEADERS]


def test_the_time_of_creation(cli: StoreWithEngines) -> None:
    new = cli.machine("new", 1)
    old = cli.machine("old", 1)
    del old.raw["Machine"]  # docker-machine's records have none
    cli.store.save(old)
    cli.broken("bad")
    assert new.created
    shown = [{"Name": "bad", "Created": ""}, {"Name": "new", "Created": new.created}, {"Name": "old", "Created": ""}]
    for line in (("--json",), ("--format", "json")):
        rows = json.loads(cli.type("ls", *line).out)
        assert [{key: row[key] for key in ("Name", "Created")} for row in rows] == shown
    assert cli.type("ls", "--format", "{{.Name}} {{.Created}}", "new").out == f"new {new.created}\n"


def test_the_headers_of_all_columns(cli: StoreWithEngines) -> None:
    form = "table " + " ".join(f"{{{{.{field}}}}}" for field in HEADERS)
    assert cli.type("ls", "--format", form).out == (
        "NAME ACTIVE ACTIVE_HOST ACTIVE_SWARM DRIVER STATE URL"
        " SWARM_OPTIONS SWARM ENGINE_OPTIONS ERRORS DOCKER RESPONSE IP PHASE PORTS CREATED\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        ["--filter", "foo=bar"],
        ["--filter", "nope"],
        ["--filter", "name=["],
        ["--format", "{{.NAME}}"],
        ["--format", "{{"],
        ["--bogus"],
        ["-s"],
        ["-t", "soon"],
        ["-t", "inf"],
        ["-t", "nan"],
        ["-t", "-1"],
        ["-t", "1e300"],
    ],
)
def test_what_is_refused(cli: StoreWithEngines, line: list[str]) -> None:
    cli.machine("m", 1)
    typed = cli.type("ls", *line)
    assert (typed.status, typed.out) == (2, "")
    assert "Error: " in typed.err


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["name=^a"], ["a1"]),
        (["name=1$", "name=c"], ["a1", "b1", "c2"]),
        (["driver=none"], ["c2"]),
        (["DRIVER=none", "name=a"], []),
        (["label=env=prod"], ["a1"]),
        (["label=ENV=PROD", "label=env=test"], ["a1", "b1"]),
        (["swarm=a1"], ["a1", "b1"]),
        (["state=stopped"], ["b1", "c2"]),
        (["state=RUNNING"], ["a1"]),
        (["state=running", "state=error"], ["a1", "bad"]),
        (["state=error"], ["bad"]),
        (["name="], ["a1", "b1", "bad", "c2"]),
    ],
)
def test_filters(cli: StoreWithEngines, filters: list[str], names: list[str]) -> None:
    swarm = {"IsSwarm": True, "Discovery": "token://x"}
    cli.machine("a1", cli.engine(), EngineOptions={"Labels": ["env=prod"]}, SwarmOptions=swarm | {"Master": True})
    cli.machine("b1", 1, EngineOptions={"Labels": ["env=test"]}, SwarmOptions=swarm)
    cli.none("c2", "tcp://127.0.0.1:1")
    cli.broken("bad")
    words = [word for text in filters for word in ("--filter", text)]
    assert cli.type("ls", "-q", *words).out.split() == names
    assert [row["Name"] for row in json.loads(cli.type("ls", "--json", *words).out)] == names


def test_swarm_columns(cli: StoreWithEngines) -> None:
    swarm = {"IsSwarm": True, "Discovery": "token://x"}
    cli.machine("master", cli.engine(), SwarmOptions=swarm | {"Master": True, "Host": "tcp://0.0.0.0:3376"})
    cli.machine("node", 1, SwarmOptions=swarm)
    cli.machine("outside", 1, SwarmOptions={"Discovery": "token://x"})
    typed = cli.type("ls", "--format", "{{.Name}}|{{.Swarm}}|{{.Active}}", DOCKER_HOST="tcp://127.0.0.1:3376")
    assert typed.out == "master|master (master)|* (swarm)\nnode|master|-\noutside||-\n"


def test_a_timeout_of_nothing_asks_nothing(cli: StoreWithEngines) -> None:
    cli.machine("m", cli.engine())
    typed = cli.type("ls", "-t", "0", "--format", "{{.State}}")
    assert (typed.status, typed.out) == (0, "Timeout\n")


def test_a_silent_engine_costs_one_timeout(cli: StoreWithEngines) -> None:
    with blackhole() as port:
        cli.machine("a", cli.engine())
        cli.none("silent", f"tcp://127.0.0.1:{port}")
        cli.machine("silent2", port)
        start = time.monotonic()
        typed = cli.type("ls", "-t", "3", "--format", "{{.Name}} {{.State}}")
        took = time.monotonic() - start
    assert typed.status == 0
    assert typed.out.splitlines() == ["a Running", "silent Timeout", "silent2 Stopped"]
    assert took < 6, "one after the other they would cost two"


def test_a_driver_that_does_not_exist_is_one_bad_row(cli: StoreWithEngines) -> None:
    record = cli.machine("m", 1)
    record.raw["DriverName"] = "unheard-of"
    cli.store.save(record)
    typed = cli.type("ls")
    assert typed.status == 0
    assert "unheard-of" in typed.out
    assert "the driver unheard-of of machine m is not installed" in typed.out


def test_certificates_that_end_soon_are_told_on_stderr(cli: StoreWithEngines) -> None:
    for name, end in (("old", "2001-01-01T00:00:00Z"), ("soon", _in_days(10)), ("fine", _in_days(100))):
        record = cli.machine(name, 1)
        record.certificates_end = end
        cli.store.save(record)
    typed = cli.type("ls")
    assert typed.status == 0
    assert "old ended on 2001-01-01; renew them: machine regenerate-certs --client-certs old" in typed.err
    assert "of soon end on" in typed.err
    assert "fine" not in typed.err


def _in_days(days: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86400))


def test_columns_are_aligned() -> None:
    assert align([["A", "B", "C"], ["long", "", "x"]]) == ["A      B   C", "long       x"]
    assert align([]) == []


@pytest.mark.parametrize(
    ("wide", "gap"), [(0, "   "), (12, "   "), (11, "  "), (10, "  "), (9, " "), (8, " "), (6, " ")]
)
def test_a_narrow_terminal_gets_narrow_gaps_first(wide: int, gap: str) -> None:
    rows = [["A", "B", "LAST"], ["a", "b", ""], ["c", "d", "an error that is longer than the line"]]
    assert align(rows, wide)[:2] == [f"A{gap}B{gap}LAST"[: wide or None], f"a{gap}b"]


@given(
    st.lists(st.lists(st.text("abc", max_size=40), min_size=4, max_size=4), min_size=1, max_size=5), st.integers(1, 120)
)
def test_no_line_is_wider_than_the_terminal_and_what_is_cut_says_so(rows: list[list[str]], wide: int) -> None:
    table = [["NAME", "URL", "DOCKER", "ERRORS"], *rows]
    lines = align(table, wide)
    assert max(len(line) for line in lines) <= wide
    for row, line in zip(table, lines, strict=True):
        assert "\N{HORIZONTAL ELLIPSIS}" in line or "".join(row).startswith("".join(line.split()))


def test_the_last_column_is_cut_before_the_others() -> None:
    rows = [["NAME", "URL", "ERRORS"], ["dev", "tcp://127.84.179.1:2376", "a long story " * 9]]
    assert align(rows, 60)[1] == "dev    tcp://127.84.179.1:2376   a long story a long story \N{HORIZONTAL ELLIPSIS}"


def test_a_name_and_a_url_are_cut_after_all_others(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.machine("production-web-01", cli.engine())
    monkeypatch.setattr(text_table, "terminal_width", lambda _: 80)
    header, row = cli.type("ls").out.splitlines()
    assert header.split() == ["NAME", "ACTIVE", "DRIVER", "STATE", "URL", "DOCKER"]  # what is empty gives way first
    assert row.split() == [
        "production-web-01",
        "-",
        "generic",
        "Running",
        cli.store.load("production-web-01").url(),
        "v20.10.24",
    ]
    monkeypatch.setattr(text_table, "terminal_width", lambda _: 71)
    row = cli.type("ls").out.splitlines()[1]
    assert cli.store.load("production-web-01").url() in row
    assert "\N{HORIZONTAL ELLIPSIS}" in row


def test_the_cure_of_a_half_made_machine_is_seen_at_80_columns(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.none("half", "tcp://127.0.0.1:1", phase="created")
    monkeypatch.setattr(text_table, "terminal_width", lambda _: 80)
    typed = cli.type("ls", "-t", "1")
    assert max(map(len, typed.out.splitlines())) <= 80
    assert "half: incomplete: create got as far as 'created', machine create --resume half" in typed.err
    monkeypatch.setattr(text_table, "terminal_width", lambda _: 200)
    assert cli.type("ls", "-t", "1").err == ""
    monkeypatch.setattr(text_table, "terminal_width", lambda _: 20)
    assert cli.type("ls", "-t", "1", "--format", "table {{.Name}} {{.State}} {{.URL}} {{.DriverName}}").err == ""


def test_a_state_that_no_machine_is_in_is_told(cli: StoreWithEngines) -> None:
    cli.none("dev", "tcp://127.0.0.1:1")
    typed = cli.type("ls", "-q", "--filter", "state=Runing")
    assert (typed.status, typed.out) == (0, "")  # as docker-machine has it
    assert "no machine is ever in the state 'Runing'; states: running paused" in typed.err
    assert cli.type("ls", "-q", "-t", "1", "--filter", "state=Missing").err == ""
    assert set(STATES) == {state.lower() for state in State} - {""}
