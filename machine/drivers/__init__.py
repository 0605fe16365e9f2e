"""Which drivers there are. One literal table, so that naming a driver imports no other."""

from __future__ import annotations

from machine.errors import DriverError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine.drivers.base import Driver

DEFAULT = "qemu"
TABLE = {
    "amazonec2": "machine.drivers.amazonec2.driver:AmazonDriver",
    "azure": "machine.drivers.azure.driver:AzureDriver",
    "digitalocean": "machine.drivers.digitalocean.driver:DigitalOceanDriver",
    "generic": "machine.drivers.generic.driver:GenericDriver",
    "none": "machine.drivers.none.driver:NoneDriver",
    "qemu": "machine.drivers.qemu.driver:QemuDriver",
    "virtualbox": "machine.drivers.virtualbox.driver:VirtualBoxDriver",
}
GROUP = "machine.drivers"  # entry points of third parties, for names not in TABLE


def find(name: str) -> type[Driver]:
    """The class of a driver; DriverError names the known ones. Loads that driver's module only."""
    from importlib import import_module

    if name in TABLE:
        module, _, attribute = TABLE[name].partition(":")
        found: type[Driver] = getattr(import_module(module), attribute)
        return found
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=name):
        loaded: type[Driver] = entry.load()
        return loaded
    raise DriverError(
        f"there is no driver called {name!r}",
        details="known drivers: " + ", ".join(names()),
        resolution=f"choose one with -d, or install the Python package that brings {name!r}",
    )


def names() -> list[str]:
    """Every driver that can be named, installed third-party ones included."""
    from importlib.metadata import entry_points

    return sorted({*TABLE, *(entry.name for entry in entry_points(group=GROUP))})
