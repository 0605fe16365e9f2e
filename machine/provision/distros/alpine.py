"""Alpine: OpenRC instead of systemd, busybox's sh, Docker in the community repository."""

from __future__ import annotations

from machine.provision.distros.base import Distro

_ADVICE = "Docker is in Alpine's community repository: uncomment that line in /etc/apk/repositories"

DISTROS = (Distro("Alpine", ("alpine",), "apk", ("docker", "docker-openrc"), ("docker-cli",), resolution=_ADVICE),)
