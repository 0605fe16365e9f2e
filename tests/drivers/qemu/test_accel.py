"""When is KVM used: only where the processor has the flag and the device opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.qemu.accel import Host, architecture, choose, detect, has_flag, program

INTEL = "processor\t: 0\nflags\t\t: fpu vme de pse tsc msr vmx est\n"
GUEST = "processor\t: 0\nflags\t\t: fpu vme de pse tsc msr hypervisor\nbugs\t\t: vmx_something\n"


@pytest.mark.parametrize(
    ("system", "virtualised", "opens", "expected"),
    [
        ("linux", True, True, "kvm"),
        ("linux", False, True, "tcg"),
        ("linux", True, False, "tcg"),
        ("linux", False, False, "tcg"),
        ("darwin", False, False, "hvf"),
        ("freebsd14", True, True, "tcg"),
    ],
)
def test_choice(system: str, virtualised: bool, opens: bool, expected: str) -> None:
    assert choose(Host(system, "amd64", virtualised, opens)) == expected


def test_the_flag_is_a_word_on_a_flags_line() -> None:
    assert has_flag(INTEL)
    assert has_flag(INTEL.replace("vmx", "svm"))
    assert not has_flag(GUEST)
    assert not has_flag(INTEL.replace("vmx", "avmx"))
    assert not has_flag("")


def test_a_device_that_cannot_be_opened(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(INTEL)
    device = tmp_path / "kvm"
    assert not detect(str(device), str(cpuinfo)).kvm_opens
    device.write_bytes(b"")
    assert detect(str(device), str(cpuinfo)).kvm_opens


def test_names_of_processors() -> None:
    assert architecture("x86_64") == "amd64"
    assert architecture("aarch64") == architecture("arm64") == "arm64"
    assert program("arm64") == "qemu-system-aarch64"
    assert program("amd64") == "qemu-system-x86_64"
