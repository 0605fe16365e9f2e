"""Checks of the values given for an engine at `create`: refused if no engine could get them as meant. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from machine.errors import UsageError, masked
from machine.model import EngineOptions

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # systemd passes over a variable that has one; the record has none either


def check(engine: EngineOptions) -> None:
    """Raises UsageError, with the flag's name and without the value, which may be a secret."""
    lists = {
        "engine-env": engine.env,
        "engine-label": engine.labels,
        "engine-opt": engine.flags,
        "engine-registry-mirror": engine.registry_mirrors,
        "engine-insecure-registry": engine.insecure_registries,
        "engine-storage-driver": [engine.storage_driver] if engine.storage_driver else [],
        "engine-install-url": [engine.install_url],
    }
    for flag, values in lists.items():
        for value in values:
            _check_text(flag, value)
    check_install_url(engine.install_url)
    for flag, values in (("engine-env", engine.env), ("engine-label", engine.labels)):
        for value in values:
            name, equals, _ = value.partition("=")
            if not equals or not name:
                raise UsageError(
                    f"--{flag} {value!r} is not of the form KEY=VALUE", resolution=f"such as --{flag} disk=ssd"
                )
            if flag == "engine-env" and not _NAME.fullmatch(name):
                raise UsageError(
                    f"--engine-env {name!r} is no name of a variable",
                    resolution="letters, digits and _ make one, and no digit comes first",
                )


def check_install_url(url: str) -> None:
    """Raises UsageError for what is neither the URL of a script by http or https, nor `distro` or `none`."""
    parts = urlsplit(url)
    if url in ("distro", "none") or (parts.scheme in ("http", "https") and parts.netloc):
        return
    raise UsageError(
        f"--engine-install-url cannot be {masked(url)!r}",
        resolution="give an http or https URL, or distro for the distribution's own packages, or none",
    )


def _check_text(flag: str, value: str) -> None:
    name = value.partition("=")[0] if "=" in value else ""
    shown_flag = f"--{flag} {name!r}" if name else f"--{flag}"
    if not value.strip("- "):
        raise UsageError(f"--{flag} is empty", resolution="give it a value, or leave it out")
    if _CONTROL.search(value):
        raise UsageError(
            f"{shown_flag} has a line end or another control character in it",
            resolution="leave it out, or keep such a value in a file on the machine",
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{shown_flag} is not UTF-8", resolution="type it in a terminal that is set to UTF-8"
        ) from None
