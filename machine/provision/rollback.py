"""Rollback: changes of the engine's configuration are all made or none; what undoes them is on the machine first.

    begin      the files, the state of the services and the host's name are saved; a guard is started
    ...        steps; one that fails has the changes rolled back before the script ends (script.py)
    commit     what was saved is removed

The guard is a process of its own that waits for the end of the script. If the script is killed, or dies because the
connection broke, the guard rolls the changes back. That restores what the init system has loaded, not only files: what
did not run before is stopped, units are read anew, and what ran is started again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from machine.provision import engine_api, script_files
from machine.provision.facts import Facts
from machine.provision.host_files import (
    DAEMON_JSON,
    KEPT_SUFFIX,
    LIVE_RESTORE_SUFFIX,
    NO_LIVE_RESTORE_SUFFIX,
    TRANSACTION,
)
from machine.provision.steps import Run

# How long the guard waits for a step that outlives its script: package managers must not be disturbed.
STEP_SECONDS = 1800
START_SECONDS = 150  # for one start of the engine; docker.service itself has no limit


@dataclass(frozen=True, slots=True)
class _InitScript:
    """Shell commands of an init system that starts the engine by a script; systemd has scripts of its own here."""

    status: str  # fails while the engine does not run
    stop: str
    start: str
    is_enabled: str
    disable: str


_INIT_SCRIPTS = {
    "openrc": _InitScript(
        status="rc-service docker status",
        stop="rc-service docker stop",
        start=f"started {START_SECONDS} rc-service docker start",
        is_enabled="rc-update show default 2>/dev/null | grep -q '^ *docker '",
        disable="rc-update -q del docker default",
    ),
    "boot2docker": _InitScript(
        status="/etc/init.d/docker status",
        stop="/etc/init.d/docker stop",
        start=f"limited {START_SECONDS} /etc/init.d/docker start",
        is_enabled="true",
        disable="true",
    ),
}


def begin(facts: Facts, paths: Iterable[str]) -> Run:
    """Return the step that saves the files at `paths` and the state of the services, and starts the guard.

    An empty copy means that there was no file. What an interrupted run has saved is not touched: it is older.
    """
    files = list(paths)
    directories = sorted({path.rpartition("/")[0] for path in files}, key=lambda path: (-path.count("/"), path))
    script = script_files.read(
        "rollback_begin",
        functions=_functions_to_note(facts),
        directory=TRANSACTION,
        undo=_undo(facts, files),
        guard=script_files.read("rollback_guard", directory=TRANSACTION, step_seconds=STEP_SECONDS),
        files=shlex.join(files),
        directories=shlex.join(directories),
        kept=KEPT_SUFFIX,
    )
    shown = (
        f"# As they are now: each file that is written below, as FILE{KEPT_SUFFIX}; how Docker's services stand, and"
        f" the\n# host's name, in {TRANSACTION}. If a step fails, or the script is killed, a guard puts all of it back."
    )
    return Run("save a copy of the present configuration", script, shown=shown)


def commit(paths: Sequence[str]) -> Run:
    """Return the step that keeps the changes: what was saved is moved, so that the guard ends, and then removed."""
    done_directory = f"{TRANSACTION}.done"
    script = (
        f"[ ! -e {done_directory} ] || rm -rf {done_directory}\n"
        f"mv {TRANSACTION} {done_directory}\n"
        f"rm -rf {_leftovers(paths)} {done_directory}"
    )
    return Run("remove the saved copy of the configuration", script)


def _functions_of_process(facts: Facts) -> str:
    """Return the shell function `pid`, which prints the id of the engine's process."""
    if facts.init == "systemd":
        return script_files.read("systemd_process")
    return script_files.read("pid_file_process", pid_file=shlex.quote(facts.pid_file))


def _functions_to_note(facts: Facts) -> str:
    """Return the shell functions that print what the init system has running."""
    if facts.init == "systemd":
        return script_files.read("systemd_note")
    init = _INIT_SCRIPTS[facts.init]
    note = script_files.read("init_script_note", status=init.status, is_enabled=init.is_enabled)
    return _functions_of_process(facts) + note


def functions_to_restore(facts: Facts) -> str:
    """Return the shell functions that have the init system run again what it had running."""
    if facts.init == "systemd":
        return script_files.read("systemd_restore", start_seconds=START_SECONDS)
    init = _INIT_SCRIPTS[facts.init]
    restore = script_files.read("init_script_restore", stop=init.stop, disable=init.disable, launch=init.start)
    if facts.init != "openrc":
        return restore
    start = script_files.read("openrc_start", socket=shlex.quote(facts.engine_socket), up_seconds=engine_api.UP_SECONDS)
    return engine_api.PROCESS_FUNCTIONS + start + restore


def _undo(facts: Facts, files: list[str]) -> str:
    """Return the script that takes the changes back.

    daemon.json comes back first: TLS in both places starts nothing, TLS in neither would be open. An engine that was
    not restarted goes on; another one is started with live-restore for its containers, and then the setting is put
    back.
    """
    ordered = sorted(files, key=lambda path: path != DAEMON_JSON)
    alive = "goes_on" if facts.init == "openrc" else "true"
    wait_until_up = engine_api.wait_until_up(facts.engine_socket, alive).replace("\n", "\n        ").strip()
    return script_files.read(
        "rollback_undo",
        directory=TRANSACTION,
        functions=engine_api.FUNCTIONS + _functions_of_process(facts) + functions_to_restore(facts),
        files=shlex.join(ordered),
        leftovers=_leftovers(files),
        daemon_json=DAEMON_JSON,
        kept=KEPT_SUFFIX,
        live=LIVE_RESTORE_SUFFIX,
        no_live=NO_LIVE_RESTORE_SUFFIX,
        socket=shlex.quote(facts.engine_socket),
        pid_file=shlex.quote(facts.pid_file),
        wait_until_up=wait_until_up,
        log="journalctl -u docker" if facts.init == "systemd" else "its log",
    )


def _leftovers(paths: Iterable[str]) -> str:
    copies = [path + suffix for path in paths for suffix in (KEPT_SUFFIX, f"{KEPT_SUFFIX}.new", ".machine-new")]
    return shlex.join([*copies, DAEMON_JSON + LIVE_RESTORE_SUFFIX, DAEMON_JSON + NO_LIVE_RESTORE_SUFFIX])
