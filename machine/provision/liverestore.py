"""Containers that outlive a restart of the engine (docs.docker.com/engine/daemon/live-restore).

dockerd leaves containers running when it ends, and finds them again, only if live-restore is on both before and
after. So it is switched on for the running engine by a reload, kept on through the restart, and then put back to
what the user had. A reload changes a setting only if the file names it, so "off" has to be written before the
name can go. Engines in swarm mode refuse live-restore; there the cluster starts tasks anew.
"""

from __future__ import annotations

from typing import Any

from machine.provision import settings
from machine.provision.facts import Facts
from machine.provision.look import CONF_D, DAEMON_JSON, DROP_IN, KEPT, LIVE
from machine.provision.steps import Put, Run, Step

KEY = "live-restore"

_RELOAD = """\
asked() {{
    curl -sf --max-time 10 --unix-socket /var/run/docker.sock http://docker/info 2>/dev/null \\
        || docker info --format '{{{{json .}}}}' 2>/dev/null
}}
kill -HUP "$(cat /var/run/docker.pid)"
tries=0
until asked | grep -q '"LiveRestoreEnabled":{value}'; do
    tries=$((tries + 1))
    if [ "$tries" -ge 100 ]; then
        echo "the engine did not take live-restore={value} from {path}" >&2
        {undo}
        exit 1
    fi
    sleep 0.1
done
"""
_UNDO = f"""\
if [ -s {DAEMON_JSON}{KEPT} ]; then mv -f {DAEMON_JSON}{KEPT} {DAEMON_JSON}; else rm -f {DAEMON_JSON}; fi
        rm -f {DAEMON_JSON}{KEPT} {DAEMON_JSON}{LIVE} {DROP_IN}{KEPT} {CONF_D}{KEPT}"""


def needed(facts: Facts) -> bool:
    """Whether a restart would end containers that could be kept.

    Live-restore that an interrupted run has left switched on is not the user's, and would end at the restart.
    """
    possible = facts.containers_running > 0 and not facts.swarm_mode and facts.init != "boot2docker"
    return possible and (not facts.live_restore or facts.interrupted)


def warnings(facts: Facts) -> list[str]:
    """What to tell the user after a restart that containers did not outlive."""
    if facts.silent:
        return ["the running engine could not be asked (it hangs, or there is no curl): its containers were restarted"]
    if facts.swarm_mode and facts.containers_running:
        return ["the engine is in swarm mode: its containers were restarted, for swarm mode refuses live-restore"]
    return []


def switch_on(facts: Facts) -> list[Step]:
    """For the engine as it runs now, with the settings that it has now."""
    present = _file(facts, {**settings.existing(facts), KEY: True})
    fallback = Put(DAEMON_JSON + LIVE, present.content, present.mode)
    if facts.live_restore:
        return [fallback]
    script = _RELOAD.format(value="true", path=DAEMON_JSON, undo=_UNDO)
    return [fallback, present, Run("keep containers running without the engine", script)]


def during(final: dict[str, Any], flags: tuple[str, ...]) -> dict[str, Any]:
    """The new settings with live-restore on, unless --engine-opt sets it: dockerd takes it from one place only."""
    return final if _by_flag(flags) else {**final, KEY: True}


def put_back(facts: Facts, final: Put, wanted: dict[str, Any], flags: tuple[str, ...]) -> list[Step]:
    """What is `wanted`: off, or not named at all. The file ends older than the engine, for it is in force."""
    if _by_flag(flags) or wanted.get(KEY):
        return []
    off = _file(facts, {**wanted, KEY: False})
    script = _RELOAD.format(value="false", path=DAEMON_JSON, undo=":")
    settle = Run("mark the settings as in force", f"touch -r /var/run/docker.pid {DAEMON_JSON}")
    return [off, Run("put live-restore back", script), final, settle]


def _by_flag(flags: tuple[str, ...]) -> bool:
    return any(flag.lstrip("-").partition("=")[0] == KEY for flag in flags)


def _file(facts: Facts, content: dict[str, Any]) -> Put:
    there = facts.files.get(DAEMON_JSON)
    return Put(DAEMON_JSON, settings.text(content), there.mode if there else 0o644)
