"""Facts of a machine that does not exist yet: a fresh image of a distribution with its own Docker.

A plan made from these, with OUTPUTS, renders to one script, which `create --dry-run=script` prints.
"""

from __future__ import annotations

from machine.provision.classic_swarm import LOOK_AT_SERVICES
from machine.provision.facts import Facts

# The outputs of steps on such a machine, by the steps' names: it has python3 and no service of a classic swarm.
OUTPUTS = {LOOK_AT_SERVICES.name: "python|/usr/bin/python3\n"}


def debian(version: str = "13") -> Facts:
    """Return the facts of a fresh Debian with docker.io, whose engine is started by its socket."""
    return Facts(
        os_id="debian",
        os_version=version,
        os_name=f"Debian GNU/Linux {version}",
        init="systemd",
        package_manager="apt-get",
        dockerd="/usr/sbin/dockerd",
        docker="/usr/bin/docker",
        service="inactive",
        socket="active",
        exec_start="/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS",
    )
