"""`machine export`: what a colleague needs of a machine, in one file."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from machine import __version__, files, paths, redaction
from machine.archive import bundle
from machine.drivers.record_keys import KEY_FILES
from machine.errors import CertificateError, StoreError, UsageError
from machine.ssh import known_hosts
from machine.store import Record, Store

OF_THIS_COMPUTER = ("Shares", "CloneSnapshots")  # keys of directories here, and of what of the machine is on its disk
FORMAT = 1
_PLACEHOLDER_STORE = "/export"  # stands for the store in the file's paths, so that nobody's home is told
_OWN_FILES = ("CaCertPath", "CaPrivateKeyPath", "ServerCertPath", "ServerKeyPath", "ClientKeyPath", "ClientCertPath")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what its reader should know."""

    path: str  # "" when only the bytes were asked for
    data: bytes = field(repr=False)
    notes: tuple[str, ...] = ()


def export(
    store: Store,
    name: str,
    out_path: str,
    with_keys: bool = False,
    *,
    with_values: Sequence[str] = (),
    replace: bool = False,
) -> Exported:
    """Write machine `name` to `out_path`, 0600 ("": to nowhere, take `.data`).

    With `with_keys` whoever has the file can use the machine, and every engine under the same CA: the notes say so.
    `with_values` names settings of the engine whose values go along, which otherwise stay. Raises UsageError for one
    that the machine does not have. Raises MachineNotFound or RecordBroken if there is no record that can be read.
    Raises CertificateError if keys are wanted and are not there. Raises StoreError if `out_path` exists (unless
    `replace`) or cannot be written.
    """
    record = store.load(name)
    _check_values(record, with_values)
    if out_path:
        _check_target(out_path, replace)
    contents, notes = _keys(record) if with_keys else ({}, [])
    ssh_key = next((file for file in (paths.SSH_KEY, paths.OLD_SSH_KEY) if file in contents), "")
    copied, withheld = portable(record, ssh_key, with_values, with_keys=with_keys)
    if redaction.discovery_with_token(copied.raw):
        notes.append(f"the token of {name}'s swarm is in the file: whoever has it can add an engine to the swarm")
    contents[bundle.MANIFEST] = _manifest(record, with_keys, withheld)
    contents[paths.CONFIG] = copied.encode()
    _add(contents, paths.CA, files.read(os.path.join(record.cert_dir(), paths.CA)))
    _add(contents, paths.KNOWN_HOSTS, _host_keys(record))
    if record.driver_keys.local_disk:
        notes.append(
            f"the disk of {name} is not in the file: the virtual machine stays on this computer,"
            f" and can be used from where its address {record.address() or '(unknown)'} is reachable"
        )
    if withheld:
        notes.append(
            f"values that stay here, for they may be secrets: {', '.join(map(str, withheld))};"
            f" machine export --with-value NAME {name} sends one along"
        )
    data = bundle.pack(contents)
    if out_path:
        files.write(os.path.abspath(out_path), data)
    return Exported(out_path, data, tuple(notes))


def _manifest(record: Record, with_keys: bool, withheld: Sequence[redaction.SensitiveSetting]) -> bytes:
    """Return what the file says of itself and of the machine, as JSON."""
    manifest = {
        "Format": FORMAT,
        "Name": record.name,
        "Driver": record.driver_name,
        "WithKeys": with_keys,
        "Program": f"machine {__version__}",
        "Withheld": [list(setting) for setting in withheld],
    }
    return json.dumps(manifest, indent=4).encode()


def _check_target(path: str, replace: bool) -> None:
    """Raise StoreError if there is no directory for the file `path`, or the file exists, unless `replace`."""
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise StoreError(
            f"cannot write {path}: there is no directory {directory}",
            resolution="make the directory first, or name another place with -o",
        )
    if os.path.lexists(path) and not replace:
        raise StoreError(f"{path} exists already", resolution="add --force to replace it, or name another with -o")


def portable(
    record: Record, ssh_key: str, with_values: Sequence[str] = (), *, with_keys: bool = False
) -> tuple[Record, list[redaction.SensitiveSetting]]:
    """A copy of the record without secrets and its owner's paths, and the settings that were taken out of it.

    `ssh_key` names the key file that goes along; `with_values` the settings that may go. The token of a classic swarm
    goes `with_keys`: a `provision` over there needs it.
    """
    raw: dict[str, Any] = copy.deepcopy(record.redacted())
    raw["Driver"] = driver_object = _without_secrets(raw["Driver"])
    auth = raw["HostOptions"]["AuthOptions"]
    withheld = redaction.withhold(raw, with_values, keep_token=with_keys)
    driver_object["SSHKeyPath"] = os.path.join(record.cert_dir(), ssh_key) if ssh_key else ""
    auth.update(dict.fromkeys(_OWN_FILES, ""), CertDir="")
    for key in OF_THIS_COMPUTER:
        raw.get("Machine", {}).pop(key, None)
    return Record.parse(json.dumps(raw).encode(), _PLACEHOLDER_STORE, record.name), withheld


def _check_values(record: Record, with_values: Sequence[str]) -> None:
    unknown = redaction.unknown_names(record.raw, with_values)
    if unknown:
        raise UsageError(
            f"{record.name} has no setting {unknown[0]!r} whose value stays here",
            resolution=f"machine export {record.name} names those that do",
        )


def _without_secrets(value: Any) -> Any:
    """`value` with "" for every text under a key that speaks of secrets, at any depth."""
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    secret_keys = {key for key in value if key in KEY_FILES or redaction.is_secret_name(key)}
    return {
        key: "" if key in secret_keys and isinstance(found, str) else _without_secrets(found)
        for key, found in value.items()
    }


def _keys(record: Record) -> tuple[dict[str, bytes], list[str]]:
    """The client's and the server's pair and the ssh key, and what is to be said of them."""
    contents: dict[str, bytes] = {}
    for name in (paths.CA, paths.CERT, paths.KEY):
        _add(contents, name, files.read(os.path.join(record.cert_dir(), name)))
        if name not in contents:
            raise CertificateError(
                f"{record.name} has no {name} to export",
                details=f"looked in {record.cert_dir()}",
                resolution=f"machine regenerate-certs {record.name}, or export it without --with-keys",
            )
    # so that a `provision` over there changes nothing:
    for name in (paths.SERVER_CERT, paths.SERVER_KEY, paths.SWARM_KEY):
        _add(contents, name, files.read(os.path.join(record.cert_dir(), name)))
    notes = [
        "the file holds private keys: whoever has it can use this machine,"
        " and every engine whose certificates come from the same CA; send it by a safe way and delete it then"
    ]
    path = record.ssh_key_path()
    key = files.read(path) if path else b""
    if key:
        base = os.path.basename(path)
        contents[base if base in (paths.SSH_KEY, paths.OLD_SSH_KEY) else paths.SSH_KEY] = key
    elif not record.is_only_url():
        notes.append(
            "no ssh key is in the file (the machine has none of its own): `machine ssh` needs the reader's own"
        )
    return contents, notes


def _host_keys(record: Record) -> bytes:
    """The machine's known_hosts, only the lines that are about it."""
    path = os.path.join(record.cert_dir(), paths.KNOWN_HOSTS)
    found = [entry for entry in known_hosts.entries(path, record.name) if not entry.revoked]
    return "".join(f"{record.name} {entry.kind} {entry.key}\n" for entry in found).encode()


def _add(contents: dict[str, bytes], name: str, content: bytes) -> None:
    if content:
        contents[name] = content
