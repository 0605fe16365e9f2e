"""Which distributions are known, and how each gets Docker. CONTRIBUTING.md has the steps to add one.

A machine is matched by its os-release ID first, then by each word of ID_LIKE in order; TABLE's order never matters.
"""

from __future__ import annotations

from machine.errors import ProvisionError
from machine.provision.distros import alpine, arch, boot2docker, debian, flatcar, redhat, suse
from machine.provision.distros.base import Distro
from machine.provision.facts import Facts

TABLE: tuple[Distro, ...] = (
    *debian.DISTROS,
    *redhat.DISTROS,
    *suse.DISTROS,
    *arch.DISTROS,
    *alpine.DISTROS,
    *flatcar.DISTROS,
    *boot2docker.DISTROS,
)


def find(facts: Facts) -> Distro | None:
    """The entry for a machine, None for a distribution that is not known."""
    for name in (facts.os_id, *facts.os_like):
        for distro in TABLE:
            if name in distro.ids:
                return distro
    return None


def find_or_refuse(facts: Facts) -> Distro | None:
    """Return the entry for a machine, as `find` does.

    Raises ProvisionError for an unknown one without Docker and systemd.
    """
    distro = find(facts)
    if distro is None and not (facts.dockerd and facts.init == "systemd"):
        known = ", ".join(distro.title for distro in TABLE)
        raise ProvisionError(
            f"machine does not know how to install Docker on {facts.distro}",
            details=f"ID={facts.os_id or '(none)'} ID_LIKE={' '.join(facts.os_like) or '(none)'}\nknown: {known}",
            resolution="install Docker there by hand (any system with systemd and dockerd will do),"
            " then: machine provision NAME",
        )
    return distro
