"""The sensitive settings of engine and swarm, which may be secrets: not exported, and masked where shown. Pure.

A variable for the engine may hold anything, and its name tells nothing reliable, so every value of --engine-env is
sensitive; so is what dockerd passes to a plugin (log drivers take access tokens as options). Of the rest, what is
called like a secret is sensitive, and addresses with an account or a query in them. The token of a classic swarm lets
whoever has it add an engine to the swarm: it is sensitive too, and exported with the machine's keys only.
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
_CREDENTIALS_IN_URL = r"://[^/@\s]+@|://\S*\?\S"
_PLUGIN_OPTIONS = ("log-opt", "default-network-opt", "cluster-store-opt", "storage-opt")  # of dockerd, for plugins
_KEYED_OPTION = r"[a-z-]+=[^=\s]+="  # log-opt=key=value
_USERINFO_IN_URL = r"://[^/@\s:]*:([^/@\s]+)@"  # its group is the password
_DISCOVERY_SCHEME = "token://"  # of a classic swarm's discovery whose token is a secret
_ENGINE_FLAGS = {  # key of EngineOptions -> flag of create
    "Env": "engine-env",
    "ArbitraryFlags": "engine-opt",
    "Labels": "engine-label",
    "InsecureRegistry": "engine-insecure-registry",
    "RegistryMirror": "engine-registry-mirror",
    "StorageDriver": "engine-storage-driver",
    "InstallURL": "engine-install-url",
}
_SWARM_FLAGS = {  # key of SwarmOptions -> flag of create
    "ArbitraryFlags": "swarm-opt",
    "ArbitraryJoinFlags": "swarm-join-opt",
    "Discovery": "swarm-discovery",
    "Address": "swarm-addr",
    "Host": "swarm-host",
    "Image": "swarm-image",
}


class SensitiveSetting(NamedTuple):
    """A setting that may be a secret: the flag of `create` that made it, and its name there ("" if it has none)."""

    flag: str
    name: str

    def __str__(self) -> str:
        return f"--{self.flag} {self.name}".rstrip()


class _SensitiveValue(NamedTuple):
    """One text in EngineOptions or SwarmOptions that may be a secret."""

    options: dict[str, Any]  # the JSON object that has it
    key: str  # the key in it: of the text, or of the list with the text in it
    text: str
    setting: SensitiveSetting


def withhold(raw: dict[str, Any], allowed: Collection[str] = (), *, keep_token: bool = False) -> list[SensitiveSetting]:
    """Remove the sensitive settings from the record's object `raw`; return those removed, in the record's order.

    `allowed` names settings that are kept all the same: a variable, an option, or an option's own key. With
    `keep_token` the token of a classic swarm is kept.
    """
    withheld = []
    for found in list(_sensitive_values(raw)):
        if keep_token and found.setting.flag == "swarm-discovery" and _is_only_token(found.text):
            continue
        if allowed and _accepted_names(found.setting, found.text) & set(allowed):
            continue
        value = found.options[found.key]
        found.options[found.key] = [one for one in value if one != found.text] if isinstance(value, list) else ""
        if found.setting not in withheld:
            withheld.append(found.setting)
    driver_object, swarm_object = raw.get("Driver"), raw["HostOptions"]["SwarmOptions"]
    if isinstance(driver_object, dict) and driver_object.get("SwarmDiscovery") != swarm_object.get("Discovery"):
        driver_object["SwarmDiscovery"] = ""  # the same address once more, where docker-machine's drivers kept it
    return withheld


def discovery_with_token(raw: dict[str, Any]) -> str:
    """Return the discovery of a classic swarm in the record's object `raw` if it has a token, else ""."""
    discovery = raw["HostOptions"]["SwarmOptions"].get("Discovery")
    return discovery if isinstance(discovery, str) and discovery.startswith(_DISCOVERY_SCHEME) else ""


def _is_only_token(discovery: str) -> bool:
    """Return whether a discovery is sensitive for its token only, and has no account or query."""
    return discovery.startswith(_DISCOVERY_SCHEME) and re.search(_CREDENTIALS_IN_URL, discovery) is None


def unknown_names(raw: dict[str, Any], names: Collection[str]) -> list[str]:
    """Return those of `names` that name no sensitive setting of the record."""
    known = {name for found in _sensitive_values(raw) for name in _accepted_names(found.setting, found.text)}
    return [name for name in names if name not in known]


def _sensitive_values(raw: dict[str, Any]) -> Iterator[_SensitiveValue]:
    for options_key, flags in (("EngineOptions", _ENGINE_FLAGS), ("SwarmOptions", _SWARM_FLAGS)):
        options = raw["HostOptions"][options_key]
        for key, value in options.items():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text:
                    flag = flags.get(key, key)
                    name = _sensitive_name(flag, text)
                    if name is not None:
                        yield _SensitiveValue(options, key, text, SensitiveSetting(flag, name))


def is_secret_name(name: str) -> bool:
    """Return whether something is called like a secret."""
    return re.search(_SENSITIVE_NAME, name) is not None


def _sensitive_name(flag: str, item: str) -> str | None:
    """Return the name of a sensitive setting, "" for one without a name of its own; None if it is not sensitive."""
    name, equals, _ = item.lstrip("-").partition("=")
    if flag == "engine-env":
        return name
    if flag == "swarm-discovery" and item.startswith(_DISCOVERY_SCHEME):
        return ""
    if flag.endswith("-opt"):
        return _sensitive_option(item.lstrip("-"), for_plugin=flag == "engine-opt")
    named = bool(equals) and "://" not in name
    if (named and is_secret_name(name)) or re.search(_CREDENTIALS_IN_URL, item):
        return name if named else ""
    return None


def _sensitive_option(item: str, *, for_plugin: bool) -> str | None:
    """Return OPTION of OPTION=VALUE, or OPTION=KEY of OPTION=KEY=VALUE, if that may be a secret; else None."""
    name, _, value = item.partition("=")
    key, has_key, _ = value.partition("=")
    full = f"{name}={key}" if has_key else name
    if for_plugin and (name.split() or [""])[0] in _PLUGIN_OPTIONS:
        return full
    if is_secret_name(full):
        return full
    return name if re.search(_CREDENTIALS_IN_URL, item) else None


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
        name = _sensitive_name(flag, item)
        if name is None:
            masked.append(item)
        else:
            masked.append(f"{name}={mask}" if name else mask)
    return tuple(masked)


def secret_values(options: EngineOptions) -> list[str]:
    """Return the values that are secret by their names, and passwords in URLs, for masking them wherever they occur."""
    found = []
    for item in (*options.env, *options.flags, *options.labels):
        name, _, value = item.rpartition("=") if re.match(_KEYED_OPTION, item) else item.partition("=")
        if is_secret_name(name):
            found.append(value)
        found += re.findall(_USERINFO_IN_URL, item)
    for address in (*options.registry_mirrors, *options.insecure_registries, options.install_url):
        found += re.findall(_USERINFO_IN_URL, address)
    return [value for value in found if value]


def _accepted_names(setting: SensitiveSetting, item: str) -> set[str]:
    """Return the names by which a user may ask for the setting."""
    if not setting.name:
        return {setting.flag}
    option, equals, inner = setting.name.partition("=")
    return {setting.name, option, inner} if equals else {setting.name, item.lstrip("-").partition("=")[0]}
