"""Calls to Hetzner, by hcloud. What comes back are hcloud's objects; its errors become ours.

https://docs.hetzner.cloud and https://hcloud-python.readthedocs.io
"""

from __future__ import annotations

import contextlib
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.hetzner.config import OWN_LABEL, Config
from machine.drivers.hetzner.errors import ERRORS, translate


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind of things that a project has."""

    noun: str  # as messages call one
    attribute: str  # of hcloud's client: the part that knows them


FIREWALL = ResourceType("firewall", "firewalls")
IMAGE = ResourceType("image", "images")
LOCATION = ResourceType("location", "locations")
NETWORK = ResourceType("network", "networks")
PLACEMENT_GROUP = ResourceType("placement group", "placement_groups")
PRIMARY_IP = ResourceType("primary address", "primary_ips")
SERVER = ResourceType("server", "servers")
SERVER_TYPE = ResourceType("server type", "server_types")
SSH_KEY = ResourceType("ssh key", "ssh_keys")
VOLUME = ResourceType("volume", "volumes")


class Api:
    """Hetzner as one token sees it; `config` is read at the first call."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._connection: Any = None

    # what there is

    def get(self, kind: ResourceType, number: int) -> Any:
        """A thing by its id, None if there is none."""
        with contextlib.suppress(errors.NotFound):
            return self._ask(f"show the {kind.noun} {number}", kind, lambda part: part.get_by_id(number))

    def find(self, kind: ResourceType, key: str) -> Any:
        """A thing by its id or else its name, None if there is none."""
        found = self.get(kind, int(key)) if key.isdecimal() else None
        return found or self._ask(f"find the {kind.noun} {key}", kind, lambda part: part.get_by_name(key))

    def list_all(self, kind: ResourceType, **query: Any) -> list[Any]:
        """Every thing of its kind that the project has, or those that fit the query."""
        return list(self._ask(f"list {kind.noun}s", kind, lambda part: part.get_all(**query)))

    def labelled(self, kind: ResourceType, machine_label: str) -> list[Any]:
        """The things that were made for a machine; none for ""."""
        return self.list_all(kind, label_selector=f"{OWN_LABEL}=={machine_label}") if machine_label else []

    # what is made, changed and removed

    def make(self, kind: ResourceType, body: Mapping[str, Any]) -> Any:
        """A new thing. Raises NameTaken if there is one of that name."""
        made = self._ask(f"make the {kind.noun} {body['name']}", kind, lambda part: part.create(**_objects(body)))
        return getattr(made, kind.attribute.removesuffix("s"), made)  # beside it: what goes on, and a password

    def act(self, server: Any, verb: str) -> None:
        """power_on, shutdown, power_off or reboot; it is on its way afterwards."""
        self._ask(verb.replace("_", " "), SERVER, lambda part: getattr(part, verb)(server))

    def delete(self, kind: ResourceType, number: int) -> None:
        """Remove a thing; absent is success, InUse while something else needs it."""
        with contextlib.suppress(errors.NotFound):
            thing = types.SimpleNamespace(id=number)
            self._ask(f"remove the {kind.noun} {number}", kind, lambda part: part.delete(thing))

    # how it is asked

    def _ask(self, doing: str, kind: ResourceType, call: Callable[[Any], Any]) -> Any:
        with errors.sdk_errors(self._convert, doing):
            return call(getattr(self._cloud(), kind.attribute))

    def _cloud(self) -> Any:
        if self._connection is None:
            config = self.config
            token = config.access_token.strip()
            if not token or not token.isascii() or not token.isprintable() or " " in token:
                raise ERRORS.error(errors.BadCredentials, "there is no API token that can be used")
            self._connection = _transport().Connection(config.endpoint, token, config.api_timeout, config.retry_seconds)
        return self._connection.cloud

    def _convert(self, error: Exception, doing: str) -> errors.CloudError | None:
        import hcloud
        import requests

        if isinstance(error, hcloud.APIException):
            found = translate(error.code, _said(error), doing)
            if isinstance(found, errors.RateLimited):
                found.details = f"{found.details}{_when(self._connection.limit)}"
            return found
        said = errors.connection_error(str(error))
        if isinstance(error, requests.exceptions.Timeout) or (isinstance(error, OSError) and "timed out" in said):
            return ERRORS.error(errors.ApiTimeout, f"Hetzner did not answer in time (to {doing})", said)
        if isinstance(error, OSError):  # also the errors of requests
            return ERRORS.error(errors.Unreachable, f"Hetzner cannot be reached (to {doing})", said)
        if isinstance(error, ValueError | TypeError | LookupError | AttributeError):  # an answer of another shape
            return ERRORS.error(errors.ServiceBroken, f"Hetzner's answer makes no sense (to {doing})", str(error))
        return None


def _objects(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body as hcloud takes it: where it has an id, hcloud wants an object that has it."""
    from hcloud.firewalls.domain import FirewallRule
    from hcloud.servers.domain import ServerCreatePublicNetwork

    def thing(number_or_name: Any) -> Any:
        return types.SimpleNamespace(id=number_or_name, id_or_name=number_or_name)

    found = dict(body)
    for key in {"server_type", "image", "location", "placement_group"} & found.keys():
        found[key] = thing(found[key])
    for key in {"ssh_keys", "volumes", "networks", "firewalls"} & found.keys():
        found[key] = [thing(number) for number in found[key]]
    if "rules" in found:
        found["rules"] = [FirewallRule(**rule) for rule in found["rules"]]
    if "public_net" in found:
        net = {key: thing(value) if key in ("ipv4", "ipv6") else value for key, value in found["public_net"].items()}
        found["public_net"] = ServerCreatePublicNetwork(**net)
    return found


def _said(error: Any) -> str:
    """The sentence of an error, and the fields that it blames."""
    fields = (error.details or {}).get("fields") if isinstance(error.details, dict) else None
    blamed = [str(one.get("name")) for one in fields or [] if isinstance(one, dict)]
    return str(error.message) + (f" ({', '.join(blamed)})" if blamed else "")


def _when(limit: Mapping[str, int]) -> str:
    """When the limit of calls is as it was, as far as the answer told."""
    if "Reset" not in limit:
        return ""
    full = time.strftime("%H:%M:%S UTC", time.gmtime(min(limit["Reset"], 2**33)))
    return f"; {limit.get('Limit', 'the')} calls an hour are free again at {full}"


def _transport() -> Any:
    with errors.sdk_needed("hetzner", "hcloud", ERRORS):
        from machine.drivers.hetzner import transport
    return transport
