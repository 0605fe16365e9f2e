"""The errors of a machine that did not run the provisioning script at all, by its output and that of a probe. Pure.

Advice says NAME and USER where it means the machine and its login; machine.provision.error_names puts the real ones in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from machine.errors import ProvisionError
from machine.process import Completed

PROBE_MARK = "machine-probe-7c1f"  # printed by nothing else
PROBE_COMMAND = f"echo {PROBE_MARK}-command"
PROBE_STDIN = f"echo {PROBE_MARK}-stdin\n".encode()
PROBE_SECONDS = 10.0
SHOWN_LINES = 15  # of what the machine printed
LARGEST = 65536  # characters of it that are searched for a cause
LONGEST_LINE = 300  # characters; a page of HTML may be one line


@dataclass(frozen=True, slots=True)
class _Cause:
    pattern: str  # looked for in the output, whatever its case
    brief: str
    resolution: str


_NOT_RUN = "the machine did not run the provisioning script"
_NOT_ROOT = "the ssh user cannot become root on the machine"
_LOGIN_EXECS = (
    f"{_NOT_RUN}: the login shell of USER starts another program there",
    "a start-up file such as ~USER/.bashrc or .profile has an exec: let it do so in interactive shells only:"
    " case $- in *i*) exec ...;; esac",
)
_CAUSES = (
    _Cause(r"(?:rc|profile|bash_login|zshenv)\S* .*exec: ", *_LOGIN_EXECS),
    _Cause(
        r"must have a tty",
        f"{_NOT_ROOT}: sudo there requires a terminal (requiretty)",
        "as root on the machine: echo 'Defaults:USER !requiretty' > /etc/sudoers.d/USER-tty",
    ),
    _Cause(
        r"password (?:has |is )?expired|password change required|required to change your password|no longer valid",
        "the password of USER on the machine has expired, so it runs nothing for that user",
        "change it there (ssh -t USER@ADDRESS passwd), or as root on the machine: chage -M -1 -d 1970-01-02 USER;"
        " chage -l USER shows what holds",
    ),
    _Cause(
        r"account (?:has |is |or password is )?expired|account validation failure|account is locked",
        "the account USER on the machine has expired or is locked",
        "as root on the machine: chage -E -1 USER; passwd -S USER shows whether it is locked",
    ),
    _Cause(
        r"account is currently not available|nologin",
        f"{_NOT_RUN}: USER has no login shell there",
        "as root on the machine: usermod -s /bin/sh USER; or name another user, who may become root",
    ),
    _Cause(
        r"neither root nor sudo",
        f"{_NOT_ROOT}: there is neither sudo nor doas",
        "log in as root, or install sudo there and let USER use it without a password",
    ),
    _Cause(
        r"doas: ",
        _NOT_ROOT,
        "as root on the machine: echo 'permit nopass USER as root' >> /etc/doas.conf",
    ),
    _Cause(
        r"sudoers.*syntax error|syntax error.*sudoers|>>> /etc/sudoers",
        f"{_NOT_ROOT}: its sudoers file has an error",
        "as root on the machine: visudo -c names the file and the line",
    ),
    _Cause(
        r"setuid bit set|effective uid is not 0|no new privileges",
        f"{_NOT_ROOT}: sudo has lost its rights there",
        "log in as root, or repair sudo there: chown root: /usr/bin/sudo && chmod 4755 /usr/bin/sudo",
    ),
    _Cause(
        r"sudo: |in the sudoers file|may not run sudo|not allowed to execute|password is required",
        _NOT_ROOT,
        "log in as root, or let the user run sudo without a password, as root on the machine:"
        " echo 'USER ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/USER",
    ),
)


def known_refusal(result: Completed, script: str) -> ProvisionError | None:
    """Return the error for a result of `script` whose output shows why nothing began; None if it does not."""
    output = without_script(result.output[-LARGEST:], script)
    for cause in _CAUSES:
        if re.search(cause.pattern, output, re.IGNORECASE):
            return ProvisionError(cause.brief, details=shorten(output), resolution=cause.resolution)
    return None


def unknown_refusal(result: Completed, script: str, probe: Completed) -> ProvisionError:
    """Return the error for a result whose output does not; `probe` is the result of PROBE_COMMAND with PROBE_STDIN."""
    output = shorten(without_script(result.output[-LARGEST:], script))
    if f"{PROBE_MARK}-command" in probe.output:
        return ProvisionError(
            _NOT_RUN,
            details=f"status {result.status}\n{output}".strip(),
            resolution="see that its sh works and that its disk has room: machine ssh NAME 'sh -c id; df -h'",
        )
    if f"{PROBE_MARK}-stdin" in probe.output:
        return ProvisionError(_LOGIN_EXECS[0], details=output, resolution=_LOGIN_EXECS[1])
    return ProvisionError(
        f"{_NOT_RUN}: it runs a command of its own at each login of USER",
        details=f"it printed:\n{output}" if output else "it printed nothing",
        resolution="take command=... from the key in ~USER/.ssh/authorized_keys, or ForceCommand out of sshd's settings"
        " (an exec in ~USER/.bashrc does the same); or name another key or user",
    )


def without_script(output: str, script: str) -> str:
    """Return `output` without the lines of our own script, which may hold secrets."""
    script_lines = {line.strip() for line in script.splitlines()}
    parts = "|".join(
        re.escape(line) for line in sorted(script_lines, key=len, reverse=True) if len(line) > _MIN_IDENTIFYING_LENGTH
    )
    lines = [line for line in output.splitlines() if line.strip() not in script_lines]
    hidden = re.compile(parts) if parts else None
    lines = [line for line in lines if line.strip() and "unable to resolve host" not in line]  # sudo's, and harmless
    return "\n".join(line for line in lines if not (hidden and hidden.search(line)))


_MIN_IDENTIFYING_LENGTH = 20  # characters; a shorter line of ours may be part of somebody else's words


def shorten(text: str, count: int = SHOWN_LINES) -> str:
    """Return the last `count` lines of what a machine printed, long ones cut."""
    lines = [line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + "..." for line in text.splitlines()]
    return "\n".join(lines[-count:])
