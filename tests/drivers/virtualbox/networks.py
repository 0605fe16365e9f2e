"""The commands of a fake VBoxManage about host-only networks and their DHCP servers."""

from __future__ import annotations

import uuid
from typing import Any

from machine.process import Completed
from tests.drivers.virtualbox.answers import PROGRESS, said
from tests.drivers.virtualbox.transcripts import first

OF_INTERFACE = "HostInterfaceNetworking-"  # with an interface's name: the network that a DHCP server serves


class HostNetworks:
    """`nets`: whether there are the host-only networks of macOS, and no interfaces."""

    nets = False

    def do_hostonlyif(self, space: dict[str, Any], words: list[str]) -> Completed:
        there = space["interfaces"]
        if words[0] == "create":
            number = next(number for number in range(99) if f"vboxnet{number}" not in there)
            there[f"vboxnet{number}"] = [f"192.168.{70 + number}.1", "255.255.255.0"]
            return Completed(0, f"Interface 'vboxnet{number}' was successfully created\n", PROGRESS)
        if words[1] not in there:
            return said("hostonlyif", "remove", rc=1, text="could not be found", swap={"vboxnet0": words[1]})
        if words[0] == "remove":
            del there[words[1]]
            return Completed(0, "", PROGRESS)
        given = dict(zip(words[2::2], words[3::2], strict=True))
        second, third = map(int, given["--ip"].split(".")[1:3])
        if second != 168 or not 56 <= third <= 63:
            return said("hostonlyif", "ipconfig", rc=1, text="E_ACCESSDENIED")
        there[words[1]] = [given["--ip"], given["--netmask"]]
        return said("hostonlyif", "ipconfig")

    def do_hostonlynet(self, space: dict[str, Any], words: list[str]) -> Completed:
        """macOS has them; elsewhere the command is unknown, as was recorded."""
        if not self.nets:
            return said("hostonlynet", rc=2)
        there = space.setdefault("nets", {})
        flags = [word for word in words[1:] if word in ("--enable", "--disable")]
        rest = [word for word in words[1:] if word not in flags]
        given = dict(zip(rest[::2], rest[1::2], strict=True))
        name = given["--name"]
        if words[0] == "modify" and name in there:
            there[name]["state"] = "Enabled" if flags == ["--enable"] else "Disabled"
        elif words[0] == "add" and name not in there:
            span = {"mask": given["--netmask"], "lower": given["--lower-ip"], "upper": given["--upper-ip"]}
            there[name] = {"guid": str(uuid.uuid4()), "state": "Enabled" if flags else "Disabled", **span}
        else:
            return Completed(1, "", f"VBoxManage: error: hostonlynet {words[0]}: {name}\n")
        return Completed(0)

    def do_dhcpserver(self, space: dict[str, Any], words: list[str]) -> Completed:
        if words[0] == "findlease":
            return self._lease(space, **dict(word.lstrip("-").replace("-", "_").split("=") for word in words[1:]))
        given = dict(zip(words[1:-1:2], words[2::2], strict=False))
        name = given.pop("--netname")
        if words[0] == "add" and name in space["dhcp"]:
            return said("dhcpserver", "add", rc=2)
        space["dhcp"][name] = given
        return Completed(0)

    def _lease(self, space: dict[str, Any], interface: str, mac_address: str) -> Completed:
        """By MAC, with or without colons; the server writes down what it gives, and that file is read."""
        network, card = OF_INTERFACE + interface, mac_address.replace(":", "").lower()
        colons = ":".join(card[at : at + 2] for at in range(0, 12, 2))
        leases = {key: lease for key, lease in space["leases"].items() if lease["network"] == network}
        find = ("dhcpserver", "findlease")
        if interface not in space["interfaces"]:
            return said(*find, rc=1, text="vboxnet7", swap={"vboxnet7": interface})
        if network not in space["dhcp"]:
            return said("dhcpserver", "remove", rc=1, swap={OF_INTERFACE + "vboxnet0": network})
        if not leases:
            return said(*find, rc=1, text="VERR_FILE_NOT_FOUND", swap={OF_INTERFACE + "vboxnet0": network})
        if card not in leases:
            return said(*find, rc=1, text="Could not find a lease", swap={"08:00:27:aa:bb:cd": colons})
        known = first(*find, text=leases[card]["state"])
        old = dict(line.replace(" ", "").split(":", 1) for line in known.stdout.splitlines())
        swap = {old["IPAddress"]: leases[card]["address"], old["MACAddress"]: colons}
        return said(*find, text=leases[card]["state"], swap=swap)
