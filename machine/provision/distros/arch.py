"""Arch Linux and what is like it."""

from __future__ import annotations

from machine.provision.distros.base import Distro

DISTROS = (Distro("Arch Linux", ("arch", "archarm"), "pacman", ("docker",)),)
