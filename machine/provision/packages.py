"""The package managers: each waits for its lock, answers no questions and restarts nothing it was not asked to.

A value is a script in which `$@` are the packages. `optional` names are taken only where the mirror has them.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from machine.provision import script_files

LOCK_SECONDS = 300

# apt waits by itself for dpkg's lock (DPkg::Lock::Timeout), not for that of its lists; scripts from the net for none.
WAIT_FOR_LOCK = script_files.read("wait_for_lock", lock_seconds=LOCK_SECONDS)
_APT = script_files.read("apt", wait_for_lock=WAIT_FOR_LOCK, lock_seconds=LOCK_SECONDS)
_PACMAN = script_files.read("pacman", lock_seconds=LOCK_SECONDS)
# Arch supports no partial upgrade: whoever refreshes the list of packages upgrades all of them. A package is therefore
# taken by the list as it is, which fits what is installed; only if the mirror has no such version any more, after -u.
_PACMAN_UPGRADE = 'pacman -Syu --noconfirm --needed "$@"'
_ZYPPER = f"export ZYPP_LOCK_TIMEOUT={LOCK_SECONDS}\n"


@dataclass(frozen=True, slots=True)
class PackageManager:
    """The shell commands of one package manager."""

    prepare: str  # functions, and a fresh list of packages; stale=yes where it goes on with the old one
    exists: str  # a command that tells whether the mirror has "$name"
    install: str
    upgrade: str  # of installed packages only; pacman's is of all of them
    owner: str  # prints the package that the file "$file" belongs to
    installed: str  # prints "NAME VERSION" for "$name", nothing if it is not installed


_DNF = PackageManager(
    prepare="",
    exists='dnf -q list "$name" >/dev/null 2>&1',
    install='dnf -q -y install "$@"',
    upgrade='dnf -q -y --refresh upgrade "$@"',
    owner="rpm -qf --qf '%{NAME}\\n' \"$file\"",
    installed="rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\\n' \"$name\" 2>/dev/null",
)

MANAGERS = {
    "apt-get": PackageManager(
        prepare=_APT,
        exists='apt-cache -q show --no-all-versions "$name" >/dev/null 2>&1',
        install='apt install --no-install-recommends "$@"',
        upgrade='apt install --only-upgrade "$@"',
        owner='dpkg -S "$(readlink -f "$file")" | cut -d : -f 1',
        installed="dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n' \"$name\" 2>/dev/null"
        " | sed -n 's/^installed //p'",
    ),
    "dnf": _DNF,
    "yum": PackageManager(
        prepare=_DNF.prepare,
        exists=_DNF.exists.replace("dnf", "yum"),
        install=_DNF.install.replace("dnf", "yum"),
        upgrade='yum -q -y upgrade "$@"',
        owner=_DNF.owner,
        installed=_DNF.installed,
    ),
    "zypper": PackageManager(
        prepare=_ZYPPER,
        exists='zypper -q --non-interactive search --match-exact "$name" >/dev/null 2>&1',
        install='zypper -q --non-interactive install --auto-agree-with-licenses "$@"',
        upgrade='zypper -q --non-interactive refresh\nzypper -q --non-interactive update "$@"',
        owner=_DNF.owner,
        installed=_DNF.installed,
    ),
    "pacman": PackageManager(
        prepare=_PACMAN,
        exists='pacman -Si "$name" >/dev/null 2>&1',
        install=f'pacman -S --noconfirm --needed "$@" || {_PACMAN_UPGRADE}',
        upgrade=_PACMAN_UPGRADE,
        owner='pacman -Qoq "$file"',
        installed='pacman -Q "$name" 2>/dev/null',
    ),
    "apk": PackageManager(
        prepare="",
        exists='[ -n "$(apk search -q -e "$name")" ]',
        install=f'apk add -q --wait {LOCK_SECONDS} "$@"',
        upgrade=f'apk update -q --wait {LOCK_SECONDS}\napk add -q -u --wait {LOCK_SECONDS} "$@"',
        owner="apk info -q -W \"$file\" | sed 's/-[0-9][^-]*-r[0-9]*$//'",
        installed="apk list -I \"$name\" 2>/dev/null | sed -n 's/^\\(.*\\)-\\([0-9][^-]*-r[0-9]*\\) .*/\\1 \\2/p'",
    ),
}


def install(manager: str, packages: Sequence[str], optional: Sequence[str] = ()) -> str:
    """Return a script that installs packages, and those of `optional` that exist."""
    commands = MANAGERS[manager]
    script = f"{commands.prepare}set -- {shlex.join(packages)}\n"
    if optional:
        script += (
            f'for name in {shlex.join(optional)}; do\n    if {commands.exists}; then set -- "$@" "$name"; fi\ndone\n'
        )
    return script + commands.install + "\n"
