"""Steps as one POSIX script, and the parser of its output.

Everything stands in functions, so that a shell which reads its script from a pipe has read all of it before the
first command runs. Each step runs in a subshell of its own with `set -eu` and no standard input; the first that
fails ends the script. Lines that start with a mark nobody can guess tell the steps' outputs apart. File contents
travel in here-documents: never in an argument list, which other users of the machine could see.

Plain sh only (dash, busybox ash, bash as sh); a test holds every script to that with shellcheck.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence

from machine.process import Completed
from machine.provision import script_files
from machine.provision.host_files import TRANSACTION
from machine.provision.proxy import OF_THE_LOGIN
from machine.provision.steps import Plan, Step, WriteFile

INTERPRETER = "sh -s"

_SETTINGS = """\
export PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C
umask 022
"""
_FRAMES = f"""\
undo() {{ # what this script changed is taken back, if it had begun to (rollback.py)
    [ "$(cat {TRANSACTION}/owner 2>/dev/null)" != $$ ] || sh {TRANSACTION}/undo </dev/null 9>&-
}}
"""
_FRAMES += """\
begin() {
    printf '\\n%s begin %s\\n' "$mark" "$1"
    printf '\\n%s begin %s\\n' "$mark" "$1" >&2
}
end() {
    [ "$2" -eq 0 ] || undo >&2
    printf '\\n%s end %s %s\\n' "$mark" "$1" "$2"
    [ "$2" -eq 0 ] || exit 1
}
"""
_PUT = script_files.read("put")

# Two that provision one machine at the same time would trip over each other. Descriptor 9 holds the lock; steps do
# not get it, or a daemon that one of them starts would hold the lock for good.
LOCK_SECONDS = 300
BUSY = 75  # EX_TEMPFAIL of sysexits.h: the script's status when the lock was not to be had
_LOCK = f"""\
if [ -w /run ] && command -v flock >/dev/null 2>&1; then
    exec 9>/run/machine-provision.lock
    flock -w {LOCK_SECONDS} 9 || exit {BUSY}
fi
"""


def batch(steps: Sequence[Step], mark: str, *, exclusive: bool = False) -> str:
    """Return one script for all `steps`, for root; `split_output` parses its output.

    `exclusive`: it takes the host's lock first.
    """
    parts = [f"mark={mark}\n{_SETTINGS}{_FRAMES}{_PUT}main() {{\n"]
    if exclusive:
        parts.append(_LOCK)
    streams = "</dev/null 9>&-" if exclusive else "</dev/null"
    for number, step in enumerate(steps, 1):
        parts.append(
            f"begin {number} # {_one_line(step.name)}\n(\nset -eu\n{body(step)}\n) {streams}\nend {number} $?\n"
        )
    parts.append("}\nmain\n")
    return "".join(parts)


def body(step: Step, *, masked: bool = False) -> str:
    """Return the commands of one step; `masked`: a secret file's size for its content, a remark for what is long."""
    if not isinstance(step, WriteFile):
        return (step.shown if masked and step.shown else step.script).strip("\n")
    arguments = [step.path, f"{step.mode:04o}", *([step.check] if step.check else [])]
    text, encoded = _text(step)
    if masked and step.secret:
        text, encoded = f"({len(step.content)} bytes, not shown)\n", False
    delimiter = _delimiter(text)
    return f"{'encoded=yes ' if encoded else ''}put {shlex.join(arguments)} <<'{delimiter}'\n{text}{delimiter}"


def split_output(steps: Sequence[Step], mark: str, result: Completed) -> list[Completed]:
    """Return the result of each step that began; the status of the last is -1 when the script ended within it."""
    out, status = _sections(result.stdout, mark)
    err, _ = _sections(result.stderr, mark)
    numbers = [number for number in range(1, len(steps) + 1) if number in out or number in err]
    return [Completed(status.get(number, -1), out.get(number, ""), err.get(number, "")) for number in numbers]


def as_root(script: str) -> str:
    """Return a script for INTERPRETER that runs `script` as root: directly, or by sudo or doas without a password."""
    return script_files.read("as_root", proxies=OF_THE_LOGIN, script=script.rstrip("\n"), end=_delimiter(script))


def render(plan: Plan, *, masked: bool = True, answers: Mapping[str, str] | None = None) -> str:
    """Return a plan as one script that root can run, for --dry-run=script.

    `masked`: for people, without secrets and long parts. A plan that needs the output of a step is rendered up to that
    step, with a remark, for the rest depends on it; `answers` has outputs to go on with, by the names of their steps.
    """
    steps: list[Step] = []
    remark = ""
    answers = answers or {}
    try:
        step = next(plan)
        while True:
            steps.append(step)
            if not step.needs_output:
                step = next(plan)
            elif step.name in answers:
                step = plan.send(Completed(0, answers[step.name]))
            else:
                remark = "# The rest is decided by what the last step finds.\n"
                break
    except StopIteration:
        pass
    parts = "".join(f"# {_one_line(step.name)}\n(\nset -eu\n{body(step, masked=masked)}\n)\n" for step in steps)
    return f"#!/bin/sh\nset -eu\n{_SETTINGS}{_PUT}main() {{\n{parts}:\n}}\nmain </dev/null\n{remark}"


def _sections(text: str, mark: str) -> tuple[dict[int, str], dict[int, int]]:
    """Return one stream's text by step number, and the steps' statuses in it."""
    sections: dict[int, list[str]] = {}
    status: dict[int, int] = {}
    current: list[str] | None = None
    for line in text.split("\n"):
        if line.startswith(mark + " begin "):
            current = sections.setdefault(int(line.split()[2]), [])
        elif line.startswith(mark + " end "):
            _, _, number, code = line.split()
            status[int(number)], current = int(code), None
        elif current is not None:
            current.append(line)
    return {number: "\n".join(lines).strip("\n") for number, lines in sections.items()}, status


def _text(step: WriteFile) -> tuple[str, bool]:
    """Return the content as lines for a here-document, and whether they are base64."""
    try:
        text = step.content.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if text.endswith("\n") and all(char == "\n" or char.isprintable() or char == "\t" for char in text):
        return text, False
    return base64.encodebytes(step.content).decode(), True


def _delimiter(text: str) -> str:
    """Return a line that does not occur in `text`, made of its hash so that scripts can be compared."""
    return "END_" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _one_line(text: Iterable[str]) -> str:
    return " ".join("".join(text).split())
