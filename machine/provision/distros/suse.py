"""openSUSE Leap, Tumbleweed and SLES: the distribution's own package."""

from __future__ import annotations

from machine.provision.distros.base import Distro

_ADVICE = "on SLES, first: SUSEConnect -p sle-module-containers/VERSION/ARCH"

DISTROS = (
    Distro("openSUSE", ("opensuse-leap", "opensuse-tumbleweed", "opensuse"), "zypper", ("docker",)),
    Distro("SLES", ("sles", "sled", "sles_sap", "suse"), "zypper", ("docker",), resolution=_ADVICE),
)
