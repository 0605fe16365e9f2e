"""Where a plugin's machine is reached, from what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from machine.drivers.plugin import rpc
from machine.errors import DriverError
from machine.hostport import ENGINE_PORT
from machine.model import Endpoint

SSH_PORT = 22
_ADDRESS = re.compile(r"(\[?[\w.:][\w.:%-]*\]?)?", re.ASCII)
_USER = re.compile(r"([^\s-]\S*)?")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def endpoint_of(ask: Callable[[str], Any]) -> Endpoint | None:
    """The endpoint, None while the plugin knows no address. Refused when it says why.

    A plugin names a host for ssh and another for the engine; here a machine has one address. Where they differ (a
    forwarded port of this computer, in the main) the machine's own address is taken for both, with ssh's usual port.
    """
    address = _word(ask, "GetIP", _ADDRESS).strip("[]")
    if not address:
        return None
    ssh_host, ssh_port = _word(ask, "GetSSHHostname", _ADDRESS).strip("[]"), ask("GetSSHPort") or SSH_PORT
    if type(ssh_port) is not int or not 0 < ssh_port < 65536:
        raise _nonsense("GetSSHPort", ssh_port)
    port = _port(ask)
    return Endpoint(
        address=address,
        ssh_user=_word(ask, "GetSSHUsername", _USER) or "root",
        ssh_port=ssh_port if ssh_host in ("", address) or {ssh_host, address} <= _LOOPBACK else SSH_PORT,
        engine_port=port,
        listen_port=port,
    )


def _word(ask: Callable[[str], Any], method: str, form: re.Pattern[str]) -> str:
    """A text that may go into ssh's arguments and files; "" for none."""
    found = ask(method) or ""
    if not isinstance(found, str) or not form.fullmatch(found.strip()):
        raise _nonsense(method, found)
    return found.strip()


def _nonsense(method: str, answer: Any) -> DriverError:
    return DriverError(
        f"the plugin answers {method} with what cannot be one: {answer!r:.200}",
        resolution="look into the plugin's own documentation, or install its newest release",
    )


def _port(ask: Callable[[str], Any]) -> int:
    """The engine's, from GetURL; the usual one where the plugin will not say."""
    try:
        return urlsplit(str(ask("GetURL") or "")).port or ENGINE_PORT
    except (rpc.PluginRefused, ValueError):
        return ENGINE_PORT
