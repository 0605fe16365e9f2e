"""What to type for nodes of swarm mode whose engine, or whose managers, do not answer: the end of a row's error."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from machine.cli.connect import check_engine
from machine.cli.report import in_store
from machine.clusters.swarm_mode import members
from machine.clusters.swarm_mode.commands import NO_MANAGER, NOT_A_MEMBER, SILENT
from machine.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.cli.app import App
    from machine.clusters.swarm_mode.commands import Row

MOST_AT_ONCE = 32  # machines that are asked at the same time


def add_commands(app: App, rows: Sequence[Row]) -> list[Row]:
    """Return the rows with what to type at the end of each error.

    The engines of the machines concerned are asked once more, and the platforms of those that do not answer. In a
    cluster without a manager, a machine that answers gets what helps a manager that does not.
    """
    silent = [row for row in rows if row.error in (NO_MANAGER, SILENT)]
    with ThreadPoolExecutor(MOST_AT_ONCE) as executor:
        commands = dict(zip(silent, executor.map(lambda row: _command(app, row.machine), silent), strict=True))
    of_managers = {row.cluster: command for row, command in commands.items() if command and row.role == "manager"}
    commands |= {row: commands[row] or of_managers.get(row.cluster, "") for row in silent if row.error == NO_MANAGER}
    commands |= {row: f"machine provision {row.machine}" for row in rows if row.error == NOT_A_MEMBER}
    return [_with_command(row, in_store(commands.get(row, ""), app.flags.typed_store())) for row in rows]


def _with_command(row: Row, command: str) -> Row:
    return replace(row, error=f"{row.error}: {command}") if command else row


def _command(app: App, name: str) -> str:
    """Return what to type for a machine; "" if its engine answers, and waits for another one."""
    try:
        record = app.store.load(name)
        check_engine(app, record, record.url())
    except MachineError as error:
        return error.resolution
    local = members.ask_local_node(record)
    return f"machine swarm-mode unlock {name}" if local is not None and local.state == "locked" else ""
