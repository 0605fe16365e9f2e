"""`machine import`: a machine in this store out of a colleague's file."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass
from typing import Any

import certs
from machine import files, names, paths
from machine.archive import bundle
from machine.archive.send import FORMAT, OF_THIS_COMPUTER
from machine.drivers.record_keys import IMAGE, LOCAL_FILES, LOCAL_FILES_OR_URLS
from machine.errors import CertificateError, StoreError
from machine.redaction import SensitiveSetting
from machine.store import Record, Store

LOCK_SECONDS = 10.0
MOST_SETTINGS = 200  # of the owner's that are named; more would be no list that a person reads
LONGEST_NAME = 200  # of a setting; names come from a file and go to the terminal


@dataclass(frozen=True, slots=True)
class Imported:
    """The machine as it is called here, and what the user should know of it."""

    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddedSettings:
    """Settings of the engine to be added to what the file has: those that its owner kept. Items are "K=V"."""

    engine_env: tuple[str, ...] = ()
    engine_opt: tuple[str, ...] = ()


NOTHING_ADDED = AddedSettings()


def import_(
    store: Store, path: str, as_name: str | None = None, added_settings: AddedSettings = NOTHING_ADDED
) -> Imported:
    """Make a machine of the file `path`, called `as_name` or as it was called, with `added_settings` besides its own.

    Raises StoreError if the file is none of ours, MachineExists, NameInvalid, RecordBroken. Raises CertificateError if
    the keys in it do not belong together. On any of them the store is as before.
    """
    return unpack(store, _read(path), path, as_name, added_settings)


def unpack(
    store: Store, data: bytes, source: str, as_name: str | None = None, added_settings: AddedSettings = NOTHING_ADDED
) -> Imported:
    """`import_` of a file's bytes; `source` is what errors call it."""
    contents = bundle.unpack(data, source)
    manifest = _manifest(contents[bundle.MANIFEST], source)
    old = str(manifest["Name"])
    name = names.check(as_name or old)
    record = Record.parse(contents[paths.CONFIG], store.root, name)
    _check_pair(contents, source, old)
    machine = record.raw.setdefault("Machine", {"Id": "", "Phase": "", "Created": "", "Version": ""})
    for key in OF_THIS_COMPUTER:
        machine.pop(key, None)  # a file from elsewhere does not decide which directories here a machine gets
    machine["Imported"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    contents[paths.KNOWN_HOSTS] = _renamed(contents.get(paths.KNOWN_HOSTS, b""), old, name)
    missing = _missing(manifest, _add_settings(record, added_settings))
    ssh_key = next((file for file in (paths.SSH_KEY, paths.OLD_SSH_KEY) if file in contents), "")
    record.driver_object["SSHKeyPath"] = paths.machine(store.root, name, ssh_key) if ssh_key else ""
    _forget_files(record)
    with store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"import {name}"):
        store.add(name)
        try:
            _write(store, record, contents)
        except BaseException:
            store.delete(name)
            raise
    return Imported(name, (*_notes(record, contents, old), *_notes_on_values(record, source, missing)))


def _add_settings(record: Record, added_settings: AddedSettings) -> set[SensitiveSetting]:
    """Add settings of the engine to the record, in place of those of the same names. Return which these are."""
    engine = record.raw["HostOptions"]["EngineOptions"]
    added = set()
    for key, flag, items in (
        ("Env", "engine-env", added_settings.engine_env),
        ("ArbitraryFlags", "engine-opt", added_settings.engine_opt),
    ):
        names = {_setting_name(item) for item in items}
        engine[key] = [*(item for item in engine[key] if _setting_name(item) not in names), *items]
        added |= {SensitiveSetting(flag, name) for name in names}
    return added


def _setting_name(item: str) -> str:
    """What a setting is told apart by: VAR of VAR=value, log-opt=key of log-opt=key=value."""
    name, _, value = item.lstrip("-").partition("=")
    inner, equals, _ = value.partition("=")
    return f"{name}={inner}" if equals and name.endswith("-opt") else name


def _missing(manifest: dict[str, Any], added: set[SensitiveSetting]) -> list[SensitiveSetting]:
    """The settings that the owner kept, as the manifest says, without those given here."""
    withheld = manifest.get("Withheld", [])
    found = [
        SensitiveSetting(*entry)
        for entry in (withheld[:MOST_SETTINGS] if isinstance(withheld, list) else [])
        if isinstance(entry, list) and len(entry) == 2 and all(map(_is_plain, entry))
    ]
    return [setting for setting in found if setting not in added]


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST_NAME and text.isprintable()


def _notes_on_values(record: Record, source: str, missing: list[SensitiveSetting]) -> list[str]:
    if not missing:
        return []
    name = record.name
    flags = [
        f"--{flag} {shlex.quote(name + '=VALUE')}" for flag, name in missing if flag in ("engine-env", "engine-opt")
    ]
    command = f"machine rm -y {name} && machine import {' '.join(flags)} --name {name} {shlex.quote(source)}"
    resolution = (
        f"get them from its owner and give them (VALUE), before you provision it: {command}"
        if flags and source != "stdin"
        else "get them from its owner, and write them into HostOptions of"
        f" {paths.machine(record.root, name, paths.CONFIG)}"
    )
    return [
        f"values that its owner kept, without which `machine provision {name}` sets the engine up from here:"
        f" {', '.join(map(str, missing))}; {resolution}"
    ]


def _forget_files(record: Record) -> None:
    """Drop the local drivers' programs and images: paths of another computer, and somebody else's word.

    They would be run and read here with this user's rights.
    """
    if not record.driver_keys.local_disk:
        return
    for key in LOCAL_FILES:
        value = record.driver_object.get(key)
        if value and not (key in LOCAL_FILES_OR_URLS and isinstance(value, str) and "://" in value):
            record.driver_object[key] = {} if isinstance(value, dict) else ""
    image = str(record.driver_object.get(IMAGE) or "")
    if "/" in image and "://" not in image:
        record.driver_object[IMAGE] = ""


def _write(store: Store, record: Record, contents: dict[str, bytes]) -> None:
    """The files first, the record last: a machine without a record is one that was not finished."""
    for file, content in contents.items():
        if file not in (bundle.MANIFEST, paths.CONFIG) and content:
            mode = files.PUBLIC if file in (paths.CA, paths.CERT, paths.SERVER_CERT) else files.PRIVATE
            files.write(paths.machine(store.root, record.name, file), content, mode)
    store.save(record)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(bundle.LARGEST + 1)
    except OSError as error:
        raise StoreError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}",
            resolution="give the path of a file that `machine export` wrote",
        ) from error
    if len(data) > bundle.LARGEST:
        raise StoreError(
            f"{path} is too large for a file that `machine export` wrote",
            resolution="give the path of a file that `machine export` wrote",
        )
    return data


def _manifest(data: bytes, source: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("Name"), str) or type(found.get("Format")) is not int:
        raise StoreError(
            f"{source} is not a file that `machine export` wrote",
            details="its manifest is not valid",
            resolution="ask for a new one: machine export --with-keys NAME",
        )
    if found["Format"] > FORMAT:
        raise StoreError(
            f"{source} was written by a newer program ({str(found.get('Program', 'unknown'))[:40]})",
            resolution="install its newest version, in a clone of the source: git pull, pipx install --force .",
        )
    return found


def _check_pair(contents: dict[str, bytes], source: str, old: str) -> None:
    """Raises CertificateError unless each pair that is in the file is whole and of the CA in it."""
    ca = contents.get(paths.CA, b"")
    for cert_file, key_file in ((paths.CERT, paths.KEY), (paths.SERVER_CERT, paths.SERVER_KEY)):
        cert, key = contents.get(cert_file, b""), contents.get(key_file, b"")
        if (cert or key) and not (certs.belongs_together(cert, key) and certs.issued_by(cert, ca)):
            raise CertificateError(
                f"{cert_file}, {key_file} and {paths.CA} in {source} do not belong together",
                resolution=f"ask for a new file: machine export --with-keys {old}",
            )


def _renamed(known_hosts: bytes, old: str, new: str) -> bytes:
    """The host keys under the machine's name here."""
    lines = [line.split() for line in known_hosts.decode("ascii", "ignore").splitlines()]
    return "".join(
        f"{new} {fields[1]} {fields[2]}\n" for fields in lines if len(fields) == 3 and fields[0] == old
    ).encode()


def _notes(record: Record, contents: dict[str, bytes], old: str) -> list[str]:
    name, address = record.name, record.address() or "(unknown)"
    notes = []
    if record.driver_keys.local_disk:
        notes.append(
            f"the disk of {name} was not in the file: the virtual machine is where it was made;"
            f" it can be used if its address {address} is reachable from here"
        )
    if paths.KEY in contents:
        end = certs.describe(contents[paths.CERT]).not_after
        notes.append(f"{name} is used with its owner's certificate, which ends on {end:%Y-%m-%d}")
        return notes
    command = f"machine export --with-keys {old}"
    notes.append(
        f"no keys came with {name}, so its engine and ssh refuse you: ask its owner for a file made by `{command}`;"
        f" or, if you may log in to {address}, adopt it under your own CA with `machine create -d generic`"
    )
    return notes
