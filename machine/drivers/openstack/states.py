"""What a server's status and task mean, and how it is switched on again. Pure.

https://docs.openstack.org/api-guide/compute/server_concepts.html#server-status
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.model import State

STATES = {
    "ACTIVE": State.RUNNING,
    "BUILD": State.STARTING,
    "DELETED": State.MISSING,
    "HARD_REBOOT": State.STARTING,
    "MIGRATING": State.RUNNING,
    "PASSWORD": State.RUNNING,
    "PAUSED": State.PAUSED,
    "REBOOT": State.STARTING,
    "REBUILD": State.STARTING,
    "RESCUE": State.RUNNING,
    "RESIZE": State.STARTING,
    "REVERT_RESIZE": State.STARTING,
    "SHELVED": State.SAVED,
    "SHELVED_OFFLOADED": State.SAVED,
    "SHUTOFF": State.STOPPED,
    "SOFT_DELETED": State.MISSING,
    "SUSPENDED": State.SAVED,
    "VERIFY_RESIZE": State.RUNNING,
}
STOPPED, CONFIRMABLE = "SHUTOFF", "VERIFY_RESIZE"
RESIZING = ("RESIZE", CONFIRMABLE, "REVERT_RESIZE")
POWERED_OFF = 4  # as Nova's power state
TASKS = {  # what is under way wins over where it comes from
    "deleting": State.STOPPING,
    "soft-deleting": State.STOPPING,
    "powering-off": State.STOPPING,
    "powering-on": State.STARTING,
    "resuming": State.STARTING,
    "unpausing": State.STARTING,
    "unshelving": State.STARTING,
}
START_ACTIONS = {
    "SHUTOFF": "start",
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
}


def is_resized_while_off(server: Mapping[str, Any]) -> bool:
    """Whether a server that is being resized was off before, and so is afterwards."""
    status = server.get("status")
    confirmable_and_off = status == CONFIRMABLE and server.get("power_state") == POWERED_OFF
    return status in RESIZING and (server.get("vm_state") == "stopped" or confirmable_and_off)


def state_of(server: Mapping[str, Any]) -> State:
    """The state that the cloud shows of a server."""
    if is_resized_while_off(server):
        return State.STOPPED
    task = TASKS.get(str(server.get("task_state") or ""))
    return task or STATES.get(str(server.get("status")), State.ERROR)
