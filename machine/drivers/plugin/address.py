"""Where a plugin's machine is reached, from what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from machine.drivers.plugin import rpc
from machine.model import Endpoint

ENGINE_PORT, SSH_PORT = 2376, 22
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def endpoint_of(ask: Callable[[str], Any]) -> Endpoint | None:
    """The endpoint, None while the plugin knows no address. Refused when it says why.

    A plugin names a host for ssh and another for the engine; here a machine has one address. Where they differ (a
    forwarded port of this computer, in the main) the machine's own address is taken for both, with ssh's usual port.
    """
    address = str(ask("GetIP") or "").strip().strip("[]")
    if not address:
        return None
    ssh_host, ssh_port = str(ask("GetSSHHostname") or "").strip().strip("[]"), int(ask("GetSSHPort") or SSH_PORT)
    port = _port(ask)
    return Endpoint(
        address=address,
        ssh_user=str(ask("GetSSHUsername") or "root"),
        ssh_port=ssh_port if ssh_host in ("", address) or {ssh_host, address} <= _LOOPBACK else SSH_PORT,
        engine_port=port,
        listen_port=port,
    )


def _port(ask: Callable[[str], Any]) -> int:
    """The engine's, from GetURL; the usual one where the plugin will not say."""
    try:
        return urlsplit(str(ask("GetURL") or "")).port or ENGINE_PORT
    except (rpc.Refused, ValueError):
        return ENGINE_PORT
