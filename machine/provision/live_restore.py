"""Containers that outlive a restart of the engine (docs.docker.com/engine/daemon/live-restore).

dockerd leaves containers running when it ends, and finds them again, only if live-restore is on both before and
after. So it is switched on for the running engine by a reload, kept on through the restart, and then put back to
what the user had. A reload changes a setting only if the file names it, so "off" has to be written before the
name can go. Engines in swarm mode refuse live-restore; there the cluster starts tasks anew.
"""

from __future__ import annotations

import shlex
from typing import Any

from machine.provision import engine_api, script_files, settings
from machine.provision.facts import Facts
from machine.provision.host_files import DAEMON_JSON, LIVE_RESTORE_SUFFIX, NO_LIVE_RESTORE_SUFFIX
from machine.provision.steps import Run, Step, WriteFile

KEY = "live-restore"


def is_needed(facts: Facts) -> bool:
    """Whether a restart would end containers that could be kept.

    Live-restore that an interrupted run has left switched on is not the user's, and would end at the restart.
    """
    possible = facts.containers_running > 0 and not facts.swarm_mode and facts.init != "boot2docker"
    return possible and (not facts.live_restore or facts.interrupted)


def warnings(facts: Facts) -> list[str]:
    """What to tell the user after a restart that containers did not outlive."""
    if facts.engine_unresponsive:
        return ["the running engine could not be asked (it hangs, or there is no curl): its containers were restarted"]
    if facts.swarm_mode and facts.containers_running:
        return ["the engine is in swarm mode: its containers were restarted, for swarm mode refuses live-restore"]
    return []


def switch_on(facts: Facts) -> list[Step]:
    """Return the steps that switch live-restore on in the engine as it runs now, with the settings that it has now."""
    on = _file(facts, {**settings.existing(facts), KEY: True})
    off = _file(facts, {**settings.existing(facts), KEY: False})
    fallback = [
        WriteFile(
            DAEMON_JSON + NO_LIVE_RESTORE_SUFFIX,
            off.content,
            off.mode,
            purpose="save daemon.json with live-restore off, for a rollback",
        ),
        WriteFile(
            DAEMON_JSON + LIVE_RESTORE_SUFFIX,
            on.content,
            on.mode,
            purpose="save daemon.json with live-restore on, for a rollback",
        ),
    ]
    if facts.live_restore:
        return [*fallback]
    return [*fallback, on, Run("keep containers running without the engine", _reload(facts, "true"))]


def temporary_settings(final: dict[str, Any], flags: tuple[str, ...]) -> dict[str, Any]:
    """The new settings with live-restore on, unless --engine-opt sets it: dockerd takes it from one place only."""
    return final if _is_set_by_flag(flags) else {**final, KEY: True}


def restore(facts: Facts, final: WriteFile, settings_after: dict[str, Any], flags: tuple[str, ...]) -> list[Step]:
    """Return the steps that set live-restore to what `settings_after` has: off, or not named at all.

    daemon.json ends with a time older than the engine's start, for what it says is in force.
    """
    if _is_set_by_flag(flags) or settings_after.get(KEY):
        return []
    off = _file(facts, {**settings_after, KEY: False})
    settle = Run(
        "give daemon.json the time of the engine's start", f"touch -r {shlex.quote(facts.pid_file)} {DAEMON_JSON}"
    )
    return [off, Run("set live-restore as it was", _reload(facts, "false")), final, settle]


def main_pid(facts: Facts) -> str:
    """A shell word that is the engine's process: systemd knows it, a pid file may lie anywhere."""
    if facts.init == "systemd":
        return "$(systemctl show docker.service -p MainPID | sed 's/^MainPID=//')"
    return f"$(cat {shlex.quote(facts.pid_file)})"


def _reload(facts: Facts, value: str) -> str:
    """Have the engine read daemon.json, and see that it took live-restore from there."""
    return script_files.read(
        "reload_engine",
        functions=engine_api.FUNCTIONS,
        pid=main_pid(facts),
        socket=shlex.quote(facts.engine_socket),
        value=value,
        daemon_json=DAEMON_JSON,
    )


def _is_set_by_flag(flags: tuple[str, ...]) -> bool:
    return any(flag.lstrip("-").partition("=")[0] == KEY for flag in flags)


def _file(facts: Facts, content: dict[str, Any]) -> WriteFile:
    existing = facts.files.get(DAEMON_JSON)
    return WriteFile(DAEMON_JSON, settings.text(content), existing.mode if existing else 0o644)
