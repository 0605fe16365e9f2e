"""Where drivers' secrets live: never in config.json.

Looked up in this order: the option's environment variable; machines/NAME/secrets.json (0600, {"Key": "value"}, Key
being the one of config.json's Driver object); the system's keyring, if $MACHINE_SECRETS is "keyring" and the package
`keyring` is installed; last, the clear text that docker-machine left in config.json. New secrets are written to
the file, or to the keyring if that is chosen; the keys in config.json stay, with "" as value.

Secrets that go together, such as an access key's two halves or the password of a user, are a group, and are never mixed
from two places. An option's `belongs_to` names the group's lead option:

* The lead is a secret (an access key). When its variable is set, the others come from the environment too; one that has
  no variable set is "", unless the environment's lead is the one that is stored. Else all are the stored ones.
* The lead is no secret (a user's name, an id; it has a `key` too). A secret comes from the environment when the lead's
  variable is unset or says what the Driver object says. Else it is the stored one.
"""

from __future__ import annotations

import json
import os

from machine import files, paths
from machine.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any

    from machine.options import Option

CHOICE = "MACHINE_SECRETS"  # "file" (default) or "keyring"
SERVICE = "machine"  # the keyring's name for this program


def split(driver_object: Mapping[str, Any], options: Iterable[Option]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return `driver_object` with "" for every secret, and the secrets by key.

    A secret is an Option with `secret` and a `key`.
    """
    values = {key: str(driver_object[key]) for key in _keys(options) if driver_object.get(key)}
    return {key: "" if key in values else value for key, value in driver_object.items()}, values


def merge(
    driver_object: Mapping[str, Any], directory: str, options: Iterable[Option], environ: Mapping[str, str]
) -> dict[str, Any]:
    """A copy of the Driver object with its secrets filled in, for Driver.load.

    Raises StoreError if they cannot be read.
    """
    options = list(options)
    if not _keys(options):
        return dict(driver_object)
    stored = read(directory)
    lead_options = {option.name: option for option in options}

    def kept(option: Option) -> str:
        found = stored.get(option.key, "") or _from_keyring(directory, option.key, environ)
        return found or str(driver_object.get(option.key) or "")

    merged = dict(driver_object)
    for option in options:
        if option.secret and option.key:
            found = _resolve_secret(option, lead_options.get(option.belongs_to), kept, environ)
            if found or option.key in merged:
                merged[option.key] = found
    return merged


def _resolve_secret(
    option: Option, lead: Option | None, stored_value: Callable[[Option], str], environ: Mapping[str, str]
) -> str:
    """One secret: the environment's if that is to be used (see the module's docstring), else the stored one."""
    value = environ.get(option.env, "") if option.env else ""
    lead_env_value = environ.get(lead.env, "") if lead is not None and lead.env else ""
    if lead is None:
        return value or stored_value(option)
    if not lead.secret:
        return value if value and lead_env_value in ("", stored_value(lead)) else stored_value(option)
    if not lead_env_value:
        return stored_value(option)
    return value or (stored_value(option) if stored_value(lead) == lead_env_value else "")


def exclude_env(values: Mapping[str, str], options: Iterable[Option], environ: Mapping[str, str]) -> dict[str, str]:
    """Those of the secrets `values`, by key, that are not from the environment: a variable counts for one command."""
    from_env = {option.key: environ[option.env] for option in options if option.env and environ.get(option.env)}
    return {key: value for key, value in values.items() if from_env.get(key) != value}


def overridden(
    driver_object: Mapping[str, Any], directory: str, options: Iterable[Option], environ: Mapping[str, str]
) -> list[str]:
    """The variables that hold another secret than the one kept for the machine: new ones, or another account's."""
    options = list(options)
    kept = merge(driver_object, directory, options, {CHOICE: environ.get(CHOICE, "file")})
    used = merge(driver_object, directory, options, environ)
    return [
        option.env
        for option in options
        if option.secret and environ.get(option.env) and kept.get(option.key) and used[option.key] != kept[option.key]
    ]


def save(directory: str, values: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Keep the secrets `values`, by key, of the machine in `directory`. Others stay; "" removes one.

    Raises StoreError if the keyring or the file refuses them.
    """
    if environ.get(CHOICE, "file") == "keyring":
        ring = _keyring()
        for key, value in values.items():
            try:
                ring.set_password(SERVICE, _user(directory, key), value)
            except Exception as error:  # every backend has errors of its own
                raise _ring_refused(error) from error
        return
    before = read(directory)
    after = {key: value for key, value in {**before, **values}.items() if value}
    if after != before:
        files.write(os.path.join(directory, paths.SECRETS), json.dumps(after, indent=4).encode())


def read(directory: str) -> dict[str, str]:
    """The secrets in the machine's file, {} if there is none.

    Raises StoreError (without their text) if it is broken.
    """
    path = os.path.join(directory, paths.SECRETS)
    data = files.read(path)
    if not data:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise StoreError(
            f"{path} cannot be read as secrets",
            resolution='write it as {"Key": "value"}, or remove it and give the secrets by environment variables',
        )
    return found


def find(directory: str, key: str, environ: Mapping[str, str]) -> str:
    """One secret that was kept for the machine under `key`, "" if there is none.

    Raises StoreError if it cannot be read.
    """
    return read(directory).get(key, "") or _from_keyring(directory, key, environ)


def move(
    directory: str,
    keys: Iterable[str],
    driver_object: dict[str, Any],
    environ: Mapping[str, str],
    *,
    together: bool = False,
) -> None:
    """Move the clear text that docker-machine left in `driver_object` under `keys` to where secrets are kept.

    A secret that is kept already is not replaced, and of those that belong `together` none is if one differs.
    StoreError, and `driver_object` as it was, when it cannot be kept.
    """
    found = {key: driver_object[key] for key in keys if isinstance(driver_object.get(key), str)}
    found = {key: value for key, value in found.items() if value}
    if not found:
        return
    kept = {key: find(directory, key, environ) for key in found}
    fresh = {key: value for key, value in found.items() if not kept[key]}
    if together and any(kept[key] not in ("", value) for key, value in found.items()):
        fresh = {}  # of other keys than those that are kept
    if fresh:
        save(directory, fresh, environ)
    driver_object.update(dict.fromkeys(found, ""))


def redact(keys: Collection[str], driver_object: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the Driver object to be shown or exported: text under one of the secret `keys` is ""."""
    return {key: "" if key in keys and value else value for key, value in driver_object.items()}


def forget(directory: str, keys: Iterable[str], environ: Mapping[str, str]) -> None:
    """Remove secrets from the keyring when a machine is removed; those in the file go with its directory."""
    if environ.get(CHOICE, "file") != "keyring":
        return
    ring = _keyring()
    for key in keys:
        try:
            if ring.get_password(SERVICE, _user(directory, key)) is not None:
                ring.delete_password(SERVICE, _user(directory, key))
        except Exception as error:
            raise _ring_refused(error) from error


def _keys(options: Iterable[Option]) -> tuple[str, ...]:
    """Return the keys of the secrets among `options`; the lead option of a group may have a key without being one."""
    return tuple(option.key for option in options if option.secret and option.key)


def _from_keyring(directory: str, key: str, environ: Mapping[str, str]) -> str:
    if environ.get(CHOICE, "file") != "keyring":
        return ""
    try:
        return _keyring().get_password(SERVICE, _user(directory, key)) or ""
    except StoreError:
        raise
    except Exception as error:
        raise _ring_refused(error) from error


def _keyring() -> Any:
    import importlib

    try:
        return importlib.import_module("keyring")  # optional, so no plain import
    except ImportError:
        raise StoreError(
            f"${CHOICE} is keyring, but the package keyring is not installed",
            resolution=f"pipx inject container-hosts keyring; or unset {CHOICE} for a file that only you may read",
        ) from None


def _user(directory: str, key: str) -> str:
    return f"{directory}:{key}"


def _ring_refused(error: Exception) -> StoreError:
    return StoreError(
        f"the system's keyring refused: {type(error).__name__}",
        resolution=f"unlock it, or unset {CHOICE} to keep secrets in a file that only you can read",
    )
