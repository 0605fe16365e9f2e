"""What is behind the fake's startvm: a qemu with VirtualBox's hardware, from the VDI and the seed that the driver made.

The host-only card is a network of qemu's own, into which ssh and the engine's port are forwarded from the machine's
address; the test has given that address to this host. Nothing else is known to it than what VBoxManage was told.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from machine.drivers.qemu.qmp import Client, QmpError

# no CMPXCHG16B: qemu 7.2 corrupts the flags around it in software
MODEL = "qemu64,-svm,-cx16,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"


def words(vm: dict[str, Any]) -> list[str]:
    """The command line of a machine of the fake's."""
    told, folder = vm["set"], vm["folder"]
    assert told["--nic1"] == "nat"
    assert told["--nic2"] == "hostonly"
    macs = [":".join(told[f"--macaddress{n}"][i : i + 2] for i in range(0, 12, 2)) for n in (1, 2)]
    ssh = dict(enumerate(vm["nat"]["ssh"].split(",")))
    address = vm["properties"]["/Machine/Address"]
    base = address.rpartition(".")[0]
    forwards = ",".join(f"hostfwd=tcp:{address}:{port}-{address}:{port}" for port in (22, 2376))
    console = told["--uartmode1"].partition(",")[2]
    line = ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=single", "-cpu", MODEL, "-display", "none"]
    line += ["-m", told["--memory"], "-smp", told["--cpus"], "-uuid", vm["uuid"], "-name", vm["name"]]
    line += ["-device", "ich9-ahci,id=sata", "-serial", f"file:{console}", "-boot", "c"]
    for port, medium in vm["disks"].items():
        iso = medium.endswith(".iso")
        line += [
            "-drive",
            f"if=none,id=d{port},file={medium},format={'raw' if iso else 'vdi'},readonly={'on' if iso else 'off'}",
        ]
        line += ["-device", f"ide-{'cd' if iso else 'hd'},bus=sata.{port},drive=d{port}"]
    line += ["-netdev", f"user,id=nat,hostfwd=tcp:{ssh[1]}:{ssh[2]}-:{ssh[4]}"]
    line += ["-device", f"e1000,netdev=nat,mac={macs[0]}"]
    line += ["-netdev", f"user,id=only,restrict=on,net={base}.0/24,host={base}.1,dhcpstart={base}.100,{forwards}"]
    line += ["-device", f"e1000,netdev=only,mac={macs[1]}"]
    line += ["-qmp", f"unix:{folder}/qmp,server=on,wait=off", "-pidfile", f"{folder}/pid", "-daemonize"]
    return line


def boot(vm: dict[str, Any]) -> None:
    """Start it."""
    done = subprocess.run(words(vm), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def cut(vm: dict[str, Any], verb: str) -> bool:
    """Pass a word of controlvm on ("": none); whether the machine is off now."""
    commands = {"acpipowerbutton": "system_powerdown", "poweroff": "quit", "reset": "system_reset"}
    try:
        if verb in commands:
            with Client(f"{vm['folder']}/qmp", 3) as client:
                client.command(commands[verb])
    except QmpError:
        pass
    deadline = time.monotonic() + (5 if verb == "poweroff" else 0)
    while running(vm) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running(vm) or verb == "reset"


def running(vm: dict[str, Any]) -> bool:
    """Whether its qemu lives."""
    try:
        with open(f"{vm['folder']}/pid") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return os.fsencode(vm["uuid"]) in file.read()
    except (OSError, ValueError):
        return False
