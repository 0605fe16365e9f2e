"""What one distribution has to say for itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distro:
    """How Docker comes to a distribution. Package managers are in packages.py, under `package_manager`."""

    title: str  # for people
    ids: tuple[str, ...]  # os-release ID (and what others have in ID_LIKE)
    package_manager: str = ""  # "" = nothing can be installed
    packages: tuple[str, ...] = ()  # what --engine-install-url distro installs
    optional: tuple[str, ...] = ()  # installed too, where they exist
    repository: str = ""  # a .repo file to add first, where the distribution has no Docker of its own
    in_get_docker_com: bool = False  # the script of get.docker.com knows it; if not, the default URL means `distro`
    resolution: str = ""  # what to do if its packages cannot be installed
