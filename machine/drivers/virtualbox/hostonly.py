"""The host-only network on this host: found, or made. Shared by all machines that ask for the same addresses.

Linux and Windows have interfaces (vboxnet0) with a DHCP server beside; macOS from VirtualBox 7 on has networks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from machine.drivers.virtualbox import errors
from machine.drivers.virtualbox.client import VBox
from machine.drivers.virtualbox.network import Plan
from machine.errors import DriverError

PENDING = "InterfacesBefore"  # key in the record: names there were before one is made
PREFIX = "HostInterfaceNetworking-"


def ensure(vbox: VBox, plan: Plan, data: dict[str, Any], save: Callable[[], None], *, dhcp: bool, nets: bool) -> str:
    """The name of the network that is as planned. `data` and `save` write down what is being made."""
    if nets:
        return _net(vbox, plan)
    name = _interface(vbox, plan, data, save)
    if dhcp:
        _dhcp(vbox, plan, PREFIX + name)
    return name


def undo(vbox: VBox, data: dict[str, Any]) -> None:
    """Remove an interface whose making was cut short; one that was finished is shared and stays."""
    for name in _pending(vbox, data):
        vbox.remove_interface(name)
    data.pop(PENDING, None)


def card(number: int, name: str, nets: bool) -> list[str]:
    """The words of modifyvm that put a card on the network."""
    if nets:
        return [f"--nic{number}", "hostonlynet", f"--host-only-net{number}={name}"]
    return [f"--nic{number}", "hostonly", f"--hostonlyadapter{number}", name]


def _interface(vbox: VBox, plan: Plan, data: dict[str, Any], save: Callable[[], None]) -> str:
    there = vbox.interfaces()
    for block in there:
        if block.get("IPAddress") == str(plan.host):
            if block.get("NetworkMask") not in ("", plan.mask):
                raise DriverError(
                    f"the interface {block.get('Name')} has the address {plan.host} with another mask, "
                    f"{block.get('NetworkMask')}",
                    resolution="give --virtualbox-hostonly-cidr another address, or that interface the mask",
                )
            return block["Name"]
    made = _pending(vbox, data)
    if not made:
        data[PENDING] = [block.get("Name", "") for block in there]
        save()
        try:
            made = [vbox.make_interface()]
        except DriverError:
            data.pop(PENDING, None)
            save()
            raise
        made = made if made[0] else _pending(vbox, data)
    if not made:
        raise DriverError("VirtualBox has made a host-only interface and does not list it", resolution="try again")
    try:
        vbox.address_interface(made[0], str(plan.host), plan.mask)
    except errors.AddressForbidden as error:
        undo(vbox, data)
        raise errors.AddressForbidden(
            f"VirtualBox does not allow this host the address {plan.host}",
            details=error.details,
            resolution=error.resolution.replace("RANGE", str(plan.network)),
        ) from error
    data.pop(PENDING, None)
    return made[0]


def _pending(vbox: VBox, data: dict[str, Any]) -> list[str]:
    if PENDING not in data:
        return []
    return [block["Name"] for block in vbox.interfaces() if block.get("Name") not in data[PENDING]]


def _dhcp(vbox: VBox, plan: Plan, network: str) -> None:
    """A server with our range; which address it has itself is its own business."""
    wanted = (str(plan.dhcp_server), plan.mask, str(plan.lower), str(plan.upper))
    keys = ("NetworkMask", "LowerIPAddress", "UpperIPAddress", "Enabled")
    for block in vbox.dhcp_servers():
        if block.get("NetworkName") == network:
            if tuple(block.get(key, "") for key in keys) != (*wanted[1:], "Yes"):
                vbox.serve_dhcp("modify", network, wanted)
            return
    vbox.serve_dhcp("add", network, wanted)


def _net(vbox: VBox, plan: Plan) -> str:
    """By its range: macOS gives this host the first address of it, and hands out the others."""
    for block in vbox.networks():
        if block.get("LowerIP") == str(plan.lower) and block.get("NetworkMask") == plan.mask:
            if block.get("State") == "Disabled":
                vbox.enable_network(block["Name"])
            return block["Name"]
    name = f"machine-{plan.network.network_address}"
    vbox.make_network(name, plan.mask, str(plan.lower), str(plan.upper))
    return name
