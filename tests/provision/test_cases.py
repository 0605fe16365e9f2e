"""Facts in, steps out: every file under cases/ is one test. Adding a case = adding one file.

    {"about": "why this case is there",
     "facts": {...fields of Facts, the rest as by default...}, or {"recorded": "a file of recorded/"}
     "spec":  {...fields of Spec; "engine": fields of EngineOptions...},
     "look":  [...what the look after an installation prints...],
     "steps": [{"run": NAME, "script": [LINES]}, {"put": PATH, "mode": "0644", "text": [LINES]}, {"look": true}],
     "result": {"restarted": true, "notes": [...]}  or  "error": {"brief": ..., "details": ..., "resolution": ...}}

UPDATE_CASES=1 pytest ... writes what comes out into the files; read the difference before it is committed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.errors import ProvisionError
from machine.model import EngineOptions
from machine.process import Completed
from machine.provision import Facts, Plan, Spec, WriteFile, engine_api, plan
from machine.provision.facts import File, parse
from machine.provision.gather_script import GATHER_SCRIPT
from machine.provision.steps import Result, Step

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*/*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path) -> None:
    case = json.loads(path.read_text())
    found = outcome(case)
    if os.environ.get("UPDATE_CASES"):
        kept = {key: case[key] for key in ("about", "facts", "spec", "look") if key in case}
        path.write_text(json.dumps({**kept, **found}, indent=1) + "\n")
        return
    expected = {key: case[key] for key in ("steps", "result", "error") if key in case}
    assert found == expected


def test_every_distribution_has_a_case() -> None:
    from machine.provision.distros import TABLE

    named = {json.loads(path.read_text())["facts"].get("os_id") for path in CASES} | {"debian"}
    assert [distro.title for distro in TABLE if not named & set(distro.ids)] == []


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """The steps of a case's plan and its result, or the error."""
    try:
        steps, result = drain(plan(facts(case["facts"]), spec(case.get("spec", {}))), case.get("look", []))
    except ProvisionError as error:
        texts = {"brief": error.brief, "details": error.details, "resolution": error.resolution}
        return {"error": {key: text for key, text in texts.items() if text}}
    return {
        "steps": [shown(step) for step in steps],
        "result": {"restarted": result.restarted, "notes": list(result.notes)},
    }


def drain(todo: Plan, look: list[str]) -> tuple[list[Step], Result]:
    """All steps of a plan; each look at the machine is answered with `look`."""
    steps: list[Step] = []
    try:
        step = next(todo)
        while True:
            steps.append(step)
            step = todo.send(Completed(0, "\n".join(look))) if step.needs_output else next(todo)
    except StopIteration as end:
        return steps, end.value


def facts(values: dict[str, Any]) -> Facts:
    if "recorded" in values:
        return parse(Completed(0, (HERE / "recorded" / values["recorded"]).read_text()))
    texts: dict[str, str] = {
        key: "\n".join(values[key]) + "\n" for key in ("daemon_json", "drop_in", "conf_d", "profile") if key in values
    }
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    files = {path: _file(entry) for path, entry in values.get("files", {}).items()}
    everything: dict[str, Any] = {**values, **lists, **texts, "files": files}
    return Facts(**everything)


def _file(entry: dict[str, Any]) -> File:
    text = "\n".join(entry["text"]) + "\n"
    return File(int(entry["mode"], 8), hashlib.sha256(text.encode()).hexdigest())


def spec(values: dict[str, Any]) -> Spec:
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.get("engine", {}).items()
    }
    plain = {key: value for key, value in values.items() if key != "engine"}
    pems = {"ca": b"CA\n", "server_cert": b"CERT\n", "server_key": b"KEY\n"}
    everything: dict[str, Any] = {"hostname": "dev", "driver_name": "generic", **pems, **plain}
    return Spec(**{"engine": EngineOptions(**options), **everything})


def shown(step: Step) -> dict[str, Any]:
    if isinstance(step, WriteFile):
        check = {"check": step.check} if step.check else {}
        lines = step.content.decode().splitlines()
        return {"put": step.path, "mode": f"{step.mode:04o}", **check, "text": lines}
    if step is GATHER_SCRIPT:
        return {"look": True}
    return {"run": step.name, "script": short(step.script).strip("\n").splitlines()}


def short(script: str) -> str:
    """A script without the parts that are the same in every case; shells and real hosts try those in other tests."""
    plain = re.sub(
        r"<<'(END_\w+)'\n.*?\n\1\n", r"<<'\1' ...\n", script.replace(engine_api.FUNCTIONS, ""), flags=re.DOTALL
    )
    return re.sub(r"(?ms)^\w+\(\) \{$.*?^\}\n", "", plain)


def every_step() -> Iterator[Step]:
    """All steps of all cases that end well, for tests that hold for each."""
    for path in CASES:
        case = json.loads(path.read_text())
        if "error" not in case:
            yield from drain(plan(facts(case["facts"]), spec(case.get("spec", {}))), case.get("look", []))[0]
