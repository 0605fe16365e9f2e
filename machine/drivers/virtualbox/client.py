"""VBoxManage, one function per call. Its complaints become the classes of errors.py; see `VBoxManage help`.

The spelling of the options is the old one, which every VirtualBox since 5 takes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence

from machine.drivers.virtualbox import errors, parse
from machine.drivers.virtualbox.errors import MARK, failure
from machine.errors import CommandFailed, CommandTimeout, DriverError
from machine.process import Completed

SECONDS = 120.0  # for a call that moves no disk
DISK_SECONDS = 1800.0
CONTROLLER = "SATA"
DVD, DISK = 0, 1  # ports of the controller
PROGRAM = "VBoxManage"
PLACES = {
    "win32": (r"C:\Program Files\Oracle\VirtualBox", r"C:\Program Files (x86)\Oracle\VirtualBox"),
    "darwin": ("/Applications/VirtualBox.app/Contents/MacOS", "/usr/local/bin"),
}


def program(wanted: str, install_path: str, platform: str = sys.platform) -> str:
    """The path of VBoxManage: as wanted, where an installer said, on the PATH, or where it usually is; or ""."""
    file = PROGRAM + (".exe" if platform == "win32" else "")
    if wanted:
        return shutil.which(wanted) or ""
    candidates = [os.path.join(place, file) for place in (install_path, *PLACES.get(platform, ())) if place]
    if install_path and os.path.exists(candidates[0]):
        return candidates[0]
    return shutil.which(file) or next((path for path in candidates if os.path.exists(path)), "")


class VBox:
    """The program at `path`. `name` is the machine's, for advice."""

    def __init__(self, path: str, name: str, run: Callable[..., Completed]) -> None:
        self._path, self._name, self._run = path, name, run

    def call(self, *words: str, seconds: float = SECONDS) -> Completed:
        """Run it with those words; what it says of an error counts, also when it ends with 0."""
        if not self._path:
            raise errors.NotInstalled("VBoxManage is not installed", resolution=errors.INSTALL)
        try:
            done = self._run([self._path, *words], timeout=seconds, check=False)
        except CommandTimeout as error:
            raise errors.NoAnswer(
                f"VBoxManage {' '.join(words[:2])} does not answer",
                details=f"{error.brief}\n{error.details}",
                resolution=errors.HANGS,
            ) from error
        except CommandFailed as error:
            raise errors.NotInstalled(error.brief, details=error.details, resolution=errors.REINSTALL) from error
        out, err = (text.replace("\r\n", "\n") for text in (done.stdout, done.stderr))  # Windows
        if done.status or MARK in err:
            raise failure(" ".join(words[:2]), err or out, self._name)
        return Completed(done.status, out, err)

    def version(self) -> str:
        """All that `--version` prints, a wrapper's warning included."""
        return self.call("--version").stdout

    def machines(self) -> dict[str, str]:
        """UUID -> name of every machine."""
        return parse.vms(self.call("list", "vms").stdout)

    def host(self) -> dict[str, str]:
        """Facts about this host."""
        return (parse.blocks(self.call("list", "hostinfo").stdout.replace("\n\n", "\n")) or [{}])[0]

    def info(self, vm: str) -> dict[str, str] | None:
        """All fields of a machine, None when VirtualBox does not know it."""
        try:
            return parse.fields(self.call("showvminfo", vm, "--machinereadable").stdout)
        except errors.NotRegistered:
            return None

    def create(self, name: str, uuid: str, folder: str, arm: bool) -> None:
        words = ["createvm", "--basefolder", folder, "--name", name, "--uuid", uuid, "--register"]
        self.call(*words, *(("--platform-architecture", "arm") if arm else ()))

    def modify(self, vm: str, *words: str) -> str:
        """Change settings; what it warns of."""
        return self.call("modifyvm", vm, *words).stderr.strip()

    def add_controller(self, vm: str) -> None:
        try:
            self.call("storagectl", vm, "--name", CONTROLLER, "--add", "sata", "--hostiocache", "on")
        except errors.AlreadyThere:
            return

    def attach(self, vm: str, port: int, kind: str, medium: str) -> None:
        where = ("--storagectl", CONTROLLER, "--port", str(port), "--device", "0")
        self.call("storageattach", vm, *where, "--type", kind, "--medium", medium)

    def convert_raw(self, source: str, target: str, kind: str) -> None:
        self.call("convertfromraw", source, target, "--format", kind, seconds=DISK_SECONDS)

    def clone(self, source: str, target: str, kind: str) -> None:
        """Copy a disk of any format; neither stays in VirtualBox's list of disks."""
        self.call("clonemedium", "disk", source, target, "--format", kind, seconds=DISK_SECONDS)
        for medium in (target, source):
            self.forget(medium)

    def make_disk(self, path: str, size: int) -> None:
        """Make an empty VDI of `size` bytes, which VirtualBox lists from now on."""
        self.call("createmedium", "disk", "--filename", path, "--sizebyte", str(size), "--format", "VDI")

    def copy_onto(self, medium: str, target: str) -> None:
        """Copy a disk, with all that it stands on, onto one that is there; what does not fit is left out."""
        self.call("clonemedium", "disk", medium, target, "--existing", seconds=DISK_SECONDS)

    def hard_disks(self) -> dict[str, parse.HardDisk]:
        """UUID -> disk, of every disk that VirtualBox lists."""
        return parse.hard_disks(self.call("list", "hdds", "--long").stdout)

    def capacity(self, disk: str) -> int:
        """MB of a disk as the machine sees it."""
        found = parse.megabytes(self.call("showmediuminfo", "disk", disk).stdout)
        if found < 0:
            raise DriverError(
                f"VBoxManage does not tell the size of {disk}", resolution=f"VBoxManage showmediuminfo disk {disk}"
            )
        return found

    def resize(self, disk: str, megabytes: int) -> None:
        """Grow a disk; the size is given in bytes, since --resize takes a thousandfold growth for a mistake."""
        self.call("modifymedium", "disk", disk, "--resizebyte", str(megabytes << 20), seconds=DISK_SECONDS)

    def forget(self, disk: str) -> None:
        """Take a disk off VirtualBox's list; that it is not there, no disk, or another machine's, is fine.

        Raises Busy while VirtualBox copies it.
        """
        try:
            self.call("closemedium", "disk", disk)
        except errors.Busy:
            raise
        except (errors.FileMissing, errors.InUse, errors.NoDisk, errors.NotRegistered):
            return

    def share(self, vm: str, name: str, directory: str) -> None:
        with contextlib.suppress(errors.AlreadyThere):
            self.call("sharedfolder", "add", vm, "--name", name, "--hostpath", directory, "--automount")
        self.call("setextradata", vm, f"VBoxInternal2/SharedFoldersEnableSymlinksCreate/{name}", "1")

    def set_property(self, vm: str, name: str, value: str) -> None:
        self.call("guestproperty", "set", vm, name, value)

    def get_property(self, vm: str, name: str) -> str:
        """ "" when it is not set, or the machine is gone."""
        try:
            return parse.property_value(self.call("guestproperty", "get", vm, name).stdout)
        except errors.NotRegistered:
            return ""

    def start(self, vm: str, interface: str) -> None:
        self.call("startvm", vm, "--type", interface)

    def control(self, vm: str, word: str) -> None:
        """pause, resume, reset, savestate, poweroff, acpipowerbutton. Nothing to do with a machine that is off."""
        try:
            self.call("controlvm", vm, word, seconds=DISK_SECONDS if word == "savestate" else SECONDS)
        except errors.NotRunning:
            return

    def discard(self, vm: str) -> None:
        """Forget what a machine was doing when it was saved."""
        with contextlib.suppress(errors.WrongState):
            self.call("discardstate", vm)

    def take_snapshot(self, vm: str, tag: str, description: str) -> None:
        """Keep the state of a machine, with its memory if it runs."""
        self.call("snapshot", vm, "take", tag, "--description", description, seconds=DISK_SECONDS)

    def restore_snapshot(self, vm: str, tag: str) -> None:
        """Bring a machine that is off to what it was."""
        self.call("snapshot", vm, "restore", tag, seconds=DISK_SECONDS)

    def delete_snapshot(self, vm: str, tag: str) -> None:
        """Remove a snapshot; what of its disk is needed goes into the next one's."""
        self.call("snapshot", vm, "delete", tag, seconds=DISK_SECONDS)

    def unregister(self, vm: str) -> None:
        """Remove a machine with the disks attached to it; gone already is fine."""
        try:
            self.call("unregistervm", vm, "--delete")
        except errors.NotRegistered:
            return

    def interfaces(self) -> list[dict[str, str]]:
        return parse.blocks(self.call("list", "hostonlyifs").stdout)

    def make_interface(self) -> str:
        """The name of a new host-only interface."""
        return parse.made_interface(self.call("hostonlyif", "create").stdout)

    def remove_interface(self, name: str) -> None:
        self.call("hostonlyif", "remove", name)

    def address_interface(self, name: str, address: str, mask: str) -> None:
        self.call("hostonlyif", "ipconfig", name, "--ip", address, "--netmask", mask)

    def networks(self) -> list[dict[str, str]]:
        """The host-only networks of macOS."""
        return parse.networks(self.call("list", "hostonlynets").stdout)

    def make_network(self, name: str, mask: str, lower: str, upper: str) -> None:
        span = ("--netmask", mask, "--lower-ip", lower, "--upper-ip", upper)
        self.call("hostonlynet", "add", "--name", name, *span, "--enable")

    def enable_network(self, name: str) -> None:
        self.call("hostonlynet", "modify", "--name", name, "--enable")

    def dhcp_servers(self) -> list[dict[str, str]]:
        return parse.blocks(self.call("list", "dhcpservers").stdout)

    def serve_dhcp(self, verb: str, network: str, wanted: Sequence[str]) -> None:
        """`verb` is add or modify; `wanted` are server, mask, lowest and highest address."""
        server, mask, lower, upper = wanted
        span = ("--ip", server, "--netmask", mask, "--lowerip", lower, "--upperip", upper)
        self.call("dhcpserver", verb, "--netname", network, *span, "--enable")

    def lease(self, interface: str, mac: str) -> str:
        """The address that the DHCP server has given to a card (its MAC with or without colons), "" while none."""
        words = ("dhcpserver", "findlease", f"--interface={interface}", f"--mac-address={mac}")
        try:
            return parse.lease(self.call(*words).stdout)
        except (errors.NoAnswer, errors.NotInstalled):
            raise
        except DriverError:  # no leases at all, none of this card, no server, no interface
            return ""
