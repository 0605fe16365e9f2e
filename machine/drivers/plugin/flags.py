"""A plugin's flags as options of `create`, and option values as what the plugin is told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.plugin import gob
from machine.options import Option, Values

# libmachine/mcnflag: the last word of the name under which a flag's type is registered
KINDS = {"StringFlag": "string", "IntFlag": "int", "BoolFlag": "bool", "StringSliceFlag": "list"}
FLAGS = gob.Struct("RPCFlags", (("Values", gob.Map(gob.STRING, gob.INTERFACE)),))
BASE = {"MachineName", "StorePath", "SSHUser", "SSHKeyPath", "IPAddress"}  # of every driver; none is a secret
OLD_SERVICE = "RpcServerDriver"

_TYPES: dict[str, tuple[str, gob.Type]] = {
    "string": ("string", gob.STRING),
    "int": ("int", gob.INT),
    "bool": ("bool", gob.BOOL),
    "list": ("[]string", gob.Slice(gob.STRING)),
}
_SECRET = re.compile(  # the protocol does not say which flags are secret, their names do
    r"(^|[-_])(token|secret|passw(or)?d|passphrase|pass|credentials?|(api|access|secret|auth|consumer|private)[-_]?key)$"
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # between Root and Password, API and Key


def secret(name: str) -> bool:
    """Whether a flag is called like one whose value nobody should see; paths and ids are not."""
    return bool(_SECRET.search(name.lower()))


def options(flags: Sequence[Any]) -> tuple[Option, ...]:
    """The answer to GetCreateFlags; flags of kinds that nobody knows are left out, and so take their own defaults."""
    found = {}
    for flag in flags if isinstance(flags, list | tuple) else ():
        if not isinstance(flag, gob.Named) or not isinstance(flag.value, dict):
            continue
        kind, name = KINDS.get(flag.name.rpartition(".")[2]), str(flag.value.get("Name") or "")
        if kind is None or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            continue
        found[name] = Option(
            name,
            kind,
            env=str(flag.value.get("EnvVar") or ""),
            default=_default(kind, flag.value.get("Value")),
            help=" ".join(str(flag.value.get("Usage") or "").split()) or "(the plugin does not say)",
            secret=kind == "string" and secret(name),
        )
    return tuple(found.values())


def _default(kind: str, value: Any) -> Any:
    """The value that a flag has by itself, if it is one of its kind; None for none."""
    if kind == "list":
        fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    else:
        fits = type(value) is {"string": str, "int": int, "bool": bool}[kind]
    return (value or None) if fits else None


def rpc_flags(
    declared: Sequence[Option], values: Values, extra: Mapping[str, tuple[str, Any]], service: str
) -> gob.Named:
    """The argument of SetConfigFromFlags: every flag with a value of its kind, and `extra` as name -> (kind, value)."""
    all_values = {**extra, **{option.name: (option.kind, values[option.name]) for option in declared}}
    named = {}
    for name, (kind, value) in all_values.items():
        registered, of = _TYPES[kind]
        named[name] = gob.Named(registered, list(value) if kind == "list" else value, of)
    title = "*rpcdriver.RpcFlags" if service == OLD_SERVICE else "*rpcdriver.RPCFlags"
    return gob.Named(title, {"Values": named}, FLAGS)


def hidden_places(config: Mapping[str, Any], values: Values, declared: Sequence[Option]) -> list[dict[str, str]]:
    """Where in a plugin's JSON the values of secret flags ended up: [{"Key", "Flag", "Variable"}].

    A key inside an object or a list is written with dots. A password that says the same as a public flag, or as what
    every driver has (the user root), is looked for under keys that are called like secrets only.
    """
    wanted = {str(values[option.name]): option for option in declared if option.secret and values[option.name]}
    public = {str(values[option.name]) for option in declared if not option.secret}
    return [
        _place(key, wanted[value].name, wanted[value].env)
        for key, value in texts(config)
        if value in wanted and (_called_secret(key) or not (value in public or key in BASE))
    ]


def secret_places(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """The same for texts whose keys are called like secrets: a password that the plugin has made up, and the like."""
    return [_place(key) for key, value in texts(config) if value and _called_secret(key)]


def _called_secret(key: str) -> bool:
    return secret(_WORDS.sub("-", key.rpartition(".")[2]))


def _place(key: str, flag: str = "", variable: str = "") -> dict[str, str]:
    return {"Key": key, "Flag": flag, "Variable": variable}


def texts(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every text in nested objects and lists, with its dotted key."""
    found = []
    for key, value in config.items():
        if isinstance(value, str):
            found.append((key, value))
        else:
            found += [(f"{key}.{inner}", text) for inner, text in texts(_inside(value))]
    return found


def set_at(config: dict[str, Any] | list[Any], key: str, text: str) -> None:
    """Set the text at a dotted key of `texts`, if there is such a place; names between the dots may have dots too."""
    for name, value in _inside(config).items():
        if name == key and isinstance(value, str):
            place: Any = config
            place[int(name) if isinstance(config, list) else name] = text
        elif key.startswith(f"{name}.") and isinstance(value, dict | list):
            set_at(value, key.removeprefix(f"{name}."), text)


def _inside(value: Any) -> dict[str, Any]:
    """What an object or a list has, by name or number."""
    if isinstance(value, list):
        return {str(at): item for at, item in enumerate(value)}
    return dict(value) if isinstance(value, Mapping) else {}
