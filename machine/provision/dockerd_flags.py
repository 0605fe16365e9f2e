"""dockerd's flags and the keys of daemon.json: which mean the same, so that they must not be given both. Pure.

dockerd refuses to start when a flag and daemon.json set the same thing. It looks into every object in daemon.json as if
its keys stood outside (`proxies` for one), but for those objects that are a setting's value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# Flag -> key, where the two differ. A test holds this against what dockerd itself says of each flag.
KEYS = {
    "authorization-plugin": "authorization-plugins",
    "cdi-spec-dir": "cdi-spec-dirs",
    "cluster-store-opt": "cluster-store-opts",
    "default-address-pool": "default-address-pools",
    "default-network-opt": "default-network-opts",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "feature": "features",
    "host": "hosts",
    "host-gateway-ip": "host-gateway-ips",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
_BOTH_NAMES = ("host-gateway-ip",)  # before Docker 28.1 its key was its name, and that is still understood
_NO_KEY = ("add-runtime", "config-file", "help", "validate", "version")  # runtimes of both places are taken together
_WHOLE = (  # objects that are one value
    *("builder", "cluster-store-opts", "default-network-opts", "default-ulimits", "features", "log-opts", "runtimes"),
)

SHORT = {
    "b": "bridge", "D": "debug", "g": "graph", "G": "group", "H": "host", "l": "log-level", "p": "pidfile",
    "s": "storage-driver", "v": "version",
}  # fmt: skip
# Flags that take no word after them; --flag=false is how they are switched off.
SWITCHES = (
    *("allow-direct-routing", "cri-containerd", "debug", "disable-legacy-registry", "experimental"),
    *("help", "icc", "init", "ip-forward", "ip-forward-no-drop", "ip-masq", "ip6tables", "iptables"),
    *("ipv6", "live-restore", "no-new-privileges", "raw-logs", "rootless", "selinux-enabled", "tls"),
    *("tlsverify", "userland-proxy", "validate", "version"),
)


# Keys of daemon.json that hold a list of texts.
LISTS = frozenset(
    KEYS.get(flag, flag)
    for flag in (
        *("authorization-plugin", "cdi-spec-dir", "dns", "dns-opt", "dns-search", "exec-opt", "host"),
        *("insecure-registry", "label", "registry-mirror", "storage-opt"),
    )
)


def type_problem(settings: dict[str, Any]) -> str:
    """Why dockerd would not take daemon.json's `settings`, as far as their kinds tell; "" if they do not."""
    for key, value in settings.items():
        if key in SWITCHES and not isinstance(value, bool | None):
            return f"{key} must be true or false"
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if key in LISTS and value is not None and not texts:
            return f"{key} must be a list of texts"
    return ""


def keys_of(flag: str) -> tuple[str, ...]:
    """The keys of daemon.json that dockerd refuses beside `--flag`."""
    if flag in _NO_KEY:
        return ()
    return (KEYS.get(flag, flag), flag) if flag in _BOTH_NAMES else (KEYS.get(flag, flag),)


def remove_flags(settings: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """A copy of daemon.json's `settings` that names none of `keys`, at its top or in an object that dockerd opens."""
    removed = set(keys)
    remaining: dict[str, Any] = {}
    for key, value in settings.items():
        if key in removed:
            continue
        if isinstance(value, dict) and key not in _WHOLE and removed & value.keys():
            value = remove_flags(value, removed)  # noqa: PLW2901 (an object that is left empty goes too)
            if not value:
                continue
        remaining[key] = value
    return remaining


def all_keys(settings: dict[str, Any]) -> set[str]:
    """All keys that dockerd sees in daemon.json's `settings`."""
    found = set(settings)
    for key, value in settings.items():
        if isinstance(value, dict) and key not in _WHOLE:
            found |= set(value)
    return found
