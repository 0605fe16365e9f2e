"""Debian, Ubuntu and what is like them: docker.io. From Debian 13 on the client is a package of its own."""

from __future__ import annotations

from machine.provision.distros.base import Distro

# Without apparmor's parser no container starts on a kernel with AppArmor; docker.io only recommends it.
_OPTIONAL = ("apparmor", "docker-cli", "ca-certificates")

DISTROS = (
    Distro("Debian", ("debian", "raspbian"), "apt-get", ("docker.io",), _OPTIONAL, in_get_docker_com=True),
    Distro("Ubuntu", ("ubuntu",), "apt-get", ("docker.io",), _OPTIONAL, in_get_docker_com=True),
)
