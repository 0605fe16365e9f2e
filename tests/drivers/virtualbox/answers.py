"""The answers of a fake VBoxManage: recorded ones with other names in them, and those that no recording has."""

from __future__ import annotations

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
    more += _snapshots(vm, "", "")
    if current := vm.get("current"):
        more += [f'CurrentSnapshotName="{current}"', f'CurrentSnapshotUUID="{vm["snapshots"][current]["uuid"]}"']
    return "\n".join([*kept, *more]) + "\n"


def _snapshots(vm: Vm, parent: str, place: str) -> list[str]:
    """The snapshots that were made after `parent`, each with those made after it; the first has no number."""
    lines, there = [], vm.get("snapshots", {}).items()
    for number, (tag, one) in enumerate([each for each in there if each[1]["parent"] == parent], 1):
        own = f"{place}-{number}" if parent else ""
        lines += [f'SnapshotName{own}="{tag}"', f'SnapshotUUID{own}="{one["uuid"]}"']
        lines += [f'SnapshotDescription{own}="{one["description"]}"', *_snapshots(vm, tag, own)]
    return lines


def replaced(text: str, name: str, address: str, mask: str) -> str:
    """A block of `list hostonlyifs` for another interface."""
    return text.replace("vboxnet0", name).replace("192.168.56.1", address).replace("255.255.255.0", mask)


def dhcp_block(name: str, values: dict[str, str]) -> str:
    """A block of `list dhcpservers`."""
    text = first("list", "dhcpservers", text="192.168.56.100").stdout
    text = text.replace("HostInterfaceNetworking-vboxnet0", name).replace("192.168.56.100", values["--ip"])
    return text.replace("192.168.56.101", values["--lowerip"]).replace("192.168.56.254", values["--upperip"])
