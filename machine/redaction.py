"""The settings of engine and swarm that may be secrets: an export leaves them out, and they are not shown. Pure.

A variable for the engine may hold anything, and its name tells nothing reliable, so every value of --engine-env stays;
so does what dockerd hands on to a plugin (log drivers take access tokens as options). Of the rest stays what is called
like a secret, and addresses with an account or a query in them. The token of a classic swarm lets whoever has it add an
engine to the swarm: it stays too, unless the machine's keys go along.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from machine.model import EngineOptions, SwarmOptions

# not compiled before it is needed: it takes a while, and most machines have no options to look at
_SENSITIVE_NAME = (
    r"(?i)token|secret|passw|passphrase|credential|api_?-?key|access_?-?key|private_?-?key$|sshpass"
    r"|(?:^|[_.=-])(?:key|auth|pat|pwd|pass)(?:$|[_.=-])"
)
_ACCOUNT = r"://[^/@\s]+@|://\S*\?\S"
_PLUGIN_OPTIONS = ("log-opt", "default-network-opt", "cluster-store-opt", "storage-opt")  # by dockerd, to a plugin
_OPTION_KEY = r"[a-z-]+=[^=\s]+="  # log-opt=key=value
_IN_ADDRESS = r"://[^/@\s:]*:([^/@\s]+)@"  # the password
_DISCOVERY_SCHEME = "token://"  # the discovery of a classic swarm that is known by a secret
_FLAGS = {  # key of EngineOptions or SwarmOptions -> flag of create
    "Env": "engine-env",
    "ArbitraryFlags": "engine-opt",
    "Labels": "engine-label",
    "InsecureRegistry": "engine-insecure-registry",
    "RegistryMirror": "engine-registry-mirror",
    "StorageDriver": "engine-storage-driver",
    "InstallURL": "engine-install-url",
}
_SWARM_FLAGS = {
    "ArbitraryFlags": "swarm-opt",
    "ArbitraryJoinFlags": "swarm-join-opt",
    "Discovery": "swarm-discovery",
    "Address": "swarm-addr",
    "Host": "swarm-host",
    "Image": "swarm-image",
}


class Setting(NamedTuple):
    """One setting that stays: the flag of `create` that made it, and its name there ("" if it has none)."""

    flag: str
    name: str

    def __str__(self) -> str:
        return f"--{self.flag} {self.name}".rstrip()


class _Found(NamedTuple):
    container: dict[str, Any]
    key: str
    item: str
    setting: Setting


def withhold(raw: dict[str, Any], allowed: Collection[str] = (), *, keep_token: bool = False) -> list[Setting]:
    """Take out of the record's object `raw` what is to stay; what was taken, in the record's order.

    `allowed` are names that are sent all the same: of a variable, an option, or an option's own key. With `keep_token`
    the token of a classic swarm is sent.
    """
    withheld = []
    for found in list(_private(raw)):
        if keep_token and found.setting.flag == "swarm-discovery" and _is_only_token(found.item):
            continue
        if allowed and _names(found.setting, found.item) & set(allowed):
            continue
        value = found.container[found.key]
        found.container[found.key] = [one for one in value if one != found.item] if isinstance(value, list) else ""
        if found.setting not in withheld:
            withheld.append(found.setting)
    driver_object, swarm_object = raw.get("Driver"), raw["HostOptions"]["SwarmOptions"]
    if isinstance(driver_object, dict) and driver_object.get("SwarmDiscovery") != swarm_object.get("Discovery"):
        driver_object["SwarmDiscovery"] = ""  # the same address once more, where docker-machine's drivers kept it
    return withheld


def swarm_token(raw: dict[str, Any]) -> str:
    """The discovery of a classic swarm in the record's object `raw` if it has a token, else ""."""
    discovery = raw["HostOptions"]["SwarmOptions"].get("Discovery")
    return discovery if isinstance(discovery, str) and discovery.startswith(_DISCOVERY_SCHEME) else ""


def _is_only_token(discovery: str) -> bool:
    """Whether a discovery is private for its token only, and has no account or query."""
    return discovery.startswith(_DISCOVERY_SCHEME) and re.search(_ACCOUNT, discovery) is None


def unknown_names(raw: dict[str, Any], names: Collection[str]) -> list[str]:
    """Those of `names` that name no setting of the record that would stay."""
    there = {name for found in _private(raw) for name in _names(found.setting, found.item)}
    return [name for name in names if name not in there]


def _private(raw: dict[str, Any]) -> Iterator[_Found]:
    for options, flags in (("EngineOptions", _FLAGS), ("SwarmOptions", _SWARM_FLAGS)):
        place = raw["HostOptions"][options]
        for key, value in place.items():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str) and item:
                    flag = flags.get(key, key)
                    name = _private_name(flag, item)
                    if name is not None:
                        yield _Found(place, key, item, Setting(flag, name))


def is_secret_name(name: str) -> bool:
    """Whether something is called like a secret."""
    return re.search(_SENSITIVE_NAME, name) is not None


def _private_name(flag: str, item: str) -> str | None:
    """The name of a setting that stays, "" for one without a name of its own; None: it may go."""
    name, equals, _ = item.lstrip("-").partition("=")
    if flag == "engine-env":
        return name
    if flag == "swarm-discovery" and item.startswith(_DISCOVERY_SCHEME):
        return ""
    if flag.endswith("-opt"):
        return _private_option(item.lstrip("-"), for_plugin=flag == "engine-opt")
    named = bool(equals) and "://" not in name
    if (named and is_secret_name(name)) or re.search(_ACCOUNT, item):
        return name if named else ""
    return None


def _private_option(item: str, *, for_plugin: bool) -> str | None:
    """The name of OPTION=VALUE or OPTION=KEY=VALUE if it may be a secret: OPTION, or OPTION=KEY; None if it is not."""
    name, _, value = item.partition("=")
    key, has_key, _ = value.partition("=")
    full = f"{name}={key}" if has_key else name
    if for_plugin and (name.split() or [""])[0] in _PLUGIN_OPTIONS:
        return full
    if is_secret_name(full):
        return full
    return name if re.search(_ACCOUNT, item) else None


def masked_engine(options: EngineOptions, mask: str) -> EngineOptions:
    """Return the engine's options with `mask` for each value that may be a secret."""
    return replace(
        options,
        env=_masked("engine-env", options.env, mask),
        flags=_masked("engine-opt", options.flags, mask),
        labels=_masked("engine-label", options.labels, mask),
        registry_mirrors=_masked("engine-registry-mirror", options.registry_mirrors, mask),
        insecure_registries=_masked("engine-insecure-registry", options.insecure_registries, mask),
        install_url=_masked("engine-install-url", (options.install_url,), mask)[0],
    )


def masked_swarm(options: SwarmOptions, mask: str) -> SwarmOptions:
    """Return the options of classic swarm with `mask` for each value of a flag that may be a secret.

    The discovery is as it is: who shows it masks its token.
    """
    return replace(
        options,
        flags=_masked("swarm-opt", options.flags, mask),
        join_flags=_masked("swarm-join-opt", options.join_flags, mask),
    )


def _masked(flag: str, items: tuple[str, ...], mask: str) -> tuple[str, ...]:
    """Return the values of one flag of `create`, with `mask` for what may be a secret in them."""
    masked = []
    for item in items:
        name = _private_name(flag, item)
        if name is None:
            masked.append(item)
        else:
            masked.append(f"{name}={mask}" if name else mask)
    return tuple(masked)


def secret_values(options: EngineOptions) -> list[str]:
    """The values that are secret by their names, and passwords in addresses; for masking them wherever they occur."""
    found = []
    for item in (*options.env, *options.flags, *options.labels):
        name, _, value = item.rpartition("=") if re.match(_OPTION_KEY, item) else item.partition("=")
        if is_secret_name(name):
            found.append(value)
        found += re.findall(_IN_ADDRESS, item)
    for address in (*options.registry_mirrors, *options.insecure_registries, options.install_url):
        found += re.findall(_IN_ADDRESS, address)
    return [value for value in found if value]


def _names(setting: Setting, item: str) -> set[str]:
    """All that the setting may be called by when it is asked for."""
    if not setting.name:
        return {setting.flag}
    option, equals, inner = setting.name.partition("=")
    return {setting.name, option, inner} if equals else {setting.name, item.lstrip("-").partition("=")[0]}
