"""daemon.json: ours merged into what is there, foreign keys kept (docs.docker.com/reference/cli/dockerd)."""

from __future__ import annotations

import json
from typing import Any

from machine.booleans import GO_TRUE
from machine.errors import ProvisionError
from machine.provision.dockerd_command import TLS, Command, option_keys
from machine.provision.dockerd_flags import all_keys, keys_of, remove_flags, type_problem
from machine.provision.facts import Facts
from machine.provision.host_files import DAEMON_JSON
from machine.provision.spec import Spec

# The engine release that dropped a storage driver (docs.docker.com/engine/deprecated).
_REMOVED = {"aufs": 24, "overlay": 24, "devicemapper": 25}
GATEWAY = "host-gateway-ip"  # understood under this name by 20.10 and everything newer
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # which editors on Windows write first; Docker 23 and newer skip it


def existing(facts: Facts) -> dict[str, Any]:
    """Return the settings in daemon.json; {} when there is none. Raises ProvisionError if it is no JSON object."""
    if facts.daemon_json is None or not facts.daemon_json.strip(BYTE_ORDER_MARK + " \n\r\t"):
        return {}
    try:
        parsed = json.loads(facts.daemon_json.removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:
        raise ProvisionError(
            f"{DAEMON_JSON} on the machine is not valid JSON",
            details=str(error),
            resolution="correct it by hand (machine ssh NAME), then: machine provision NAME",
        ) from None
    if not isinstance(parsed, dict):
        raise ProvisionError(
            f"{DAEMON_JSON} on the machine is not a JSON object",
            resolution="correct it by hand (machine ssh NAME), then: machine provision NAME",
        )
    return parsed


def check(facts: Facts) -> None:
    """Raise ProvisionError for a daemon.json that its engine would refuse: a rollback could not start it either."""
    problem = type_problem(existing(facts))
    if problem:
        raise ProvisionError(
            f"{DAEMON_JSON} on the machine is not as dockerd takes it: {problem}",
            resolution="correct it by hand (machine ssh NAME), then: machine provision NAME",
        )


def merge(existing_settings: dict[str, Any], command: Command, spec: Spec) -> dict[str, Any]:
    """Return `existing_settings` with ours. Its `hosts` and TLS are left out: they become flags, as ours are."""
    merged = remove_flags(existing_settings, ("hosts", *TLS))
    engine = spec.engine
    merged["labels"] = _labels([*_list(merged, "labels"), *command.moved.get("labels", []), *spec.labels])
    for key, additions in (
        ("insecure-registries", engine.insecure_registries),
        ("registry-mirrors", engine.registry_mirrors),
    ):
        values = list(dict.fromkeys([*_list(merged, key), *command.moved.get(key, []), *additions]))
        if values:
            merged[key] = values
    if command.live_restore is not None:
        merged["live-restore"] = command.live_restore
    if engine.storage_driver:
        merged["storage-driver"] = engine.storage_driver
    if spec.host_gateway and not _has_gateway(merged, command):
        merged[GATEWAY] = spec.host_gateway
    return remove_flags(merged, option_keys(engine.flags))


def has_tls(settings: dict[str, Any]) -> bool:
    """Whether daemon.json decides about TLS, as that of machine's earlier versions does."""
    return any(key in settings for key in TLS)


def _has_gateway(settings: dict[str, Any], command: Command) -> bool:
    """Whether the machine has a gateway of its own already, in daemon.json or as a flag."""
    return any(key in all_keys(settings) for key in keys_of(GATEWAY)) or any(
        f"--{GATEWAY}" in word for word in command.kept
    )


def is_plain(settings: dict[str, Any]) -> bool:
    """Whether there is nothing in it but what every machine gets."""
    return settings.keys() <= {"labels", GATEWAY}


def replaced_keys(existing_settings: dict[str, Any], spec: Spec) -> list[str]:
    """The machine's own keys that --engine-opt takes the place of."""
    return [key for key in option_keys(spec.engine.flags) if key in all_keys(existing_settings)]


def text(settings: dict[str, Any]) -> bytes:
    return (json.dumps(settings, indent=2, ensure_ascii=True) + "\n").encode()


def check_storage(facts: Facts, spec: Spec) -> None:
    """Check the storage driver that is asked for.

    Raises ProvisionError if it would hide images that are there, or is gone from this engine.
    """
    driver = spec.engine.storage_driver
    removed_in = _REMOVED.get(driver)
    if removed_in and facts.release >= (removed_in, 0):
        raise ProvisionError(
            f"Docker {facts.version} has no storage driver {driver!r} any more",
            details=f"It was removed in release {removed_in}.",
            resolution="leave --engine-storage-driver out: the engine chooses a good one",
        )
    if driver and facts.data_root_unknown:
        raise ProvisionError(
            f"machine cannot tell whether the storage driver {driver} would hide images on the machine",
            details=f"its engine does not run, and is configured to keep them in {facts.data_root_unknown}",
            resolution="start the engine there first (systemctl start docker), or leave --engine-storage-driver out",
        )
    if driver and facts.images and facts.storage_driver not in ("", driver):
        raise ProvisionError(
            f"changing the storage driver from {facts.storage_driver} to {driver} would hide the machine's images",
            details="Images and containers of one storage driver cannot be seen under another.",
            resolution=f"leave --engine-storage-driver out, or insist with: --engine-opt storage-driver={driver}",
        )


def hidden_images_notes(facts: Facts, spec: Spec) -> list[str]:
    """Return a note on each --engine-opt that gives the engine another directory than that of its images now."""
    if not facts.images:
        return []
    known = f"{facts.exec_start} {facts.drop_in or ''}"
    found = existing(facts)
    notes = []
    for option in spec.engine.flags:
        name, _, value = option.lstrip("-").partition("=")
        new = f"--{option.lstrip('-')}" not in known and found.get(name) != value
        if name in ("data-root", "graph", "userns-remap") and new:
            notes.append(
                f"with --engine-opt {option} the engine does not see the images and containers that the machine had;"
                " they are still on its disk, and come back when the option goes"
            )
    return notes


def live_restore(existing_settings: dict[str, Any], command: Command, spec: Spec) -> bool:
    """Whether the engine is to keep live-restore, whoever asked for it."""
    for option in spec.engine.flags:
        name, equals, value = option.lstrip("-").partition("=")
        if name == "live-restore":
            return not equals or value in GO_TRUE
    return bool(command.live_restore if command.live_restore is not None else existing_settings.get("live-restore"))


def _list(settings: dict[str, Any], key: str) -> list[str]:
    value = settings.get(key, [])
    return [str(item) for item in value] if isinstance(value, list) else []


def _labels(labels: list[str]) -> list[str]:
    """One label per key, the last one winning: dockerd refuses two values for a key."""
    return list({label.partition("=")[0]: label for label in labels}.values())
