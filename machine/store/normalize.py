"""Normalization of a record's JSON object: docker-machine's keys first, all of them there, each of its kind."""

from __future__ import annotations

import os

from machine import paths
from machine.drivers.record_keys import record_keys_of
from machine.store import key_names
from machine.store.document import normalize_key_case, record_error, validate
from machine.store.relocate_paths import relocate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PHASES = ("recorded", "created", "reachable", "provisioned", "ready")  # how far `create` has come
_PLAIN = ("IPAddress", "IPv6Address", "SSHUser", "PeerAddress", "URL")  # end up in command lines and URLs
_CERT_FILES = {  # key of AuthOptions: (under certs/, file) or (in the machine's directory, file)
    "CaCertPath": (True, paths.CA),
    "CaPrivateKeyPath": (True, paths.CA_KEY),
    "ServerCertPath": (False, paths.SERVER_CERT),
    "ServerKeyPath": (False, paths.SERVER_KEY),
    "ClientKeyPath": (True, paths.KEY),
    "ClientCertPath": (True, paths.CERT),
}


def normalize(raw: dict[str, Any], root: str, name: str) -> dict[str, Any]:
    """`raw` with docker-machine's keys first, all of them there and of their kinds. Raises RecordBroken otherwise."""
    raw = validate(raw, key_names.HOST, name, "")
    if not raw["DriverName"]:
        raise record_error(name, "config.json names no driver")
    raw["Name"] = name  # the directory's name wins
    options = raw["HostOptions"] = validate(raw["HostOptions"], key_names.OPTIONS, name, "HostOptions.")
    for key, schema in (
        ("EngineOptions", key_names.ENGINE),
        ("SwarmOptions", key_names.SWARM),
        ("AuthOptions", key_names.AUTH),
    ):
        options[key] = validate(options[key], schema, name, f"HostOptions.{key}.")
    driver_object = raw["Driver"]
    normalize_key_case(driver_object, dict.fromkeys(record_keys_of(raw["DriverName"]).known))
    driver_object = raw["Driver"] = validate(driver_object, key_names.BASE_DRIVER, name, "Driver.")
    driver_object.update(validate(driver_object, key_names.ENDPOINT, name, "Driver.", fill=False))
    _check_driver(driver_object, raw["DriverName"], name)
    relocate(root, name, driver_object, options["AuthOptions"])
    for key, (shared, file) in _CERT_FILES.items():
        directory = options["AuthOptions"]["CertDir"] if shared else paths.machine(root, name)
        options["AuthOptions"][key] = options["AuthOptions"][key] or os.path.join(directory, file)
    if raw.get("Machine") is not None:
        raw["Machine"] = _machine(raw["Machine"], name)
    else:
        raw.pop("Machine", None)
    return raw


def _machine(found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise record_error(name, "Machine in config.json must be an object")
    machine = validate(found, key_names.MACHINE, name, "Machine.")
    machine.update(validate(machine, key_names.MACHINE_OPTIONAL, name, "Machine.", fill=False))
    if machine["Phase"] not in ("", *PHASES):
        raise record_error(
            name, f"Machine.Phase in config.json is {machine['Phase']!r}, not one of {', '.join(PHASES)}"
        )
    return machine


def _check_driver(driver_object: dict[str, Any], driver_name: str, name: str) -> None:
    """Refuse what could not be an address, a user or a port: these go into command lines and URLs."""
    for key in key_names.PORTS:
        if not 0 <= driver_object.get(key, 0) < 65536:
            raise record_error(name, f"Driver.{key} in config.json is no port: {driver_object[key]}")
    for key in _PLAIN:
        text = driver_object.get(key, "")
        if text.startswith("-") or any(character.isspace() or not character.isprintable() for character in text):
            raise record_error(name, f"Driver.{key} in config.json is not usable: {text!r}")
    if not driver_name.isprintable():
        raise record_error(name, "DriverName in config.json is not usable")
