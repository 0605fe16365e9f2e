"""What `machine set` changes of a droplet: its size, while it is off; its disk stays, so that this can be taken back.

https://docs.digitalocean.com/reference/api/digitalocean/#tag/Droplet-Actions (resize)
"""

from __future__ import annotations

from machine.drivers.cloud.errors import refuse
from machine.drivers.digitalocean.client import Api, Json
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.preflight import size_of
from machine.errors import InProgress

SIZE = "digitalocean-size"


def check_size(api: Api, droplet: Json, wanted: Config) -> None:
    """Refuse a size that there is not, is not sold in the droplet's region, or has a smaller disk than the droplet."""
    size = size_of(api, wanted.size)
    region = droplet.get("region") or {}
    if wanted.size not in region.get("sizes", [wanted.size]):
        refuse(f"the size {wanted.size} is not sold in {region.get('slug')}", f"choose another --{SIZE}")
    disk = int(droplet.get("disk") or 0)
    if int(size.get("disk") or 0) < disk:
        brief = f"the size {wanted.size} has a disk of {size.get('disk')} GB, the machine one of {disk} GB"
        refuse(f"{brief}: disks never shrink", f"choose a --{SIZE} with {disk} GB or more, or make another machine")


def change_size(api: Api, droplet: Json, wanted: str) -> bool:
    """Change the size of a droplet that is off; return whether it is that now. Raises InProgress until it is."""
    if droplet.get("size_slug") == wanted:
        return True
    if droplet.get("status") != "off":
        return False
    api.resize(int(droplet["id"]), wanted)
    raise InProgress(f"DigitalOcean is resizing the droplet {droplet['id']}")
