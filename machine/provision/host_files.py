"""The files on a host that provisioning writes, watches or keeps for a while, by their paths there."""

from __future__ import annotations

from machine import paths

DROP_IN = "/etc/systemd/system/docker.service.d/10-machine.conf"  # docker-machine's name: each replaces the other's
CLOSE_ENGINE_PORT = (
    f"rm {DROP_IN}; systemctl daemon-reload; systemctl restart docker"  # as docs/provisioning.md explains it
)
DAEMON_JSON = "/etc/docker/daemon.json"
CONF_D = "/etc/conf.d/docker"
BOOT2DOCKER = "/var/lib/boot2docker"
CERTIFICATES = "/etc/docker"
MANAGED = (
    DAEMON_JSON,
    DROP_IN,
    CONF_D,
    f"{BOOT2DOCKER}/profile",
    *(
        f"{place}/{name}"
        for place in (CERTIFICATES, BOOT2DOCKER)
        for name in (paths.CA, paths.SERVER_CERT, paths.SERVER_KEY)
    ),
)
SWARM_PROGRAM = "/usr/local/lib/machine/machine-swarm.pyz"
SWARM_ENVIRONMENT = "/etc/machine-swarm.env"
SWARM_KEY = "/var/lib/machine-swarm/swarm.key"
SWARM_UNITS = {name: f"/etc/systemd/system/machine-swarm-{name}.service" for name in ("manager", "agent")}
SWARM_FILES = (SWARM_PROGRAM, SWARM_ENVIRONMENT, SWARM_KEY)
APT_PROXIES = "/etc/apt/apt.conf.d/90machine-proxies"
DNF_PROXIES = "/etc/dnf/machine-proxies"  # what is in the block in dnf.conf or yum.conf
# The last ones are not the engine's.
WATCHED = (*MANAGED, *SWARM_FILES, *SWARM_UNITS.values(), APT_PROXIES, DNF_PROXIES)
KEPT_SUFFIX = ".machine-old"  # the configuration before ours, kept while the engine restarts
LIVE_RESTORE_SUFFIX = (
    ".machine-live"  # the same daemon.json with live-restore on, to fall back on without losing containers
)
NO_LIVE_RESTORE_SUFFIX = ".machine-no-live"  # and with it off: a reload changes only what the file names
TRANSACTION = "/run/machine-provision"  # what is needed to take back the changes that are being made (rollback.py)
