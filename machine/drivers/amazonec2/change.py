"""What `machine set` changes of an instance: its type while it is stopped, the size of its root volume at any time.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-resize.html and
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modify-volume.html
"""

from __future__ import annotations

from machine.drivers.amazonec2.client import Api, Json
from machine.drivers.amazonec2.config import Config
from machine.drivers.amazonec2.errors import ERRORS
from machine.drivers.cloud import errors
from machine.drivers.cloud.errors import refuse
from machine.errors import InProgress

TYPE, DISK = "amazonec2-instance-type", "amazonec2-root-size"


def check_type(api: Api, instance: Json, wanted: Config) -> None:
    """Refuse a type that there is not, or not for the instance's processor, or not in its zone."""
    if instance.get("InstanceLifecycle") == "spot":
        refuse(
            f"{instance['InstanceId']} is a spot instance, which cannot be stopped to change its type", "make another"
        )
    size = api.instance_type(wanted.instance_type)
    architecture = str(instance.get("Architecture") or wanted.architecture)
    supported = size.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    if architecture and supported and architecture not in supported:
        brief = (
            f"the instance type {wanted.instance_type} is for {', '.join(supported)}, the machine for {architecture}"
        )
        refuse(brief, f"choose an --{TYPE} for {architecture}")
    zone = str(instance.get("Placement", {}).get("AvailabilityZone") or "")
    if zone and zone not in (offered := api.zones_offering(wanted.instance_type)):
        brief = f"the instance type {wanted.instance_type} is not offered in {zone}, where the machine is"
        refuse(brief, f"choose another --{TYPE}", "it is offered in " + (", ".join(sorted(offered)) or "no zone"))


def check_disk(api: Api, instance: Json, wanted: Config) -> None:
    """Refuse a root volume smaller than the machine has."""
    now = int(_volume(api, instance)["Size"])
    if wanted.root_size < now:
        refuse(
            f"--{DISK} {wanted.root_size} is less than the root volume has ({now} GB): disks grow, and never shrink",
            f"--{DISK} {now}, or more; for a smaller disk, make another machine",
        )


def change_type(api: Api, instance: Json, instance_type: str) -> bool:
    """Change the type of an instance that is stopped; return whether it is that now."""
    if instance.get("InstanceType") == instance_type:
        return True
    state = str(instance.get("State", {}).get("Name", ""))
    if state == "stopping":
        raise InProgress(f"{instance['InstanceId']} is being stopped")
    if state == "stopped":
        api.set_instance_type(str(instance["InstanceId"]), instance_type)
    return state == "stopped"


def grow_volume(api: Api, instance: Json, gigabytes: int) -> bool:
    """Grow the root volume; return True once the machine can see its new size. Raises InProgress until then."""
    volume = _volume(api, instance)
    volume_id = str(volume["VolumeId"])
    if int(volume["Size"]) < gigabytes:
        api.grow_volume(volume_id, gigabytes)
        raise InProgress(f"EC2 is making the volume {volume_id} larger")
    state = api.modification(volume_id)
    if state == "modifying":  # "optimizing", which may take hours, changes nothing of its size
        raise InProgress(f"EC2 is making the volume {volume_id} larger")
    return True


def _volume(api: Api, instance: Json) -> Json:
    """Return the root volume. Raises BadVolume if it has none."""
    root = instance.get("RootDeviceName")
    mapped = [one for one in instance.get("BlockDeviceMappings", []) if one.get("DeviceName") == root and "Ebs" in one]
    found = api.volume(str(mapped[0]["Ebs"]["VolumeId"])) if mapped else {}
    if not found:
        raise ERRORS.error(errors.BadVolume, f"{instance['InstanceId']} has no root volume at {root} that can grow")
    return found
