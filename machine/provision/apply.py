"""The executor of plans: steps are run on a machine in batches over a shell, one exec for each batch."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from machine.errors import ProvisionError, ShellError
from machine.process import Completed
from machine.provision import resolutions, script, script_not_run
from machine.provision.steps import Plan, Result, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.ssh.client import Shell

Log = Callable[[str], None]
_TAIL = 30  # lines of a failed step's output that an error shows


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a plan, and the steps that were run."""

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
    """Run the steps of a plan. ProvisionError names the step that failed, with the end of its output."""
    pending: list[Step] = []
    names: list[str] = []
    round_trips = 0
    try:
        step = next(plan)
        while True:
            pending.append(step)
            names.append(step.name)
            log(step.name)
            if not step.needs_output:
                step = next(plan)
                continue
            answer = run_batch(pending, shell, exclusive=True)[-1]
            round_trips += 1
            pending = []
            step = plan.send(answer)
    except StopIteration as end:
        result: Result = end.value
    if pending:
        run_batch(pending, shell, exclusive=True)
        round_trips += 1
    return Outcome(result, tuple(names), round_trips)


def run_batch(steps: Sequence[Step], shell: Shell, *, exclusive: bool = False) -> list[Completed]:
    """Run steps as root in one exec and return their results. Raises ProvisionError for the first that failed.

    With `exclusive` the script first waits for another one that changes the machine, whichever computer it comes from.
    """
    mark = f"@{secrets.token_hex(8)}"
    text = script.as_root(script.batch(steps, mark, exclusive=exclusive))
    seconds = sum(step.seconds for step in steps) + (script.LOCK_SECONDS if exclusive else 0)
    result = shell.run(script.INTERPRETER, stdin=text.encode(), timeout=seconds)
    answers = script.split_output(steps, mark, result)
    if not answers:
        raise _busy_error() if result.status == script.BUSY else _refused_error(shell, result, text)
    failed = next((number for number, answer in enumerate(answers) if answer.status != 0), None)
    if failed is not None:
        raise _step_error(steps[failed], answers[failed])
    if len(answers) < len(steps):
        raise _step_error(steps[len(answers)], Completed(-1))
    return answers


def _step_error(step: Step, answer: Completed) -> ProvisionError:
    output = script_not_run.shorten(answer.output[-script_not_run.LARGEST :], _TAIL)
    if answer.status < 0:
        output = f"{output}\nthe machine stopped in the middle of it".strip()
    return ProvisionError(
        f"failed to {step.name}",
        details=output,
        resolution=resolutions.resolution_for(answer.output[-script_not_run.LARGEST :]) or step.resolution,
    )


def _busy_error() -> ProvisionError:
    return ProvisionError(
        f"another process has been provisioning the machine for more than {script.LOCK_SECONDS} s",
        details="/run/machine-provision.lock is held there",
        resolution="run this again when that has ended; on the machine, fuser -v /run/machine-provision.lock shows it",
    )


def _refused_error(shell: Shell, result: Completed, text: str) -> ProvisionError:
    """Return the error for a script of which no step began: no shell, or no way to become root.

    Where the output does not show why, a probe is run on the machine.
    """
    refusal_error = script_not_run.known_refusal(result, text)
    if refusal_error is not None:
        return refusal_error
    try:
        probe = shell.run(
            script_not_run.PROBE_COMMAND, stdin=script_not_run.PROBE_STDIN, timeout=script_not_run.PROBE_SECONDS
        )
    except ShellError:
        probe = Completed(-1)
    return script_not_run.known_refusal(probe, text) or script_not_run.unknown_refusal(result, text, probe)
