"""Starting and reloading the engine: scripts for systemd, OpenRC and boot2docker's init script."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from machine.provision.facts import Facts
from machine.provision.look import BOOT2DOCKER, DAEMON_JSON, KEPT, LIVE
from machine.provision.steps import Run


@dataclass(frozen=True, slots=True)
class Service:
    """How one init system is told to do things; all are shell commands."""

    restart: str  # ends when the engine answers
    enable: str
    log: str  # prints the end of the engine's log


# Not every init waits until dockerd listens; systemd does (Type=notify), and then this costs nothing.
_ANSWERS = """\
tries=0
until [ -S /var/run/docker.sock ] && docker version >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 150 ] || { echo "the engine does not answer after 30 s" >&2; exit 1; }
    sleep 0.2
done"""

# Debian's package has an init script too; to enable that as well takes perl and two reloads, and systemd never reads it
# (systemd's docs/ENVIRONMENT.md).
_NO_SYSV = "SYSTEMCTL_SKIP_SYSV=1"

SERVICES = {
    "systemd": Service(
        restart="systemctl daemon-reload\n"
        "systemctl reset-failed docker.service docker.socket 2>/dev/null || true\n"
        "systemctl restart docker.service",
        enable=f"{_NO_SYSV} systemctl enable docker.service",
        log="journalctl -u docker.service -n 30 --no-pager -o cat",
    ),
    "openrc": Service(
        restart=f"rc-service docker restart\n{_ANSWERS}",
        enable="rc-update add docker default",
        log="tail -n 30 /var/log/docker.log",
    ),
    "boot2docker": Service(
        restart=f"/etc/init.d/docker restart\n{_ANSWERS}",
        enable="true",
        log=f"tail -n 30 {BOOT2DOCKER}/docker.log",
    ),
}

# A socket unit does not start while its service runs, so it goes first.
_SOCKET_FIRST = "systemctl stop docker.service\nsystemctl start docker.socket\n"


def keep(paths: Iterable[str]) -> Run:
    """Put the configuration aside that the engine runs with now; an empty copy means that there was none.

    What an interrupted run kept is not touched: it is the older truth.
    """
    copies = "\n".join(
        f"[ -e {path}{KEPT} ] || if [ -f {path} ]; then cp -p {path} {path}{KEPT}; else : >{path}{KEPT}; fi"
        for path in map(shlex.quote, paths)
    )
    directories = " ".join(sorted({shlex.quote(path.rpartition("/")[0]) for path in paths}))
    return Run("keep the present configuration", f"umask 077\n(umask 022; mkdir -p {directories})\n{copies}")


def forget(paths: Iterable[str]) -> Run:
    """The kept configuration is not needed any more."""
    copies = [path + KEPT for path in paths] + [DAEMON_JSON + LIVE]
    return Run("forget the kept configuration", "rm -f " + shlex.join(copies))


def restart(facts: Facts, configuration: Sequence[str]) -> Run:
    """Restart the engine; if it does not come up again, the kept configuration is put back and started.

    Where containers are to go on, that is the one with live-restore; what was kept stays for the next run to
    put back.
    """
    service = SERVICES[facts.init]
    wanted = service.restart
    if facts.init == "systemd" and facts.service == "active" and facts.socket in ("inactive", "failed"):
        wanted = wanted.replace("systemctl restart", _SOCKET_FIRST + "systemctl restart")
    script = f"""\
again() (
set -e
{wanted}
)
set +e
again
status=$?
set -e
if [ "$status" -ne 0 ]; then
    {service.log} >&2 || true
    for file in {shlex.join(configuration)}; do
        if [ -f "$file{LIVE}" ]; then mv -f "$file{LIVE}" "$file"
        elif [ -s "$file{KEPT}" ]; then mv -f "$file{KEPT}" "$file"
        else rm -f "$file" "$file{KEPT}"
        fi
    done
    {"again >/dev/null 2>&1 || true" if facts.service == "active" else ":"}
    echo "the engine did not start with the new configuration; the one from before was put back" >&2
    exit 1
fi
{forget(configuration).script}
"""
    advice = "the end of the engine's log is above; correct the options and say: machine provision NAME"
    return Run("restart the engine", script, seconds=180.0, advice=advice)


def enable(facts: Facts, *, restarting: bool) -> Run:
    """Have the engine start at boot; `restarting`: its restart comes next, and has systemd read its units anew."""
    script = SERVICES[facts.init].enable
    return Run(
        "have the engine start at boot",
        script.replace("systemctl enable", "systemctl --no-reload enable") if restarting else script,
    )
