"""What `machine set` changes of a server: its flavor while it is off, the size of its root volume at any time.

https://docs.openstack.org/api-ref/compute/#resize-server-resize-action (and confirmResize),
https://docs.openstack.org/api-ref/block-storage/v3/#extend-a-volume-size
"""

from __future__ import annotations

from collections.abc import Sequence

from machine.drivers.cloud import errors
from machine.drivers.cloud.errors import refuse
from machine.drivers.openstack import client, lookup
from machine.drivers.openstack.client import Api, Json
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.errors import ERRORS, failure
from machine.drivers.openstack.states import CONFIRMABLE, RESIZING, STOPPED
from machine.errors import InProgress

FLAVOR_NAME, FLAVOR_ID, DISK = "openstack-flavor-name", "openstack-flavor-id", "openstack-volume-size"
EXTENDING, EXTEND_FAILED = "extending", "error_extending"


def check_flavor(api: Api, server: Json, wanted: Config, names: Sequence[str]) -> None:
    """Settle name and id of the flavor; refuse one that there is not, or whose disk is too small for the server."""
    key = wanted.flavor_id if FLAVOR_ID in names else wanted.flavor_name
    present = api.list_all(client.FLAVOR)
    flavor = lookup.required(present, key, wanted.account, errors.BadSize, "flavor")
    wanted.flavor_id, wanted.flavor_name = str(flavor["id"]), str(flavor.get("name") or key)
    if wanted.boot_from_volume:
        return
    now = next((one for one in present if _is_of(server, one)), server.get("flavor") or {})
    old, new = int(now.get("disk") or 0), int(flavor.get("disk") or 0)
    if new < old or not new:
        brief = f"the flavor {wanted.flavor_name} has a disk of {new} GB, the machine one of {old} GB"
        refuse(f"{brief}: disks grow, and never shrink", f"choose a --{FLAVOR_NAME} with {old} GB or more")


def check_disk(api: Api, wanted: Config) -> None:
    """Settle the size of the root volume; refuse where the machine has none of its own, or it cannot have that size."""
    if wanted.is_conoha:
        refuse("ConoHa's volumes have fixed sizes", f"leave --{DISK} out")
    volume, size = _own_volume(api, wanted), wanted.volume_size
    now = int(volume.get("size") or 0)
    if size < now:
        refuse(
            f"--{DISK} {size} is less than the root volume has ({now} GB): disks grow, and never shrink",
            f"--{DISK} {now}, or more; for a smaller disk, make another machine",
        )
    if size > now and not api.extends_attached_volumes():
        refuse(
            "the cloud's Cinder cannot grow a volume that a server has (it lacks the microversion 3.42)",
            f"make another machine with --{DISK} {size}",
        )
    wanted.own_volume_size = size


def grow_volume(api: Api, config: Config) -> bool:
    """Grow the root volume; return True once it has its new size. Raises InProgress until then."""
    volume = _own_volume(api, config)
    volume_id, status = str(volume["id"]), str(volume.get("status"))
    if status == EXTEND_FAILED:
        raise ERRORS.error(errors.BadVolume, f"the cloud failed to grow the volume {volume_id}", f"it is {status}")
    if status != EXTENDING and int(volume.get("size") or 0) >= config.own_volume_size:
        return True
    if status != EXTENDING:
        api.extend_volume(volume_id, config.own_volume_size)
    raise InProgress(f"the cloud is making the volume {volume_id} larger")


class Resize:
    """The resize of one server. It remembers whether this process has asked for it: what failed is not asked again."""

    def __init__(self, api: Api, config: Config) -> None:
        self.api = api
        self.config = config
        self._requested = self._confirmed = False

    def advance(self, server: Json) -> bool:
        """Resize a server that is off, and confirm that; return whether it has the flavor now.

        Raises InProgress while the cloud is at it, DriverError if it gave up.
        """
        server_id, status = str(server["id"]), str(server.get("status"))
        if status == CONFIRMABLE and not self._confirmed:  # also what somebody left at that: another size is wanted
            self.api.confirm_resize(server_id)
            self._confirmed = True
        if status in RESIZING or (status == STOPPED and server.get("task_state")):
            raise InProgress(f"the cloud is resizing the server {server_id}", details=f"its state is {status}")
        if _is_of(server, self._flavor()):
            return True
        if self._requested:
            raise self._failed(server)
        if status != STOPPED:
            if server.get("task_state") == "powering-off":
                raise InProgress(f"the server {server_id} is being stopped")
            return False
        self.api.resize(server_id, self.config.flavor_id)
        self._requested = True
        raise InProgress(f"the cloud is resizing the server {server_id}")

    def _flavor(self) -> Json:
        """The wanted flavor; what the record has of one that the cloud does not show any more."""
        config = self.config
        return self.api.find(client.FLAVOR, config.flavor_id) or {"id": config.flavor_id, "name": config.flavor_name}

    def _failed(self, server: Json) -> errors.CloudError:
        """Why it has its old flavor after all. Nova tells it of a server in ERROR only."""
        fault = str((server.get("fault") or {}).get("message") or "")
        error = failure(self.config.flavor_name, fault)
        error.brief = f"the cloud gave up resizing the server {server['id']} to {self.config.flavor_name}"
        if not fault:
            error.resolution = f"`openstack server event list {server['id']}` shows why; {error.resolution}"
        return error


def _is_of(server: Json, flavor: Json) -> bool:
    """Whether a server has a flavor. Nova names it by its id before microversion 2.47, by name and size since."""
    has = server.get("flavor") or {}
    known = {str(flavor[key]) for key in ("id", "name") if flavor.get(key)}
    if not known & {str(has.get(key)) for key in ("id", "name", "original_name")}:
        return False
    sizes = [key for key in ("ram", "vcpus", "disk") if has.get("ram") and key in flavor]
    return all(int(has.get(key) or 0) == int(flavor[key] or 0) for key in sizes)  # of a name that was given anew


def _own_volume(api: Api, config: Config) -> Json:
    """The root volume that was made for the machine. Raises PreflightFailed or BadVolume where there is none."""
    if not config.own_volume_id:
        whose = f"the volume {config.volume_id} is not the machine's own" if config.volume_id else ""
        refuse(
            whose or "the machine's root disk is no volume that was made for it: its size is the flavor's",
            "`openstack volume set --size` grows a volume of yours; --openstack-flavor-name changes a flavor's disk",
        )
    found = api.find(client.VOLUME, config.own_volume_id)
    if found is None:
        raise ERRORS.error(errors.BadVolume, f"there is no volume {config.own_volume_id}")
    return found
