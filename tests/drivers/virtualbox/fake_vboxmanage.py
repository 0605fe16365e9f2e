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
from tests.drivers.virtualbox import transcripts
from tests.drivers.virtualbox.transcripts import first

Vm = dict[str, Any]
PROGRESS = "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n"
LOCKED = (
    "VBoxManage: error: The machine '{}' is already locked for a session (or being unlocked)\nVBoxManage: error: "
    "Details: code VBOX_E_INVALID_OBJECT_STATE (0x80bb0007), component MachineWrap, interface IMachine\n"
)
SPACE: dict[str, Any] = {"vms": {}, "media": [], "interfaces": {}, "dhcp": {}, "leases": {}, "calls": []}
OF_INTERFACE = "HostInterfaceNetworking-"  # with an interface's name: the network that a DHCP server serves
ARGUMENTS = {"--uart1": 2, "--uartmode1": 2}
NET = """Name:            {name}
GUID:            {guid}

State:           {state}
NetworkMask:     {mask}
LowerIP:         {lower}
UpperIP:         {upper}
VBoxNetworkName: hostonly-{name}

"""  # as macOS prints it (VBoxManageList.cpp), the empty line included


def known_options() -> set[str]:
    """The options of modifyvm that were recorded as taken."""
    taken = (each.words[2:] for each in transcripts.every() if each.words[:1] == ("modifyvm",) and not each.rc)
    return {word for words in taken for word in words if word.startswith("--")}


class Fake:
    """VirtualBox on one host. `boot` and `cut` start and end what is behind a machine; without them nothing is."""

    def __init__(
        self, directory: Path, boot: Callable[[Vm], None] | None = None, cut: Callable[[Vm, str], bool] | None = None
    ) -> None:
        self.directory = directory
        self.boot, self.cut = boot, cut
        self.held: set[str] = set()  # machines whose lock is still held
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
        if what in ("vms", "runningvms"):
            there = space["vms"].items()
            shown = [(id, vm) for id, vm in there if what == "vms" or vm["state"] == "running"]
            return Completed(0, "".join(f'"{vm["name"]}" {{{id}}}\n' for id, vm in shown))
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

    def do_clonemedium(self, space: dict[str, Any], words: list[str]) -> Completed:
        subprocess.run(["qemu-img", "convert", "-O", "vdi", words[1], words[2]], check=True, timeout=600)
        space["media"] += [medium for medium in words[1:3] if medium not in space["media"]]
        return said("clonemedium", "disk")

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

    def do_closemedium(self, space: dict[str, Any], words: list[str]) -> Completed:
        if any(words[1] in vm["disks"].values() for vm in space["vms"].values()):
            return said("closemedium", "disk", rc=1, text="OBJECT_IN_USE")
        if words[1] in space["media"]:
            space["media"].remove(words[1])
        elif not os.path.exists(words[1]):
            return said("modifymedium", rc=1, text="VERR_FILE_NOT_FOUND")
        return Completed(0)

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
        for medium in vm["disks"].values():
            if not medium.endswith(".iso"):
                Path(medium).unlink(missing_ok=True)
        shutil.rmtree(vm["folder"])
        del space["vms"][vm["uuid"]]
        return said("unregistervm", "*", "--delete")

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


def found(space: dict[str, Any], word: str) -> Vm | None:
    """By UUID, else by name."""
    if word in space["vms"]:
        vm: Vm = space["vms"][word]
        return vm
    return next((vm for vm in space["vms"].values() if vm["name"] == word), None)


def said(*words: str, rc: int = 0, text: str = "", swap: dict[str, str] | None = None) -> Completed:
    """A recorded answer, with names and paths put in the place of the recorded ones."""
    known = first(*words, rc=rc, text=text)
    out, err = known.stdout, known.stderr
    for old, new in (swap or {}).items():
        out, err = out.replace(old, new), err.replace(old, new)
    return Completed(rc, out, err)


def missing(command: str, word: str) -> Completed:
    """That there is no such machine; by name or by UUID."""
    by_uuid = len(word) == 36 and word.count("-") == 4
    known = first("showvminfo", rc=1, text="with UUID" if by_uuid else "named 'm1'")
    old = known.stderr.partition("{")[2].partition("}")[0] if by_uuid else "m1"
    return Completed(1, "", known.stderr.replace(old, word))


def info(vm: Vm) -> str:
    """showvminfo --machinereadable of a machine that was just made, with what was changed since."""
    lines = first("showvminfo", "*", "--machinereadable", text='name="dev"').stdout.splitlines()
    changed = {"name": vm["name"], "UUID": vm["uuid"], "VMState": vm["state"]}
    changed |= {option.lstrip("-"): value for option, value in vm["set"].items()}
    kept = [line for line in lines if line.partition("=")[0] not in changed]
    more = [f'{key}="{value}"' for key, value in changed.items()]
    for number, name in enumerate(vm["controllers"]):
        more.append(f'storagecontrollername{number}="{name}"')
        more += [f'"{name}-{port}-0"="{medium}"' for port, medium in vm["disks"].items()]
    more += [f'Forwarding({number})="{name},{rule}"' for number, (name, rule) in enumerate(sorted(vm["nat"].items()))]
    for number, (name, path) in enumerate(vm["shares"].items(), 1):
        more += [
            f'SharedFolderNameMachineMapping{number}="{name}"',
            f'SharedFolderPathMachineMapping{number}="{path}"',
        ]
    return "\n".join([*kept, *more]) + "\n"


def replaced(text: str, name: str, address: str, mask: str) -> str:
    """A block of `list hostonlyifs` for another interface."""
    return text.replace("vboxnet0", name).replace("192.168.56.1", address).replace("255.255.255.0", mask)


def dhcp_block(name: str, values: dict[str, str]) -> str:
    """A block of `list dhcpservers`."""
    text = first("list", "dhcpservers", text="192.168.56.100").stdout
    text = text.replace("HostInterfaceNetworking-vboxnet0", name).replace("192.168.56.100", values["--ip"])
    return text.replace("192.168.56.101", values["--lowerip"]).replace("192.168.56.254", values["--upperip"])


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
