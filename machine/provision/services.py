"""Starting and reloading the engine: scripts for systemd, OpenRC and boot2docker's init script."""

from __future__ import annotations

from dataclasses import dataclass

from machine.provision import engine_api, script_files
from machine.provision.facts import Facts
from machine.provision.host_files import BOOT2DOCKER, CONF_D, TRANSACTION
from machine.provision.rollback import START_SECONDS
from machine.provision.steps import Run

RESTART_SECONDS = 400.0  # a start, a wait for its answer, and the same once more when it is taken back


@dataclass(frozen=True, slots=True)
class Service:
    """How one init system is told to do things; all are shell commands."""

    restart: str
    enable: str
    log: str  # prints the end of the engine's log
    alive: str = "true"  # fails when the engine that was started has ended
    runs: str = "true"  # fails when there is no engine at the end of a wait; where `alive` cannot tell


# Debian's package has an init script too; to enable that as well takes perl and two reloads, and systemd never reads it
# (systemd's docs/ENVIRONMENT.md).
_NO_SYSV = "SYSTEMCTL_SKIP_SYSV=1"

SERVICES = {
    "systemd": Service(
        restart="systemctl daemon-reload\n"
        "systemctl reset-failed docker.service docker.socket 2>/dev/null || true\n"
        f"limited {START_SECONDS} systemctl restart docker.service",
        enable=f"{_NO_SYSV} systemctl enable docker.service",
        # what an engine said right before its end may be on its way to the journal still
        log="sleep 0.5; journalctl --sync 2>/dev/null || true\n"
        'journalctl -u docker.service --since "@${began:-0}" -n 30 --no-pager -o cat',
    ),
    "openrc": Service(
        restart=f"before_start\nlimited {START_SECONDS} rc-service docker restart",
        enable="rc-update add docker default",
        log="end_of_log",
        alive="goes_on",
    ),
    "boot2docker": Service(
        restart=f"limited {START_SECONDS} /etc/init.d/docker restart",
        enable="true",
        log=f"tail -n 30 {BOOT2DOCKER}/docker.log 2>/dev/null",
        runs="/etc/init.d/docker status >/dev/null 2>&1",
    ),
}

# The log may have another place, and there is none before the engine has said something.
_OPENRC = engine_api.PROCESS_FUNCTIONS + script_files.read("openrc_log", conf_d=CONF_D)

# A socket unit does not start while its service runs, so it goes first.
_SOCKET_FIRST = "limited 60 systemctl stop docker.service\nsystemctl start docker.socket\n"


# Whatever the pid file is called.
_PID = "$(systemctl show docker.service -p MainPID)"


def restart(facts: Facts) -> Run:
    """Return the step that restarts the engine and waits until it answers; its failure is rolled back (rollback.py)."""
    service = SERVICES[facts.init]
    restart_command = service.restart
    if facts.init == "systemd" and facts.service == "active" and facts.socket in ("inactive", "failed"):
        restart_command = restart_command.replace(
            f"limited {START_SECONDS} systemctl restart", f"{_SOCKET_FIRST}limited {START_SECONDS} systemctl restart"
        )
    alive = service.alive
    if facts.init == "systemd":
        restart_command += f"\nstarted={_PID}"
        alive = f'[ "{_PID}" = "$started" ]'
    script = script_files.read(
        "restart_engine",
        functions=engine_api.FUNCTIONS + (_OPENRC if facts.init == "openrc" else "") + _unanswered(facts.init),
        restart=restart_command,
        wait_until_up=engine_api.wait_until_up(facts.engine_socket, alive),
        transaction=TRANSACTION,
        log=service.log,
    )
    resolution = (
        "the end of the engine's log is above; what is wrong with its options is corrected in the store's "
        "machines/NAME/config.json (HostOptions, EngineOptions), then: machine provision NAME"
    )
    return Run("restart the engine", script, seconds=RESTART_SECONDS, resolution=resolution)


def _unanswered(init: str) -> str:
    """Return the shell function that, at the end of a wait, tells an engine at work from one that failed."""
    if init == "systemd":
        return script_files.read("systemd_unanswered", no_answer=engine_api.NO_ANSWER)
    return script_files.read("init_script_unanswered", no_answer=engine_api.NO_ANSWER, runs=SERVICES[init].runs)


def enable(facts: Facts, *, restarting: bool) -> Run:
    """Return the step that enables the engine at boot; `restarting`: its restart is next, and has systemd reload."""
    script = SERVICES[facts.init].enable
    return Run(
        "have the engine start at boot",
        script.replace("systemctl enable", "systemctl --no-reload enable") if restarting else script,
    )
