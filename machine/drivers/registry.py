"""Which drivers there are. One literal table, so that naming a driver imports no other."""

from __future__ import annotations

from machine.errors import DriverError
from machine.nearest import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from machine.drivers.base import Driver, Traits

DEFAULT = "qemu"
TABLE = {
    "amazonec2": "machine.drivers.amazonec2.driver:AmazonDriver",
    "azure": "machine.drivers.azure.driver:AzureDriver",
    "digitalocean": "machine.drivers.digitalocean.driver:DigitalOceanDriver",
    "generic": "machine.drivers.generic.driver:GenericDriver",
    "hetzner": "machine.drivers.hetzner.driver:HetznerDriver",
    "none": "machine.drivers.none.driver:NoneDriver",
    "openstack": "machine.drivers.openstack.driver:OpenStackDriver",
    "qemu": "machine.drivers.qemu.driver:QemuDriver",
    "virtualbox": "machine.drivers.virtualbox.driver:VirtualBoxDriver",
}
# docker-machine's built-in drivers that have no counterpart in TABLE
UNSUPPORTED_DRIVERS = (
    *("exoscale", "google", "hyperv", "rackspace", "softlayer"),
    *("vmwarefusion", "vmwarevcloudair", "vmwarevsphere"),
)
ENTRY_POINT_GROUP = (
    "machine.drivers"  # entry points of third parties, for names not in TABLE; then docker-machine's plugins
)


def find(name: str) -> type[Driver]:
    """The class of a driver; DriverError names the known ones. Loads that driver's module only."""
    from importlib import import_module

    if name in TABLE:
        module, _, attribute = TABLE[name].partition(":")
        found: type[Driver] = getattr(import_module(module), attribute)
        return found
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return _load_entry_point(entry)
    from machine.drivers.plugin import program

    path = program.find(name)
    if path:
        from machine.drivers.plugin.driver import driver_class

        return driver_class(name, path)
    known = names()
    raise DriverError(
        f"there is no driver called {name!r}",
        details="known drivers: " + ", ".join(known),
        resolution=_resolution(name, known),
    )


def find_recorded(name: str, machine: str) -> type[Driver]:
    """The class of the driver `name` that the record of `machine` has. Raises DriverError if it is not there any more.

    A command on a machine takes no driver, so the error says how to get this one back, or to forget the machine.
    """
    if name in TABLE or name in names():
        return find(name)
    note = f"\n{_not_built_in(name)}" if name in UNSUPPORTED_DRIVERS else ""
    raise DriverError(
        f"the driver {name} of machine {machine} is not installed",
        details=f"it is none of {', '.join(TABLE)}, and no plugin docker-machine-driver-{name} is on the PATH{note}",
        resolution=f"put docker-machine-driver-{name} into a directory of your PATH, or install the Python package that"
        f" brings the driver; or machine rm -f {machine} forgets the machine",
    )


def traits_of(name: str) -> Traits:
    """Return what a driver declares of itself; what holds of most drivers if this one cannot be loaded."""
    try:
        return find(name).traits
    except DriverError:
        from machine.drivers.base import Traits

        return Traits(name=name, options=())


def _resolution(name: str, known: list[str]) -> str:
    """What to type instead of a driver's name that is none."""
    plugin = f"the plugin docker-machine-driver-{name} into a directory of your PATH"
    if name in UNSUPPORTED_DRIVERS:
        return f"{_not_built_in(name)}: put {plugin}"
    near = nearest(name, known)
    rest = f"choose one with -d, or put {plugin}, or install the Python package that brings the driver"
    return f"did you mean {near}? Else {rest}" if near else rest


def _not_built_in(name: str) -> str:
    return f"docker-machine's own driver {name} is not part of this program"


def _load_entry_point(entry: EntryPoint) -> type[Driver]:
    """The driver of somebody's package. Raises DriverError if it does not load, whatever its code raises."""
    from machine.drivers.base import Driver

    package = entry.dist.name if entry.dist else entry.module
    try:
        loaded = entry.load()
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    else:
        if isinstance(loaded, type) and issubclass(loaded, Driver):
            return loaded
        problem = f"{entry.value} is no subclass of machine.driver_api.Driver"
    raise DriverError(
        f"the driver {entry.name} of the Python package {package} cannot be loaded",
        details=problem,
        resolution=f"install a release of {package} that fits this program and all that it needs, or remove it",
    )


def names() -> list[str]:
    """Every driver that can be named, installed third-party ones included."""
    from importlib.metadata import entry_points

    from machine.drivers.plugin import program

    return sorted({*TABLE, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)), *program.names()})
