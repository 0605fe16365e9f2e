"""Hardware acceleration only where it really works; else software (TCG), which always does."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass

KVM = "/dev/kvm"


@dataclass(frozen=True, slots=True)
class Host:
    """What the choice depends on. `arch` is amd64 or arm64; `virtualised` whether the processor can run guests."""

    system: str  # sys.platform
    arch: str
    virtualised: bool
    kvm_opens: bool


def detect(device: str = KVM, cpuinfo: str = "/proc/cpuinfo") -> Host:
    """This host. There are hosts where /dev/kvm opens and a guest then hangs: the processor's flag tells them apart."""
    arch = architecture(platform.machine())
    return Host(sys.platform, arch, arch == "arm64" or has_flag(_read(cpuinfo)), _opens(device))


def has_flag(cpuinfo: str) -> bool:
    """Whether the text of /proc/cpuinfo names Intel's or AMD's virtualisation on a `flags` line."""
    return any(re.search(r"\b(vmx|svm)\b", line) for line in cpuinfo.splitlines() if line.startswith("flags"))


def choose(host: Host) -> str:
    """kvm, hvf or tcg."""
    if host.system == "darwin":
        return "hvf"
    return "kvm" if host.system.startswith("linux") and host.virtualised and host.kvm_opens else "tcg"


def architecture(machine: str) -> str:
    """Debian's name of a processor, from `uname -m`; the word itself where Debian's is the same."""
    return {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def program(arch: str) -> str:
    """The qemu binary for guests like the host."""
    return {"arm64": "qemu-system-aarch64"}.get(arch, "qemu-system-x86_64")


def _opens(device: str) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
