"""The shape of a virtual machine: what must be the same, byte for byte, in one that starts from another's memory. Pure.

It is a digest of the whole command line without what is a machine's own, of the qemu that runs it, of the processor
that it shows, of its base image, and of our own part in it. If one of them changes, another template is made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace

from machine.drivers.images import image_usage, nat, port_reporter_unit, template_unit
from machine.drivers.qemu import argv, net

FORMAT = 1  # of templates: raised when what is saved changes in a way that nothing below tells
UUID = "00000000-0000-4000-8000-000000000000"
NAT_MAC = "52:54:00:84:00:01"  # of the cards of every template
PEER = "10.84.255.255"
NOWHERE = net.NetworkAddress(address="127.0.0.1", peer=PEER, ssh_port=0, engine_port=0, swarm_port=0)


def of_template(machine: argv.Machine, directory: str, sockets: str, uuid: str) -> argv.Machine:
    """Return the virtual machine that becomes the template of `machine`: nothing is its own, and nobody reaches it."""
    return replace(
        machine,
        name="template",
        uuid=uuid,
        directory=directory,
        sockets=sockets,
        place=NOWHERE,
        lan=None,
        nat_mac=NAT_MAC,
        forwards=(),
        guarded=False,  # what is saved does not know of it
        incoming=False,
    )


def key(machine: argv.Machine, user: str, megabytes: int, disk: str) -> str:
    """Return 24 hexadecimal digits: the name of the template from which `machine` can start.

    `user` is its login, `megabytes` the size of the template's disk, `disk` the file of its base image.
    """
    boot = machine.boot and replace(
        machine.boot, kernel=os.path.basename(machine.boot.kernel), initrd=os.path.basename(machine.boot.initrd)
    )
    words = argv.build(of_template(replace(machine, boot=boot), "/", "/", UUID))
    parts = {
        "format": FORMAT,
        "words": words,
        "qemu": _identity(shutil.which(machine.program) or machine.program),
        "processor": _processor() if machine.accel != "tcg" else "",
        "host": image_usage.host_tag(),
        "disk": [*_identity(disk), megabytes],
        "user": user,
        "nat": [nat.ADDRESS, nat.GATEWAY, nat.DNS],
        "ours": [template_unit.VERSION, port_reporter_unit.VERSION],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _identity(path: str) -> Sequence[str | int]:
    """Return what is another if a file was replaced."""
    try:
        status = os.stat(path)
    except OSError:
        return (path,)
    return (os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ino)


def _processor() -> str:
    """Return the model and the flags of this computer's processor, which its machines show as theirs."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            first = file.read().partition("\n\n")[0]
    except OSError:
        return ""
    wanted = ("model name", "flags", "microcode", "Features", "CPU part")
    return "\n".join(line for line in first.splitlines() if line.startswith(wanted))
