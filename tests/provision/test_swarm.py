"""The plan of a machine's part in a classic swarm: what is there in, what is missing out."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision import Facts, Run, Spec, WriteFile, classic_swarm, script
from machine.provision.facts import File
from machine.provision.host_files import SWARM_ENVIRONMENT, SWARM_KEY, SWARM_PROGRAM, SWARM_UNITS
from machine.provision.spec import SwarmServices
from machine.provision.steps import Step

DEBIAN = Facts(os_id="debian", os_name="Debian", init="systemd", package_manager="apt-get")
NODE = SwarmServices(b"zipapp", "token://secret", agent_argv=("join", "--advertise", "192.0.2.1:2376"))
MASTER = SwarmServices(
    b"zipapp", "token://secret", manager_argv=("manage", "-H", "tcp://0.0.0.0:3376"), key=b"5ec4e7\n"
)
IDLE = "manager|inactive  \nagent|inactive  \n"
PYTHON = "python|/usr/bin/python3\n"


def spec(wanted: SwarmServices | None, certificate: bytes = b"CERT") -> Spec:
    return Spec("dev", "generic", ca=b"CA", server_cert=certificate, server_key=b"KEY", swarm=wanted)


def plan(facts: Facts, wanted: Spec, *answers: str) -> tuple[list[Step], list[str]]:
    """The steps, each question answered in turn, and the names that the plan itself gives as changes."""
    left, steps = list(answers), []
    todo = classic_swarm.steps(facts, wanted)
    try:
        step = next(todo)
        while True:
            steps.append(step)
            step = todo.send(Completed(0, left.pop(0))) if step.needs_output else next(todo)
    except StopIteration as end:
        assert left == []
        return steps, end.value


def puts(steps: list[Step]) -> dict[str, WriteFile]:
    return {step.path: step for step in steps if isinstance(step, WriteFile)}


def after(steps: list[Step]) -> tuple[Facts, str]:
    """The machine once these steps were played, and what a look says of its units."""
    files = {p: File(put.mode, hashlib.sha256(put.content).hexdigest()) for p, put in puts(steps).items()}
    seen = PYTHON
    for name, path in SWARM_UNITS.items():
        text = puts(steps)[path].content.decode() if path in files else ""
        setup = re.search(r"MACHINE_SWARM_SETUP=(\w+)", text)
        seen += f"{name}|active enabled {setup[1]}\n" if setup else f"{name}|inactive  \n"
    return replace(DEBIAN, files=files), seen


def every_swarm_step(manager: str) -> list[Step]:
    """What can be sent to a machine of that package manager."""
    both = replace(MASTER, agent_argv=NODE.agent_argv)
    missing = replace(DEBIAN, package_manager=manager)
    made, _ = plan(missing, spec(both), IDLE, PYTHON)
    return [*made, *plan(after(made)[0], spec(None))[0]]


def test_a_machine_in_no_swarm_is_not_even_asked() -> None:
    assert plan(DEBIAN, spec(None)) == ([], [])
    fixed = SwarmServices(b"zipapp", "nodes://a:1")  # a node of a fixed list has nothing to run
    assert plan(DEBIAN, spec(fixed)) == ([], [])


def test_a_node_that_enters_itself() -> None:
    steps, changed = plan(DEBIAN, spec(NODE), PYTHON + IDLE)
    files = puts(steps)
    assert list(files) == [SWARM_PROGRAM, SWARM_ENVIRONMENT, SWARM_UNITS["agent"]]
    assert files[SWARM_ENVIRONMENT].mode == 0o600
    assert files[SWARM_ENVIRONMENT].secret
    assert files[SWARM_ENVIRONMENT].content == b'SWARM_DISCOVERY="token://secret"\n'
    text = files[SWARM_UNITS["agent"]].content.decode()
    assert f"ExecStart=/usr/bin/python3 {SWARM_PROGRAM} join --advertise 192.0.2.1:2376\n" in text
    assert "secret" not in text
    assert changed[-1] == "start machine-swarm-agent"


def test_the_key_of_the_swarm_is_for_the_manager_alone() -> None:
    steps, _ = plan(DEBIAN, spec(MASTER), PYTHON + IDLE)
    files = puts(steps)
    assert (files[SWARM_KEY].mode, files[SWARM_KEY].secret) == (0o600, True)
    assert b"5ec4e7" not in files[SWARM_UNITS["manager"]].content
    assert not any("5ec4e7" in script.body(step, masked=True) for step in steps)
    facts, seen = after(steps)
    _, changed = plan(facts, spec(replace(MASTER, key=b"0ther\n")), seen)
    assert changed == [f"write {path}" for path in (SWARM_KEY, SWARM_UNITS["manager"])] + [
        "start machine-swarm-manager"
    ]


@pytest.mark.parametrize("wanted", [NODE, MASTER, replace(MASTER, agent_argv=NODE.agent_argv)])
def test_a_second_time_nothing_is_left_to_do(wanted: SwarmServices) -> None:
    first, _ = plan(DEBIAN, spec(wanted), PYTHON + IDLE)
    facts, seen = after(first)
    assert plan(facts, spec(wanted), seen) == ([classic_swarm.LOOK_AT_SERVICES], [])


def test_a_new_certificate_restarts_the_manager_alone() -> None:
    both = replace(MASTER, agent_argv=NODE.agent_argv)
    facts, seen = after(plan(DEBIAN, spec(both), PYTHON + IDLE)[0])
    _, changed = plan(facts, spec(both, b"NEW"), seen)
    assert changed == [f"write {SWARM_UNITS['manager']}", "start machine-swarm-manager"]


@pytest.mark.parametrize(
    "state",
    ["active enabled ", "inactive enabled {}", "activating enabled {}", "active disabled {}", "active enabled 0123"],
)
def test_a_unit_that_is_not_as_it_should_be_is_started_anew(state: str) -> None:
    """Also one whose files are right and whose process is older: an earlier run was cut short between the two."""
    facts, seen = after(plan(DEBIAN, spec(MASTER), PYTHON + IDLE)[0])
    setup = seen.rpartition("\nagent")[0].rpartition(" ")[2]
    now = f"{PYTHON}manager|{state.format(setup)}\nagent|inactive  \n"
    assert plan(facts, spec(MASTER), now)[1] == ["start machine-swarm-manager"]


def test_what_is_not_wanted_any_more_goes() -> None:
    facts, seen = after(plan(DEBIAN, spec(replace(MASTER, agent_argv=NODE.agent_argv)), PYTHON + IDLE)[0])
    _, changed = plan(facts, spec(MASTER), seen)
    assert changed == ["remove machine-swarm-agent.service"]
    steps, _ = plan(facts, spec(None))
    (step,) = steps
    assert isinstance(step, Run)
    for gone in (SWARM_PROGRAM, SWARM_ENVIRONMENT, SWARM_KEY, *SWARM_UNITS.values(), classic_swarm.STATE):
        assert gone in step.script


def test_python_is_installed_where_it_is_missing() -> None:
    steps, changed = plan(DEBIAN, spec(NODE), IDLE, "python|/usr/bin/python3.12\n")
    assert changed[0] == "install python3"
    assert b"ExecStart=/usr/bin/python3.12 " in puts(steps)[SWARM_UNITS["agent"]].content
    with pytest.raises(ProvisionError) as raised:
        plan(DEBIAN, spec(NODE), IDLE, "")
    assert "Python 3.11" in raised.value.brief
    assert "--swarm-image" in raised.value.resolution
    with pytest.raises(ProvisionError):
        plan(replace(DEBIAN, os_id="flatcar", package_manager=""), spec(NODE), IDLE)


def test_without_systemd_nothing_is_begun() -> None:
    with pytest.raises(ProvisionError, match="systemd"):
        classic_swarm.check(replace(DEBIAN, init="openrc"), spec(NODE))
    classic_swarm.check(replace(DEBIAN, init="openrc"), spec(None))
    classic_swarm.check(
        replace(DEBIAN, init="openrc"), spec(SwarmServices(b"zipapp", "token://secret"))
    )  # a node runs nothing


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_a_manager_is_up_when_it_holds_its_port_itself(host: str) -> None:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        port = server.getsockname()[1]

        def holds(pid: int, port: int) -> bool:
            done = subprocess.run(
                [sys.executable, "-c", classic_swarm.LISTENS_PROGRAM, str(pid), str(port)], capture_output=True
            )
            return done.returncode == 0

        assert holds(os.getpid(), port)
        assert not holds(os.getppid(), port), "another program's manager, left there by docker-machine, is not ours"
        assert not holds(0, port), "systemd's word for a unit that does not run"
    assert not holds(os.getpid(), port)


def test_the_python_of_this_computer_is_found() -> None:
    """The look's first half, run for real; `systemctl` need not be there."""
    script = classic_swarm.FIND_PYTHON + "python"
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    found = done.stdout.strip()
    assert not found or found.startswith("python|/")
    empty = subprocess.run(
        ["sh", "-eu", "-c", f"PATH=/nonexistent\n{script}"], capture_output=True, text=True, timeout=30
    )
    assert (empty.returncode, empty.stdout) == (0, "")
