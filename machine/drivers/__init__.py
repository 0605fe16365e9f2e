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
    "openstack": "machine.drivers.openstack.driver:OpenStackDriver",
    "qemu": "machine.drivers.qemu.driver:QemuDriver",
    "virtualbox": "machine.drivers.virtualbox.driver:VirtualBoxDriver",
}
GROUP = "machine.drivers"  # entry points of third parties, for names not in TABLE; then docker-machine's plugins


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
    from machine.drivers.plugin import program

    path = program.find(name)
    if path:
        from machine.drivers.plugin.driver import made_for

        return made_for(name, path)
    raise DriverError(
        f"there is no driver called {name!r}",
        details="known drivers: " + ", ".join(names()),
        resolution=f"choose one with -d, or put the plugin docker-machine-driver-{name} into a directory of your PATH,"
        " or install the Python package that brings the driver",
    )


def names() -> list[str]:
    """Every driver that can be named, installed third-party ones included."""
    from importlib.metadata import entry_points

    from machine.drivers.plugin import program

    return sorted({*TABLE, *(entry.name for entry in entry_points(group=GROUP)), *program.names()})
