"""The RHEL family. Most of it ships podman only, so Docker comes from Docker's own repository there."""

from __future__ import annotations

from machine.provision.distros.base import Distro

_CE = ("docker-ce", "docker-ce-cli", "containerd.io")
_RHEL = "https://download.docker.com/linux/rhel/docker-ce.repo"
_CENTOS = "https://download.docker.com/linux/centos/docker-ce.repo"

DISTROS = (
    Distro("Fedora", ("fedora",), "dnf", ("moby-engine",), ("docker-cli",), in_get_docker_com=True),
    Distro("RHEL", ("rhel",), "dnf", _CE, repository=_RHEL, in_get_docker_com=True),
    Distro("CentOS Stream", ("centos",), "dnf", _CE, repository=_CENTOS, in_get_docker_com=True),
    Distro("Rocky Linux", ("rocky",), "dnf", _CE, repository=_CENTOS),
    Distro("AlmaLinux", ("almalinux",), "dnf", _CE, repository=_CENTOS),
    Distro("Oracle Linux", ("ol",), "dnf", _CE, repository=_CENTOS),
    Distro("Amazon Linux 2023", ("amzn",), "dnf", ("docker",)),
)
