"""Plans over a shell; the shell here is this computer's own."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision import Plan, Result, Run, WriteFile, apply_steps

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="steps run as root, and the tests do not")


@dataclass
class LocalShell:
    """Runs commands here, and counts them."""

    calls: list[str] = field(default_factory=list)

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
        self.calls.append(command)
        done = subprocess.run(["sh", "-c", command], input=stdin, capture_output=True, timeout=timeout)
        return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())

    def put(self, path: str, content: bytes, mode: int) -> None:
        raise NotImplementedError


@needs_root
def test_only_questions_cost_round_trips(tmp_path: Path) -> None:
    def four() -> Plan:
        yield WriteFile(str(tmp_path / "n"), b"41\n")
        answer = yield Run("count", f"echo $(($(cat {tmp_path}/n) + 1))", needs_output=True)
        yield Run("note", f"echo {answer.stdout} >{tmp_path}/m")
        yield Run("leave", f"touch {tmp_path}/end")
        return Result(changed=("n",), notes=("mind the gap",))

    shell, lines = LocalShell(), list[str]()
    outcome = apply_steps(four(), shell, lines.append)
    assert (tmp_path / "m").read_text() == "42\n"
    assert (tmp_path / "end").exists()
    assert (outcome.round_trips, len(shell.calls)) == (2, 2)
    assert outcome.executed == (f"write {tmp_path}/n", "count", "note", "leave")
    assert lines == list(outcome.executed)
    assert outcome.notes == ("mind the gap",)


def test_an_empty_plan_asks_nothing() -> None:
    def none() -> Plan:
        yield from ()
        return Result()

    shell = LocalShell()
    assert apply_steps(none(), shell, print).changed == ()
    assert shell.calls == []


@needs_root
def test_a_failure_carries_the_end_of_the_output_and_the_advice() -> None:
    def stumble() -> Plan:
        yield Run("go far", "seq 1 100; exit 3", resolution="do not")
        return Result()

    with pytest.raises(ProvisionError) as caught:
        apply_steps(stumble(), LocalShell(), lambda _: None)
    assert caught.value.brief == "failed to go far"
    assert caught.value.details.splitlines() == [str(number) for number in range(71, 101)]
    assert caught.value.resolution == "do not"


def test_a_login_shell_that_runs_nothing_is_named() -> None:
    class Nologin(LocalShell):
        def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
            return Completed(1, "This account is currently not available.\n", "")

    def one() -> Plan:
        yield Run("anything", ":")
        return Result()

    with pytest.raises(ProvisionError, match="did not run the provisioning script") as caught:
        apply_steps(one(), Nologin(), lambda _: None)
    assert "not available" in caught.value.details


@needs_root
def test_two_plans_for_one_machine_take_turns(tmp_path: Path) -> None:
    """And a daemon that a step leaves behind does not keep the machine's lock."""
    log = tmp_path / "log"

    def slow(name: str) -> Plan:
        yield Run("begin", f"echo {name} >>{log}; (sleep 30 >/dev/null 2>&1 & echo $! >>{tmp_path}/pids); sleep 0.5")
        yield Run("finish", f"echo {name} >>{log}")
        return Result()

    threads = [threading.Thread(target=apply_steps, args=(slow(name), LocalShell(), print)) for name in "abc"]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        turns = log.read_text().split()
        assert sorted(turns) == ["a", "a", "b", "b", "c", "c"]
        assert turns[0::2] == turns[1::2]
    finally:
        for pid in (tmp_path / "pids").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
