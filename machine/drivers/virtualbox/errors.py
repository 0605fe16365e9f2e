"""How VBoxManage fails: one class per way, told from its own codes."""

from __future__ import annotations

from machine.errors import DriverError

MARK = "VBoxManage: error:"


class NotInstalled(DriverError):
    """There is no VBoxManage, or none that can be run."""


class NoAnswer(DriverError):
    """VBoxManage did not end in its time, and was ended: VirtualBox's own service hangs, or the host is overloaded."""


class NoKernelDriver(DriverError):
    """VirtualBox's part of the kernel is not loaded: no machine can be started."""


class NotRegistered(DriverError):
    """VirtualBox knows no such machine."""


class NotRunning(DriverError):
    """The machine is switched off already."""


class AlreadyThere(DriverError):
    """What was to be made is there already."""


class InUse(DriverError):
    """The disk or machine is in use by another machine or process."""


class NoDisk(DriverError):
    """The file is no disk: it may have been cut off while it was made."""


class Busy(InUse):
    """VirtualBox is copying or merging that disk, also if the VBoxManage that asked for it was ended."""


class AddressForbidden(DriverError):
    """VirtualBox may not give this host such an address."""


class FileMissing(DriverError):
    """A file that was named is not there."""


class NoRoom(DriverError):
    """The host's disk is full."""


class WrongState(DriverError):
    """Not possible in the state that the machine is in."""


class StartFailed(DriverError):
    """The machine's process ended while it started."""


class NotUnderstood(DriverError):
    """This VirtualBox does not know the command or option."""


class VBoxRefused(DriverError):
    """Any other failure."""


# (words of VBoxManage's, class, what to do); the first that is found counts
WAYS: tuple[tuple[tuple[str, ...], type[DriverError], str], ...] = (
    (("Could not find a registered machine",), NotRegistered, "machine rm NAME forgets what is left of it"),
    (("is not currently running", "is not running (currently"), NotRunning, "machine start NAME"),
    (
        ("/dev/vboxdrv", "/dev/vboxnetctl", "VERR_VM_DRIVER_NOT_INSTALLED", "rc=-1908"),
        NoKernelDriver,
        "load VirtualBox's kernel modules: sudo modprobe vboxdrv vboxnetflt vboxnetadp, or sudo /sbin/vboxconfig",
    ),
    (
        ("for writing by another task", "for reading by another task"),
        Busy,
        "wait until VirtualBox has copied that disk, then try again",
    ),
    (
        ("child snapshot",),
        WrongState,
        "remove some of those that were made of it first: machine snapshot ls NAME shows all",
    ),
    (("Could not get the storage format",), NoDisk, "machine rm NAME removes what an earlier try has left"),
    (("VERR_DISK_FULL",), NoRoom, "make room on that disk"),
    (("VERR_ALREADY_EXISTS", "already exists"), AlreadyThere, "machine rm NAME removes what an earlier try has left"),
    (("VBOX_E_OBJECT_IN_USE", "is already locked"), InUse, "close it in VirtualBox's own window first"),
    (
        ("E_ACCESSDENIED",),
        AddressForbidden,
        "allow the range: sudo mkdir -p /etc/vbox && echo '* RANGE' | sudo tee -a /etc/vbox/networks.conf, "
        "or give --virtualbox-hostonly-cidr an address inside 192.168.56.0/21",
    ),
    (("VERR_FILE_NOT_FOUND", "VERR_PATH_NOT_FOUND"), FileMissing, "check that VirtualBox is installed whole"),
    (
        ("has terminated unexpectedly during startup", "Failed to open a session", "VERR_NEM_NOT_AVAILABLE"),
        StartFailed,
        "see the end of VBox.log in the machine's directory; often the kernel modules are not loaded (sudo modprobe "
        "vboxdrv) or another hypervisor holds the processor",
    ),
    (("VBOX_E_INVALID_VM_STATE",), WrongState, "machine status NAME shows its state"),
    (("Unknown option", "Invalid command", "Unknown subcommand"), NotUnderstood, "install VirtualBox 6.1 or newer"),
)


INSTALL = (
    "install VirtualBox (https://www.virtualbox.org/wiki/Downloads), or name the program with --virtualbox-program"
)
REINSTALL = f"try again; if it stays so, {INSTALL}"
HANGS = (
    "see whether `VBoxManage list vms` answers; if it does, try again; if not, VirtualBox's service hangs: shut its"
    " machines down, end the process VBoxSVC, and try again"
)


def failure(what: str, said: str, name: str) -> DriverError:
    """The error of a call `what` (for people) that left `said` on its error output."""
    for words, kind, resolution in WAYS:
        if any(word in said for word in words):
            return kind(f"VBoxManage {what} failed", details=essence(said), resolution=resolution.replace("NAME", name))
    return VBoxRefused(
        f"VBoxManage {what} failed", details=essence(said), resolution="--debug shows the whole command line"
    )


def essence(said: str) -> str:
    """VBoxManage's complaints without progress and pages of usage."""
    lines = [line for line in said.splitlines() if line.startswith(MARK)]
    return "\n".join(line.removeprefix(MARK).strip() for line in lines) or "\n".join(said.strip().splitlines()[-6:])
