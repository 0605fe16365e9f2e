"""Flatcar Container Linux (and CoreOS before it): Docker is part of the read-only system, nothing is installed."""

from __future__ import annotations

from machine.provision.distros.base import Distro

_ADVICE = "Docker is part of this system: update the system, or enable its docker extension"

DISTROS = (Distro("Flatcar", ("flatcar", "coreos"), resolution=_ADVICE),)
