"""The resolutions of failed steps, by patterns in the output of the machine's programs. Pure."""

from __future__ import annotations

import re

_AGAIN = "then: machine provision NAME"
_CONFLICT = (
    "the package {0} on the machine is in the way: remove it if nothing there needs it,"
    " or take the distribution's own Docker (--engine-install-url distro)"
)

# Tried in this order against a step's whole output; {0} is the first group that matched.
_RESOLUTIONS: tuple[tuple[str, str], ...] = (
    (r"you must manually run '(?:sudo )?dpkg --configure -a'", f"machine ssh NAME sudo dpkg --configure -a; {_AGAIN}"),
    (r"(?m)^\s*\S+ : (?:Conflicts|Breaks): ([\w.+:-]+)", _CONFLICT),  # apt
    (r"trying to overwrite '[^']*', which is also in package ([\w.+-]+)", _CONFLICT),  # dpkg
    (r"conflicts with file from package ([\w.+:-]+)", _CONFLICT),  # rpm
    (r"conflicts with ([\w.+:-]+) provided by", _CONFLICT),  # dnf
    (r"(?i)problem with installed package ([\w.+:-]+)", _CONFLICT),  # dnf
    (r"(?m)^:: (?:\S+) and (\S+) are in conflict", _CONFLICT),  # pacman
    (r"conflicts with '([\w.+:-]+)' provided by", _CONFLICT),  # zypper
    (
        r"(?i)unit ([\w@.-]+) is masked",
        f"machine ssh NAME sudo systemctl unmask {{0}}; {_AGAIN}",
    ),
    (
        r"(/[^\s:']*)'?: Read-only file system",
        f"{{0}} is on a file system that is mounted read-only: mount it writable; {_AGAIN}",
    ),
    (r"Read-only file system", f"a file system of the machine is mounted read-only (findmnt -O ro): {_AGAIN}"),
    (r"No space left on device|Disk quota exceeded", f"make room on its disk (machine ssh NAME df -h); {_AGAIN}"),
    (
        r"Could not get lock (\S+?)\.? |Unable to lock directory (\S+)|Unable to lock database",
        f"another package manager is still at work there (machine ssh NAME sudo ps axf); when it has ended, {_AGAIN}",
    ),
    (
        r"(?m)^\S*sh: (?:line )?(?:\d+: )?([\w./-]+): Permission denied",
        "root there may not run {0}: sudo's noexec (machine ssh NAME sudo -l shows it), a noexec mount or SELinux"
        f" forbids it; {_AGAIN}",
    ),
    (
        r"cannot (?:move|rename) .* to '([^']*)': Device or resource busy|can't rename '[^']*': Resource busy",
        f"{{0}} is mounted over there and cannot be replaced (findmnt shows it): unmount it; {_AGAIN}",
    ),
    (
        r"Unmet dependencies. Try 'apt --fix-broken install'",
        f"machine ssh NAME sudo apt-get --fix-broken install; {_AGAIN}",
    ),
    (  # restart_engine.sh and restart_swarm_unit.sh: nothing that the program complains of
        r"(?m)^(?:the engine|machine-swarm-\w+) did not answer within \d+ s after its restart",
        f"wait until the machine, and the computer that it runs on, are less busy; {_AGAIN}",
    ),
)


def without_again(resolution: str) -> str:
    """Return advice without its last words, that `machine provision` goes on: for a machine that is not made yet."""
    return re.sub(r"[;,:] then: machine provision \S+$", "", resolution)


def resolution_for(output: str) -> str:
    """Return what to type for the first known cause in the `output` of a step; "" if there is none."""
    for pattern, advice in _RESOLUTIONS:
        found = re.search(pattern, output)
        if found:
            groups = [group for group in found.groups() if group]
            return advice.format(*(groups or [""]))
    return ""
