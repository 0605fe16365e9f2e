"""The qemu command line, as a pure function of what a machine shall be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from machine.drivers.images.cache import Boot
from machine.drivers.qemu import guard, net, paths
from machine.drivers.qemu.qmp import NAT
from machine.hostport import ENGINE_PORT, MANAGER_PORT

SERIAL_PORT = "machine.ports"  # over which the machine tells which of its ports are open
# In software: what containers built for x86-64-v2 need, no more. Wider vectors cost time there, and the emulation of
# newer instructions in qemu 7.2 is not dependable.
TCG_CPU_MODEL = "qemu64,-svm,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"


@dataclass(frozen=True, slots=True)
class Machine:
    """All that a command line needs. Paths are absolute; memory in MB; `forwards` are (host port, guest port)."""

    program: str
    name: str
    uuid: str
    arch: str  # amd64 or arm64
    accel: str  # kvm, hvf or tcg
    cpus: int
    memory: int
    directory: str
    sockets: str
    place: net.NetworkAddress
    lan: net.Lan | None  # None: its card there is not connected
    nat_mac: str
    forwards: Sequence[tuple[int, int]]
    boot: Boot | None  # None: the disk's own boot loader
    firmware: str = ""
    unrandomized: bool = False  # its port reporter switches the randomization of addresses on after the boot
    board: str = ""  # the versioned name of the hardware around the processor; "": qemu's newest
    machine_id: str = ""  # of a clone, whose disk has another's: systemd.machine_id= of kernel-command-line(7)
    snapshot: str = ""  # of its disk, with whose memory it goes on, instead of a boot
    guarded: bool = False  # what it sends passes through the forwarder, which keeps it from this host's loopback
    incoming: bool = False  # it does not boot: QMP tells from where it is restored


def build(machine: Machine) -> list[str]:
    """The whole argument list, the program first. qemu goes to the background by itself once the machine runs."""
    return [
        machine.program,
        *("-name", f"guest={_escape(machine.name)}"),
        *("-uuid", machine.uuid),
        *("-pidfile", f"{machine.directory}/{paths.PID}"),
        *("-daemonize", "-nodefaults", "-no-user-config", "-display", "none"),
        *_processor(machine),
        *_disks(machine),
        *_console(machine),
        *_network(machine),
        *("-device", "virtio-rng-pci"),
        *("-rtc", "base=utc"),
        *_identity(machine),
        *_kernel(machine),
        *(("-incoming", "defer") if machine.incoming else ()),
        *(("-loadvm", machine.snapshot) if machine.snapshot else ()),
        *(("-S",) if machine.incoming else ()),
    ]


def forwards(place: net.NetworkAddress, publish: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(host port, guest port) of everything that is open as long as the machine runs."""
    fixed = [(place.ssh_port, 22), (place.engine_port, ENGINE_PORT), (place.swarm_port, MANAGER_PORT)]
    return fixed + [pair for pair in publish if pair not in fixed]


def _processor(machine: Machine) -> list[str]:
    # One thread for all software processors: with one each, a kernel that patches its own code on one of them was seen
    # to run the half-patched text on another ("Oops: int3"), and the machine's network was dead. It costs little.
    accel = "tcg,thread=single,tb-size=512" if machine.accel == "tcg" else machine.accel
    kind = "virt" if machine.arch == "arm64" else "pc"
    board = machine.board or kind
    return [
        *("-machine", f"{board},usb=off" if kind == "pc" else board),
        *("-accel", accel),
        *("-cpu", _model(machine)),
        *("-smp", str(machine.cpus)),
        *("-m", f"{machine.memory}M"),
        *(("-bios", machine.firmware) if machine.firmware else ()),
    ]


def _model(machine: Machine) -> str:
    """The processor shown to the machine.

    qemu 7.2's software processor corrupts the flags around CMPXCHG16B now and then, which panics Linux from 6.5 on.
    A kernel that we boot is told not to use it (see _kernel); one with a boot loader of its own does not see it.
    """
    if machine.accel != "tcg":
        return "host"
    if machine.arch == "arm64":
        return "max,pauth-impdef=on"
    return TCG_CPU_MODEL if machine.boot else f"{TCG_CPU_MODEL},-cx16"


def _disks(machine: Machine) -> list[str]:
    """The disk as NVMe where we load the kernel (Debian's has that driver built in, so no initrd is needed)."""
    disk = f"{machine.directory}/{paths.DISK}"
    card = "nvme,serial=machine" if machine.boot and "nvme" in machine.boot.root else "virtio-blk-pci"
    seed = f"{machine.directory}/{paths.SEED}"
    return [
        "-drive",
        f"if=none,id=disk,format=qcow2,file={_escape(disk)},cache=writeback,discard=unmap,detect-zeroes=unmap",
        *("-device", f"{card},drive=disk"),
        *("-drive", f"if=none,id=seed,format=raw,readonly=on,file={_escape(seed)}"),
        *("-device", "virtio-blk-pci,drive=seed"),
    ]


def _console(machine: Machine) -> list[str]:
    """Boot messages into a file; QMP for the driver and for the forwarder; the machine's word on its open ports."""
    log = f"{machine.directory}/{paths.CONSOLE}"

    def server(ident: str, name: str) -> tuple[str, str]:
        return "-chardev", f"socket,id={ident},path={_escape(f'{machine.sockets}/{name}')},server=on,wait=off"

    return [
        # append: what the forwarder cuts off is not there any more, instead of becoming a hole
        *("-chardev", f"file,id=console,path={_escape(log)},append=on", "-serial", "chardev:console"),
        *server("qmp", paths.QMP),
        *("-mon", "chardev=qmp,mode=control"),
        *server("qmp-forward", paths.QMP_FORWARD),
        *("-mon", "chardev=qmp-forward,mode=control"),
        *("-device", "virtio-serial-pci"),
        *server("guest", paths.GUEST),
        *("-device", f"virtserialport,chardev=guest,name={SERIAL_PORT}"),
    ]


def _network(machine: Machine) -> list[str]:
    """Card one: NAT to the world, forwards from here. Card two: the network of all machines of the store."""
    rules = "".join(f",hostfwd=tcp:{machine.place.address}:{host}-:{guest}" for host, guest in machine.forwards)
    nat = f"user,id={NAT},ipv6=off{rules}"
    lan = "hubport,id=lan,hubid=0"
    if machine.lan:
        lan = f"socket,id=lan,mcast={machine.lan.group}:{machine.lan.port},localaddr=127.0.0.1"
    return [
        *("-netdev", nat),
        *("-device", f"virtio-net-pci,netdev={NAT},mac={machine.nat_mac},romfile="),
        *guard_words(machine),
        *("-netdev", lan),
        *("-device", f"virtio-net-pci,netdev=lan,mac={net.lan_mac(machine.place.peer)},romfile="),
    ]


def guard_words(machine: Machine) -> list[str]:
    """Two filters before the NAT: one gives all that the machine sends away, the next takes back what may go on.

    https://www.qemu.org/docs/master/system/qemu-manpage.html, filter-redirector. While nobody is connected it is lost.
    """
    if not machine.guarded:
        return []
    # what the machine sends goes through the filters in the reverse order: first away, and on from where it comes back
    ends = (("in", "indev", paths.GUARD_IN), ("out", "outdev", paths.GUARD_OUT))
    words = []
    for name, key, socket in ends:
        path = _escape(f"{machine.sockets}/{socket}")
        words += ["-chardev", f"socket,id={guard.OBJECTS}-{name},path={path},server=on,wait=off"]
        words += [
            "-object",
            f"filter-redirector,id={guard.OBJECTS}{name},netdev={NAT},queue=rx,{key}={guard.OBJECTS}-{name}",
        ]
    return words


def _identity(machine: Machine) -> list[str]:
    """The device by which a machine's kernel learns that it was restored from a copy, and makes its random numbers new.

    https://www.qemu.org/docs/master/specs/vmgenid.html; qemu has it on PCs.
    """
    return ["-device", "vmgenid,guid=auto"] if machine.arch == "amd64" else []


def _kernel(machine: Machine) -> list[str]:
    """The kernel and its command line, when the boot is ours."""
    if machine.boot is None:
        return []
    console = "ttyAMA0" if machine.arch == "arm64" else "ttyS0"
    words = [f"root={machine.boot.root}", "rw", "rootfstype=ext4", f"console={console}", "TERM=dumb"]
    words += ["quiet", "oops=panic", "panic=10", "ds=nocloud", "systemd.show_status=0", "systemd.ssh_auto=no"]
    if machine.machine_id:
        words += [f"systemd.machine_id={machine.machine_id}"]
    if machine.accel == "tcg":
        words += ["mitigations=off"]  # a processor made of software does not speculate: the guards only cost time
        # It translates code by its address, and a program that is loaded to another one at each start anew at each.
        words += ["norandmaps"] if machine.unrandomized else []
        if machine.arch == "amd64":
            words += ["clearcpuid=141"]  # CMPXCHG16B, see _model
    initrd = ["-initrd", machine.boot.initrd] if machine.boot.initrd else []
    return ["-kernel", machine.boot.kernel, *initrd, "-append", " ".join(words)]


def _escape(value: str) -> str:
    """A comma in an option's value is written twice (qemu's option syntax)."""
    return value.replace(",", ",,")
