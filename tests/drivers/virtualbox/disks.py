"""The commands of a fake VBoxManage about disks and snapshots, in the words of the real one (7.2.22).

A differencing disk is a whole copy here: qemu-img, which stands in for VirtualBox's own code, makes none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine.process import Completed
from tests.drivers.virtualbox.answers import PROGRESS, Vm, found, missing, said


class Disks:
    """`copying` are the disks that VirtualBox's service still writes."""

    copying: set[str]

    def do_createmedium(self, space: dict[str, Any], words: list[str]) -> Completed:
        given = dict(zip(words[1::2], words[2::2], strict=True))
        if refused := _cannot_be_made(space, "createmedium", given["--filename"]):
            return refused
        size = given["--sizebyte"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "vdi", given["--filename"], size], check=True, timeout=60)
        space["media"].append(given["--filename"])
        return said("createmedium")

    def do_clonemedium(self, space: dict[str, Any], words: list[str]) -> Completed:
        source = next((path for path in _known(space) if _uuid(path) == words[1]), words[1])
        if not os.path.isabs(source):
            swap = {"1" * 8 + "-1111" * 3 + "-" + "1" * 12: source}
            return said("clonemedium", rc=1, text="is not fully qualified", swap=swap)
        if words[3] == "--existing":
            assert words[2] in space["media"]
            if words[2] in self.copying:
                return _busy("clonemedium", words[2])
        elif refused := _cannot_be_made(space, "clonemedium", words[2]):
            return refused
        _copy(source, words[2])
        space["media"] += [medium for medium in (source, words[2]) if medium not in _known(space)]
        return said("clonemedium", "disk")

    def do_closemedium(self, space: dict[str, Any], words: list[str]) -> Completed:
        if words[1] in self.copying:
            return _busy("closemedium", words[1])
        if words[1] in set(_attached(space)):
            return said("closemedium", "disk", rc=1, text="OBJECT_IN_USE")
        if words[1] in space["media"]:
            space["media"].remove(words[1])
        elif not os.path.exists(words[1]):
            return said("modifymedium", rc=1, text="VERR_FILE_NOT_FOUND")
        elif not os.path.getsize(words[1]):
            return said("closemedium", rc=1, text="storage format", swap={"/root/machines/dev/z.vdi": words[1]})
        return Completed(0)

    def hard_disks(self, space: dict[str, Any]) -> str:
        """`list hdds --long`."""
        shown = []
        for path in dict.fromkeys(_known(space)):
            if path.endswith(".iso"):
                continue
            lines = [f"UUID:           {_uuid(path)}", f"Parent UUID:    {_uuid(_below(space, path)) or 'base'}"]
            lines += ["State:          created", f"Location:       {path}"]
            for vm in space["vms"].values():
                of = [(tag, one) for tag, one in vm.get("snapshots", {}).items() if one["disk"] == path]
                used = "".join(f" [{tag} (UUID: {one['uuid']})]" for tag, one in of)
                if used or path in vm["disks"].values():
                    lines.append(f"In use by VMs:  {vm['name']} (UUID: {vm['uuid']}){used}")
            shown.append("\n".join(lines) + "\n\n")
        return "".join(shown)

    def do_snapshot(self, space: dict[str, Any], words: list[str]) -> Completed:
        vm = found(space, words[0])
        if vm is None:
            return missing("snapshot", words[0])
        kept = vm.setdefault("snapshots", {})
        if words[1] != "take" and words[2] not in kept:
            return said("snapshot", "*", words[1], "nope", rc=1, swap={"nope": words[2]})
        act = {"take": self._take, "restore": self._restore, "delete": self._delete}[words[1]]
        return act(vm, words[2], words[-1]) or Completed(0, "", PROGRESS)

    def alive(self, vm: Vm) -> bool:
        raise NotImplementedError

    def _take(self, vm: Vm, tag: str, description: str) -> None:
        state = "saved" if self.alive(vm) else vm["state"]
        disk, own = vm["disks"]["1"], str(uuid.uuid4())
        vm["snapshots"][tag] = {"uuid": own, "state": state, "description": description, "disk": disk}
        vm["snapshots"][tag] |= {"parent": vm.get("current", ""), "set": dict(vm["set"])}
        vm["current"] = tag
        _put_on_top(vm, disk)

    def _restore(self, vm: Vm, tag: str, _: str) -> None:
        os.unlink(vm["disks"]["1"])
        vm["current"], vm["state"], vm["set"] = tag, vm["snapshots"][tag]["state"], dict(vm["snapshots"][tag]["set"])
        _put_on_top(vm, vm["snapshots"][tag]["disk"])

    def _delete(self, vm: Vm, tag: str, _: str) -> Completed | None:
        kept = vm["snapshots"]
        children, current = [one for one in kept.values() if one["parent"] == tag], vm["current"] == tag
        if len(children) + current > 1:
            swap = {"'one'": f"'{tag}'", "'dev'": f"'{vm['name']}'", "2 child": f"{len(children)} child"}
            text = "more than the one" if len(children) > 1 else "it is the current"
            return said("snapshot", "*", "delete", "one", rc=1, text=text, swap=swap)
        gone = kept.pop(tag)
        if not children and not current:
            os.unlink(gone["disk"])
            return None
        above = children[0]["disk"] if children else vm["disks"]["1"]
        shutil.move(above, gone["disk"])
        if children:
            children[0].update(disk=gone["disk"], parent=gone["parent"])
        else:
            vm["disks"]["1"], vm["current"] = gone["disk"], gone["parent"]
        vm["below"] = {
            path: gone["disk"] if under == above else under for path, under in vm["below"].items() if path != above
        }
        return None


def _put_on_top(vm: Vm, disk: str) -> None:
    """Give a machine a disk of its own over that one."""
    top = Path(vm["folder"], "Snapshots", f"{{{uuid.uuid4()}}}.vdi")
    top.parent.mkdir(exist_ok=True)
    shutil.copy(disk, top)
    vm["disks"]["1"] = str(top)
    vm.setdefault("below", {})[str(top)] = disk


def _attached(space: dict[str, Any]) -> Iterator[str]:
    for vm in space["vms"].values():
        yield from vm["disks"].values()
        yield from (one["disk"] for one in vm.get("snapshots", {}).values())


def _known(space: dict[str, Any]) -> list[str]:
    return [*_attached(space), *space["media"]]


def _below(space: dict[str, Any], path: str) -> str:
    return next((vm["below"][path] for vm in space["vms"].values() if path in vm.get("below", {})), "")


def _uuid(path: str) -> str:
    """A disk's, made from its path."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, path)) if path else ""


def _copy(source: str, target: str) -> None:
    """A copy, of the size that the target has already."""
    raw = f"{target}.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", source, raw], check=True, timeout=600)
    if os.path.exists(target):
        seen = subprocess.run(
            ["qemu-img", "info", "--output=json", target], capture_output=True, check=True, timeout=60
        )
        os.truncate(raw, json.loads(seen.stdout)["virtual-size"])
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vdi", raw, target], check=True, timeout=600)
    os.unlink(raw)


def _cannot_be_made(space: dict[str, Any], command: str, path: str) -> Completed | None:
    swap = {"/root/machines/dev/disk.part.vdi": path}
    if os.path.exists(path):
        return said(command, rc=1, text="VERR_ALREADY_EXISTS", swap=swap)
    return said("createmedium", rc=1, text="Cannot register", swap=swap) if path in _known(space) else None


def _busy(command: str, path: str) -> Completed:
    return said(command, rc=1, text="for writing by another", swap={"/root/machines/dev/disk.part.vdi": path})
