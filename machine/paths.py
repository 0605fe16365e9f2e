"""Every file name under the store, spelled once. Strings, not pathlib: that costs 5 ms on the fast commands.

STORE/                        --storage-path, $MACHINE_STORAGE_PATH, default ~/.docker/machine
    certs/                    ca.pem ca-key.pem cert.pem key.pem, and the lock of their making
    cache/                    images of drivers
    locks/                    NAME.lock per machine and per shared thing; never deleted while held
    swarm/                    registry.db, and key and certificate of managers of classic swarms on this computer
    machines/NAME/            config.json, certificates, keys, a driver's own files, logs
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = "config.json"
CA, CA_KEY = "ca.pem", "ca-key.pem"
CERT, KEY = "cert.pem", "key.pem"
SERVER_CERT, SERVER_KEY = "server.pem", "server-key.pem"
# The files of the CA and the client pair that --tls-* may replace, under the keys of Session.tls.
AUTHORITY = {"ca_cert": CA, "ca_key": CA_KEY, "client_cert": CERT, "client_key": KEY}
SSH_KEY, OLD_SSH_KEY = "id_ed25519", "id_rsa"
HOST_KEY = "ssh_host_ed25519_key"  # the machine's own, made beforehand; the public half has .pub
KNOWN_HOSTS = "known_hosts"
SECRETS = "secrets.json"
SWARM_KEY = "swarm.key"  # of a classic swarm, with each of its masters
SWARM_REGISTRY = "registry.db"  # which engines are registered under which token of a classic swarm
FORWARDER_LOCK = "helper.lock"  # of the forwarder of qemu; see machine.background
FORWARDED_PORTS = "ports.json"  # machine.forwarded_ports
FORWARDS, FORWARDS_LOG = "forwards.json", "forwards.log"  # machine forward
LOG = "machine.log"  # everything every command did to this machine, newest last


def default_store(environ: os._Environ[str] | dict[str, str] = os.environ) -> str:
    """The store when no --storage-path is given."""
    home = environ.get("USERPROFILE") if os.name == "nt" else environ.get("HOME")
    return environ.get("MACHINE_STORAGE_PATH") or os.path.join(home or os.path.expanduser("~"), ".docker", "machine")


def machines(store_root: str) -> str:
    return os.path.join(store_root, "machines")


def machine(store_root: str, name: str, *parts: str) -> str:
    """A machine's directory, or a file in it."""
    return os.path.join(store_root, "machines", name, *parts)


def certs(store_root: str, *parts: str) -> str:
    return os.path.join(store_root, "certs", *parts)


def authority(store_root: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the paths of the CA and the client pair by the keys of AUTHORITY: the given ones, else those in certs/."""
    return {key: given.get(key) or certs(store_root, file) for key, file in AUTHORITY.items()}


def cache(store_root: str, *parts: str) -> str:
    return os.path.join(store_root, "cache", *parts)


def swarm(store_root: str, *parts: str) -> str:
    """Return the directory of the managers of classic swarms on this computer, or a file in it."""
    return os.path.join(store_root, "swarm", *parts)


def lock(store_root: str, name: str) -> str:
    """The lock file of one machine ("machine-NAME") or one shared thing ("certs", "qemu")."""
    return os.path.join(store_root, "locks", name + ".lock")
