"""A VBoxManage that keeps state in a directory and answers in the words that the real one was recorded with.

What no recording has (a start that works, a new host-only interface, a lock that is held) is in the words of
VirtualBox's source. Commands and options that were never recorded as working are refused as the real one refuses.

As a program: `python -m tests.drivers.virtualbox.fake_vboxmanage STATE_DIRECTORY WORD...`; in a test:
`Fake(directory).run`.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine.process import Completed
from tests.drivers.virtualbox.answers import (
    LOCKED,
    NET,
    PROGRESS,
    Vm,
    dhcp_block,
    found,
    info,
    known_options,
    missing,
    replaced,
    said,
)
from tests.drivers.virtualbox.disks import Disks
from tests.drivers.virtualbox.networks import OF_INTERFACE, HostNetworks
from tests.drivers.virtualbox.transcripts import first

SPACE: dict[str, Any] = {"vms": {}, "media": [], "interfaces": {}, "dhcp": {}, "leases": {}, "calls": []}
ARGUMENTS = {"--uart1": 2, "--uartmode1": 2}


class Fake(HostNetworks, Disks):
    """VirtualBox on one host. `boot` and `cut` start and end what is behind a machine; without them nothing is."""

    def __init__(
        self, directory: Path, boot: Callable[[Vm], None] | None = None, cut: Callable[[Vm, str], bool] | None = None
    ) -> None:
        self.directory = directory
        self.boot, self.cut = boot, cut
        self.held: set[str] = set()  # machines whose lock is still held
        self.copying: set[str] = set()
        self.nets = False  # whether it has the host-only networks of macOS, and no interfaces
        directory.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def state(self) -> Iterator[dict[str, Any]]:
        """All that this VirtualBox knows; changes are kept."""
        path = self.directory / "state.json"
        with open(self.directory / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = json.loads(path.read_text()) if path.exists() else json.loads(json.dumps(SPACE))
            yield found
            path.write_text(json.dumps(found, indent=1))

    def listing(self) -> dict[str, Any]:
        """What there is, for comparison."""
        with self.state() as space:
            return {key: value for key, value in space.items() if key not in ("calls", "dhcp", "leases")}

    def calls(self) -> list[list[str]]:
        with self.state() as space:
            return list(space["calls"])

    def run(self, argv: Sequence[str], *, check: bool = True, **how: Any) -> Completed:
        """As machine.process.run, for this program only."""
        words = list(argv[1:])
        with self.state() as space:
            space["calls"].append(words)
            act = getattr(self, "do_" + words[0].lstrip("-"), None)
            if act is None:
                refused = first("nosuchcommand", rc=2)
                return Completed(2, "", refused.stderr.replace("nosuchcommand", words[0]))
            found: Completed = act(space, words[1:])
            return found

    def asks_dhcp(self, name: str, state: str = "acked", address: str = "") -> str:
        """The guest of that machine asks for an address of its host-only network; what the server there gives it.

        `state` is how far they have come: offered, acked, released, expired. LookupError without a server. `address`
        is for a guest that is elsewhere.
        """
        with self.state() as space:
            vm = found(space, name)
            assert vm is not None
            network = OF_INTERFACE + vm["set"]["--hostonlyadapter2"]
            leases, card = space["leases"], vm["set"]["--macaddress2"].lower()
            lowest = ipaddress.ip_address(space["dhcp"][network]["--lowerip"])
            taken = [lease["address"] for lease in leases.values()]
            free = address or next(str(lowest + more) for more in range(99) if str(lowest + more) not in taken)
            leases[card] = {"network": network, "address": leases.get(card, {}).get("address", free), "state": state}
            return str(leases[card]["address"])

    def script(self, path: Path) -> str:
        """A program at `path` that is this one."""
        root = Path(__file__).parents[3]
        path.write_text(f'#!/bin/sh\ncd "{root}" && exec "{sys.executable}" -m {__name__} "{self.directory}" "$@"\n')
        path.chmod(0o755)
        return str(path)

    def do_version(self, space: dict[str, Any], words: list[str]) -> Completed:
        return said("--version")

    def do_list(self, space: dict[str, Any], words: list[str]) -> Completed:
        what = words[0]
        if what in ("hdds", "vms", "runningvms"):
            there = space["vms"].items()
            shown = [(id, vm) for id, vm in there if what == "vms" or vm["state"] == "running"]
            named = "".join(f'"{vm["name"]}" {{{id}}}\n' for id, vm in shown)
            return Completed(0, self.hard_disks(space) if what == "hdds" else named)
        if what == "hostonlynets" and self.nets:
            there = space.setdefault("nets", {}).items()
            return Completed(0, "".join(NET.format(name=name, **values) for name, values in there))
        if what == "hostonlyifs":
            text = first("list", "hostonlyifs", text="vboxnet0").stdout
            blocks = [replaced(text, name, address, mask) for name, (address, mask) in space["interfaces"].items()]
            return Completed(0, "".join(blocks))
        if what == "dhcpservers":
            return Completed(0, "".join(dhcp_block(name, values) for name, values in space["dhcp"].items()))
        if what == "hostinfo":
            text = first("list", "hostinfo").stdout
            return Completed(0, text.replace("HW virtualization: no", "HW virtualization: yes"))
        return said("list", "nosuchlist", rc=2, swap={"nosuchlist": what})

    def do_createvm(self, space: dict[str, Any], words: list[str]) -> Completed:
        given = dict(zip(words[0:-1:2], words[1::2], strict=False))
        name, folder = given["--name"], given["--basefolder"]
        file = Path(folder, name, f"{name}.vbox")
        if file.exists():
            return said("createvm", rc=1, swap={"/root/.docker/machine/machines/m1/m1/m1.vbox": str(file)})
        file.parent.mkdir(parents=True)
        file.write_text("<VirtualBox/>")
        id = given.get("--uuid") or str(uuid.uuid4())
        vm = {"name": name, "folder": str(file.parent), "state": "poweroff", "set": {}, "nat": {}, "shares": {}}
        space["vms"][id] = {**vm, "uuid": id, "controllers": [], "disks": {}, "properties": {}, "extra": {}}
        swap = {"db66f82c-8421-4adc-a819-c32eb903fb9b": id, "/root/.docker/machine/machines/m1/m1/m1.vbox": str(file)}
        return said("createvm", swap={**swap, "'m1'": f"'{name}'"})

    def do_showvminfo(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        if vm is None:
            return missing("showvminfo", words[0])
        self.alive(vm)  # it may have ended by itself
        return Completed(0, info(vm))

    def do_modifyvm(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        if vm is None:
            return missing("modifyvm", words[0])
        if vm["state"] != "poweroff":
            return Completed(1, "", LOCKED.format(vm["name"]))
        rest, options, warned = words[1:], known_options(), ""
        while rest:
            option = rest.pop(0)
            name, _, value = option.partition("=")
            if self.nets and name == "--host-only-net2" and value in space.get("nets", {}):
                vm["set"][name] = value
                continue
            if option not in options:
                return said("modifyvm", "*", "--nosuchoption", rc=1, swap={"--nosuchoption": option})
            values = [rest.pop(0) for _ in range(ARGUMENTS.get(option, 1))]
            if option == "--natpf1":
                failed = self._forward(vm, values[0], rest)
                if failed:
                    return failed
                continue
            if option.startswith("--hostonlyadapter") and values[0] not in space["interfaces"]:
                warned = first("modifyvm", "*", "--nic2", "hostonly", text="warning").stderr.replace(
                    "vboxnet0", values[0]
                )
            vm["set"][option] = ",".join(values)
        return Completed(0, "", warned)

    def _forward(self, vm: Vm, rule: str, rest: list[str]) -> Completed | None:
        if rule == "delete":
            name = rest.pop(0)
            return None if vm["nat"].pop(name, None) else said("modifyvm", "*", "--natpf1", "delete", rc=1)
        name, _, value = rule.partition(",")
        if name in vm["nat"]:
            return said("modifyvm", "*", "--natpf1", rc=1, text="already exists")
        vm["nat"][name] = value
        return None

    def do_storagectl(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        assert vm is not None
        if words[2] in vm["controllers"]:
            return said("storagectl", rc=1)
        vm["controllers"].append(words[2])
        return said("storagectl")

    def do_storageattach(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        assert vm is not None
        given = dict(zip(words[1::2], words[2::2], strict=True))
        if given["--storagectl"] not in vm["controllers"]:
            return said("storageattach", "*", "--storagectl", "NOPE", rc=1, swap={"NOPE": given["--storagectl"]})
        if not os.path.exists(given["--medium"]):
            swap = {"/nonexistent.vmdk": given["--medium"]}
            return said("storageattach", rc=1, text="Could not find file for the medium", swap=swap)
        vm["disks"][given["--port"]] = given["--medium"]
        if given["--medium"] in space["media"]:
            space["media"].remove(given["--medium"])  # now in the machine's own list
        return said("storageattach")

    def do_convertfromraw(self, space: dict[str, Any], words: list[str]) -> Completed:
        source, target = words[:2]
        if os.path.exists(target):
            return said("convertfromraw", rc=1, swap={"/root/.docker/machine/machines/m1/disk.vmdk": target})
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vdi", source, target], check=True, timeout=600)
        return said("convertfromraw", "raw.img")

    def do_showmediuminfo(self, space: dict[str, Any], words: list[str]) -> Completed:
        seen = json.loads(
            subprocess.run(["qemu-img", "info", "-U", "--output=json", words[1]], capture_output=True).stdout
        )
        text = first("showmediuminfo", "disk").stdout
        return Completed(0, text.replace("100 MBytes", f"{seen['virtual-size'] >> 20} MBytes"))

    def do_modifymedium(self, space: dict[str, Any], words: list[str]) -> Completed:
        """qemu-img cannot make a VDI larger, so it goes by way of a raw file."""
        _, disk, option, size = words
        assert option == "--resizebyte"
        raw = disk + ".raw"
        subprocess.run(["qemu-img", "convert", "-f", "vdi", "-O", "raw", disk, raw], check=True, timeout=600)
        os.truncate(raw, int(size))
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vdi", raw, disk], check=True, timeout=600)
        os.unlink(raw)
        if disk not in space["media"] and not any(disk in vm["disks"].values() for vm in space["vms"].values()):
            space["media"].append(disk)
        return said("modifymedium", "disk", "*", "--resizebyte")

    def do_guestproperty(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[1])
        if vm is None:
            return missing("guestproperty", words[1])
        if words[0] == "set":
            vm["properties"][words[2]] = words[3]
            return said("guestproperty", "set")
        value = vm["properties"].get(words[2])
        return Completed(0, f"Value: {value}\n") if value else said("guestproperty", "get", text="No value set")

    def do_sharedfolder(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[1])
        assert vm is not None
        given = dict(zip(words[2:-1:2], words[3::2], strict=False))
        if given["--name"] in vm["shares"]:
            return said("sharedfolder", "add", rc=1, text="already exists")
        if not os.path.isdir(given["--hostpath"]):
            return said("sharedfolder", "add", rc=1, text="VERR_FILE_NOT_FOUND")
        vm["shares"][given["--name"]] = given["--hostpath"]
        return said("sharedfolder", "add")

    def do_setextradata(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        assert vm is not None
        vm["extra"][words[1]] = words[2]
        return said("setextradata")

    def do_startvm(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        if vm is None:
            return missing("startvm", words[0])
        if self.alive(vm):
            return Completed(1, "", LOCKED.format(vm["name"]))
        if self.boot:
            self.boot(vm)
        vm["state"] = "running"
        waiting = first("startvm", "*", rc=1, text="Waiting for VM").stdout.replace('"m1"', f'"{vm["name"]}"')
        return Completed(0, f'{waiting}VM "{vm["name"]}" has been successfully started.\n')

    def do_controlvm(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        if vm is None:
            return missing("controlvm", words[0])
        if not self.alive(vm):
            return said("controlvm", "m1", rc=1, text="not currently running", swap={"m1": vm["name"]})
        after = {"pause": "paused", "resume": "running", "reset": "running", "savestate": "saved"}.get(
            words[1], "poweroff"
        )
        ended = self.cut(vm, words[1]) if self.cut else True
        vm["state"] = after if ended else vm["state"]
        return Completed(0, "", PROGRESS)

    def do_discardstate(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        assert vm is not None
        if vm["state"] != "saved":
            return said("discardstate")
        vm["state"] = "aborted"
        return Completed(0)

    def alive(self, vm: Vm) -> bool:
        if vm["state"] in ("running", "paused") and self.cut and self.cut(vm, ""):
            vm["state"] = "poweroff"
        return vm["state"] in ("running", "paused")

    def do_unregistervm(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        if vm is None:
            return missing("unregistervm", words[0])
        if self.alive(vm) or vm["state"] == "saved" or vm["name"] in self.held:
            self.held.discard(vm["name"])
            return Completed(1, "", LOCKED.format(vm["name"]))
        for medium in (*vm["disks"].values(), *(one["disk"] for one in vm.get("snapshots", {}).values())):
            if not medium.endswith(".iso"):
                Path(medium).unlink(missing_ok=True)
        shutil.rmtree(vm["folder"])
        del space["vms"][vm["uuid"]]
        return said("unregistervm", "*", "--delete")


def main() -> int:
    directory = Path(sys.argv[1])
    behind: tuple[Any, ...] = ()
    if (directory / "boots").exists():
        from tests.drivers.virtualbox import hypervisor

        behind = (hypervisor.boot, hypervisor.cut)
    done = Fake(directory, *behind).run(["VBoxManage", *sys.argv[2:]])
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.status


if __name__ == "__main__":
    raise SystemExit(main())
