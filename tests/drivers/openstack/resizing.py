"""How servers and volumes of a project in memory become larger: Nova's resize, with its confirmation, Cinder's extend.

https://docs.openstack.org/api-ref/compute/#resize-server-resize-action, #confirm-resized-server-confirmresize-action,
https://docs.openstack.org/api-ref/block-storage/v3/#extend-a-volume-size; the sentences are those of nova/exception.py,
nova/api/openstack/compute/servers.py and cinder/volume/api.py.
"""

from __future__ import annotations

import time

from tests.drivers.openstack.refusals import Json, Refusal, bad

EXTENDS_ATTACHED = (3, 42)
POWER = {"ACTIVE": 1, "SHUTOFF": 4}


def embedded(flavor: Json) -> Json:
    """A flavor as a server shows it since microversion 2.47: without its id."""
    sizes = {key: flavor[key] for key in ("ram", "vcpus", "disk")}
    return {"original_name": flavor["name"], "ephemeral": 0, "swap": 0, "extra_specs": {}, **sizes}


def in_wrong_state(server: Json, action: str) -> Refusal:
    """What Nova says to an action that does not go with the state."""
    task, status = server["OS-EXT-STS:task_state"], server["status"]
    kind = f"task_state {task}" if task else f"vm_state {server.get('OS-EXT-STS:vm_state') or status.lower()}"
    text = f"Cannot '{action}' instance {server['id']} while it is in {kind}"
    return Refusal(409, "conflictingRequest", text)


def resize(server: Json, flavors: list[Json], wanted: str, seconds: float, *, fails: bool) -> None:
    """Begin a resize; it waits for its confirmation then, or the server is as it was, if no host has room."""
    before = server["status"]
    if before not in POWER or server["OS-EXT-STS:task_state"]:
        raise in_wrong_state(server, "resize")
    flavor = next((one for one in flavors if one["id"] == wanted), None)
    if flavor is None:
        raise bad(f"Flavor {wanted} could not be found.")
    if embedded(flavor) == server["flavor"]:
        raise bad("When resizing, instances must change flavor!")
    if not flavor["disk"] and not server["_disks"]:
        raise bad("Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.")
    off = before == "SHUTOFF"
    states = {"OS-EXT-STS:vm_state": "stopped" if off else "active", "OS-EXT-STS:power_state": POWER[before]}
    server.update(states, **{"status": "RESIZE", "OS-EXT-STS:task_state": "resize_prep"})
    done: Json = {"OS-EXT-STS:task_state": None}
    if fails:
        done |= {"status": before}
    else:
        done |= {"status": "VERIFY_RESIZE", "OS-EXT-STS:vm_state": "resized", "flavor": embedded(flavor)}
    server["_before"], server["_confirming"] = before, False
    server["_then"] = (time.monotonic() + seconds, "is", done)


def confirm(server: Json, seconds: float) -> None:
    """Begin to give up what is kept of the server as it was."""
    if server["status"] != "VERIFY_RESIZE":
        raise in_wrong_state(server, "confirmResize")
    if server["_confirming"]:
        raise bad("Instance has not been resized.")
    server["_confirming"] = True
    vm_state = "stopped" if server["_before"] == "SHUTOFF" else "active"
    server["_then"] = (
        *(time.monotonic() + seconds, "is"),
        {"status": server["_before"], "OS-EXT-STS:vm_state": vm_state, "OS-EXT-STS:task_state": None},
    )


def extend(volume: Json, size: int, microversion: tuple[int, int], seconds: float) -> None:
    """Begin to grow a volume, one in use since the microversion that can."""
    allowed = ("available", "in-use") if microversion >= EXTENDS_ATTACHED else ("available",)
    if volume["status"] not in allowed:
        raise bad(f"Invalid volume: Volume {volume['id']} status must be available to extend, is {volume['status']}.")
    if size <= volume["size"]:
        had = f"(current: {volume['size']}, extended: {size})"
        raise bad(f"Invalid input received: New size for extend must be greater than current size. {had}.")
    volume["_grown"] = (volume["status"], size)
    volume.update(status="extending", _at=time.monotonic() + seconds)
