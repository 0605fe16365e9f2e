"""Where drivers' secrets live: never in config.json.

Looked up in this order: the option's environment variable; machines/NAME/secrets.json (0600, {"Key": "value"}, Key
being the one of config.json's Driver object); the system's keyring, if $MACHINE_SECRETS is "keyring" and the package
`keyring` is installed; last, the clear text that docker-machine left in config.json. New secrets are written to
the file, or to the keyring if that is chosen; the keys in config.json stay, with "" as value.
"""

from __future__ import annotations

import json
import os

from machine import files, paths
from machine.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from machine.options import Option

CHOICE = "MACHINE_SECRETS"  # "file" (default) or "keyring"
SERVICE = "machine"  # the keyring's name for this program

CLEAR_TEXT = {  # keys in which docker-machine's drivers keep secrets; those of unknown drivers are left alone
    "amazonec2": ("AccessKey", "SecretKey", "SessionToken"),
    "azure": ("ClientSecret",),
    "digitalocean": ("AccessToken",),
    "openstack": ("Password", "ApplicationCredentialSecret"),
}


def split(driver: Mapping[str, Any], options: Iterable[Option]) -> tuple[dict[str, Any], dict[str, str]]:
    """(`driver` with "" for every secret, the secrets by key). A secret is an Option with `secret` and a `key`."""
    hidden = {key: str(driver[key]) for key in _keys(options) if driver.get(key)}
    return {key: "" if key in hidden else value for key, value in driver.items()}, hidden


def merge(
    driver: Mapping[str, Any], directory: str, options: Iterable[Option], environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """A copy of the Driver object with its secrets filled in, for Driver.load. StoreError if they cannot be read."""
    options = list(options)
    wanted = _keys(options)
    if not wanted:
        return dict(driver)
    stored = read(directory)
    merged = dict(driver)
    for option in options:
        if option.key in wanted:
            found = environ.get(option.env, "") if option.env else ""
            found = found or stored.get(option.key, "") or _from_keyring(directory, option.key, environ)
            if found:
                merged[option.key] = found
    return merged


def overruled(
    driver: Mapping[str, Any], directory: str, options: Iterable[Option], environ: Mapping[str, str] = os.environ
) -> list[str]:
    """The variables that hold another secret than the one kept for the machine: new ones, or another account's."""
    kept = merge(driver, directory, options, {CHOICE: environ.get(CHOICE, "file")})
    secret = [option for option in options if option.secret and option.key and option.env]
    return [
        option.env
        for option in secret
        if environ.get(option.env) and kept.get(option.key) and environ[option.env] != kept[option.key]
    ]


def save(directory: str, hidden: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> None:
    """Keep secrets of the machine in `directory`, beside those already kept; "" forgets one. StoreError."""
    if environ.get(CHOICE, "file") == "keyring":
        ring = _keyring()
        for key, value in hidden.items():
            try:
                ring.set_password(SERVICE, _user(directory, key), value)
            except Exception as error:  # every backend has errors of its own
                raise _ring_refused(error) from error
        return
    before = read(directory)
    after = {key: value for key, value in {**before, **hidden}.items() if value}
    if after != before:
        files.write(os.path.join(directory, paths.SECRETS), json.dumps(after, indent=4).encode())


def read(directory: str) -> dict[str, str]:
    """The secrets in the machine's file, {} if there is none; StoreError (without their text) if it is broken."""
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


def move(directory: str, driver_name: str, driver: dict[str, Any]) -> None:
    """Take the clear text that docker-machine left in `driver` out of it and keep it where secrets live.

    A secret that is kept already is not replaced. StoreError, and `driver` as it was, when it cannot be kept.
    """
    found = {key: driver[key] for key in CLEAR_TEXT.get(driver_name, ()) if isinstance(driver.get(key), str)}
    found = {key: value for key, value in found.items() if value}
    if not found:
        return
    kept = read(directory)
    fresh = {key: value for key, value in found.items() if key not in kept}
    if fresh:
        save(directory, fresh)
    driver.update(dict.fromkeys(found, ""))


def without(driver_name: str, driver: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the Driver object to be shown or exported: clear text that docker-machine left is ""."""
    secret = CLEAR_TEXT.get(driver_name, ())
    return {key: "" if key in secret and value else value for key, value in driver.items()}


def forget(directory: str, keys: Iterable[str], environ: Mapping[str, str] = os.environ) -> None:
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
            resolution=f"pip install keyring, or unset {CHOICE} to keep secrets in a file that only you can read",
        ) from None


def _user(directory: str, key: str) -> str:
    return f"{directory}:{key}"


def _ring_refused(error: Exception) -> StoreError:
    return StoreError(
        f"the system's keyring refused: {type(error).__name__}",
        resolution=f"unlock it, or unset {CHOICE} to keep secrets in a file that only you can read",
    )
