"""boot2docker: a RAM disk with Docker; only /var/lib/boot2docker survives a reboot."""

from __future__ import annotations

from machine.provision.distros.base import Distro

_ADVICE = "Docker is part of this image: boot a newer one"

DISTROS = (Distro("boot2docker", ("boot2docker",), resolution=_ADVICE),)
