"""The one place where a plan meets a machine: steps in batches over a shell, one exec a batch."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from machine.errors import ProvisionError, ShellError
from machine.process import Completed
from machine.provision import refusal, resolutions, script
from machine.provision.steps import Plan, Result, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.ssh.client import Shell

Log = Callable[[str], None]
_TAIL = 30  # lines of a failed step's output that an error shows


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a plan: its own `Result`, and what was played."""

    result: Result
    executed: tuple[str, ...]  # names of all steps
    round_trips: int  # execs on the connection

    @property
    def changed(self) -> tuple[str, ...]:
        return self.result.changed

    @property
    def notes(self) -> tuple[str, ...]:
        return self.result.notes

    @property
    def restarted(self) -> bool:
        return self.result.restarted

    @property
    def before(self) -> str:
        return self.result.before

    @property
    def after(self) -> str:
        return self.result.after


def apply_steps(plan: Plan, shell: Shell, log: Log) -> Outcome:
    """Carry out a plan. ProvisionError names the step that failed, with the end of its output."""
    waiting: list[Step] = []
    played: list[str] = []
    round_trips = 0
    try:
        step = next(plan)
        while True:
            waiting.append(step)
            played.append(step.name)
            log(step.name)
            if not step.needs_output:
                step = next(plan)
                continue
            answer = send(waiting, shell, alone=True)[-1]
            round_trips += 1
            waiting = []
            step = plan.send(answer)
    except StopIteration as end:
        result: Result = end.value
    if waiting:
        send(waiting, shell, alone=True)
        round_trips += 1
    return Outcome(result, tuple(played), round_trips)


def send(steps: Sequence[Step], shell: Shell, *, alone: bool = False) -> list[Completed]:
    """Run steps as root in one exec; their answers. ProvisionError for the first that failed.

    With `alone` another `send` that changes the machine, from wherever it comes, is waited for first.
    """
    mark = f"@{secrets.token_hex(8)}"
    text = script.as_root(script.batch(steps, mark, alone=alone))
    seconds = sum(step.seconds for step in steps) + (script.ALONE_SECONDS if alone else 0)
    done = shell.run(script.INTERPRETER, stdin=text.encode(), timeout=seconds)
    answers = script.split(steps, mark, done)
    if not answers:
        raise _busy() if done.status == script.BUSY else _refused(shell, done, text)
    failed = next((number for number, answer in enumerate(answers) if answer.status != 0), None)
    if failed is not None:
        raise _failed(steps[failed], answers[failed])
    if len(answers) < len(steps):
        raise _failed(steps[len(answers)], Completed(-1))
    return answers


def _failed(step: Step, answer: Completed) -> ProvisionError:
    seen = refusal.shortened(answer.output[-refusal.LARGEST :], _TAIL)
    if answer.status < 0:
        seen = f"{seen}\nthe machine stopped in the middle of it".strip()
    return ProvisionError(
        f"failed to {step.name}",
        details=seen,
        resolution=resolutions.resolution_for(answer.output[-refusal.LARGEST :]) or step.advice,
    )


def _busy() -> ProvisionError:
    return ProvisionError(
        f"another process has been provisioning the machine for more than {script.ALONE_SECONDS} s",
        details="/run/machine-provision.lock is held there",
        resolution="run this again when that has ended; on the machine, fuser -v /run/machine-provision.lock shows it",
    )


def _refused(shell: Shell, done: Completed, text: str) -> ProvisionError:
    """Nothing began: no shell, or no way to become root. Asks the machine once more where its answer says nothing."""
    found = refusal.known(done, text)
    if found is not None:
        return found
    try:
        probe = shell.run(refusal.PROBE_COMMAND, stdin=refusal.PROBE_STDIN, timeout=refusal.PROBE_SECONDS)
    except ShellError:
        probe = Completed(-1)
    return refusal.known(probe, text) or refusal.unknown(done, text, probe)
