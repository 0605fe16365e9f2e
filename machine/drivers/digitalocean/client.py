"""Calls to DigitalOcean, by libcloud. Nothing of libcloud leaves this module: its errors become ours.

libcloud's own functions leave out most of what is needed (VPC, volumes, firewalls, tags, one image by slug), so its
connection is used for all of them: it signs, repeats and reads JSON.
https://docs.digitalocean.com/reference/api/digitalocean/
"""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.errors import ERRORS, translate

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind of things that an account has."""

    noun: str  # as messages call one
    path: str  # of their list
    key: str  # of one in an answer; a list has an `s` more
    article: str = "a"


ACCOUNT = ResourceType("account", "/v2/account", "account")
DROPLET = ResourceType("droplet", "/v2/droplets", "droplet")
FIREWALL = ResourceType("firewall", "/v2/firewalls", "firewall")
IMAGE = ResourceType("image", "/v2/images", "image")
REGION = ResourceType("region", "/v2/regions", "region")
RESERVED_IP = ResourceType("reserved address", "/v2/reserved_ips", "reserved_ip")
SIZE = ResourceType("size", "/v2/sizes", "size")
SSH_KEY = ResourceType("ssh key", "/v2/account/keys", "ssh_key", "an")
TAG = ResourceType("tag", "/v2/tags", "tag")
VOLUME = ResourceType("volume", "/v2/volumes", "volume")
VPC = ResourceType("VPC", "/v2/vpcs", "vpc")
MOST_PAGES = 100  # of one list, 200 entries each; more servers than that have no account


class Api:
    """DigitalOcean as one token sees it; `config` is read at the first call."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._cloud: Any = None

    # what there is

    def get(self, kind: ResourceType, key: str | int = "") -> Json:
        """A thing by its id, or by what else the API takes for it. Raises NotFound if there is none."""
        return self._one(f"show the {kind.noun} {key}".rstrip(), kind, f"{kind.path}/{_in_path(key)}".rstrip("/"))

    def find(self, kind: ResourceType, key: str | int) -> Json | None:
        """A thing by its id, None if there is none."""
        try:
            return self.get(kind, key)
        except errors.NotFound:
            return None

    def list_all(self, kind: ResourceType, **query: str) -> list[Json]:
        """Every thing of its kind that the account has, or those that fit the query."""
        return self._list(f"list {kind.noun}s", f"{kind.key}s", kind.path, {k: v for k, v in query.items() if v})

    def firewalls_of(self, droplet_id: int) -> list[Json]:
        """The firewalls that a droplet is behind."""
        return self._list("list its firewalls", "firewalls", f"{DROPLET.path}/{droplet_id}/firewalls")

    def count_droplets(self) -> int:
        """How many droplets the account has."""
        found = self._ask("count droplets", "GET", DROPLET.path, params={"per_page": 1})
        return int(_inside(found, "meta", dict).get("total") or 0)

    # what is made, changed and removed

    def make(self, kind: ResourceType, body: Mapping[str, Any], *, repeat: bool = True) -> Json:
        """A new thing. Raises NameTaken if there is one of that name.

        Without `repeat` the call is repeated only if it was throttled.
        """
        return self._one(f"make {kind.article} {kind.noun}", kind, kind.path, body, repeat=repeat)

    def make_tag(self, name: str) -> None:
        """The tag exists."""
        with contextlib.suppress(errors.NameTaken):
            self._ask("make a tag", "POST", TAG.path, {"name": name})

    def assign(self, address: str, droplet_id: int) -> None:
        """Let a reserved address lead to the droplet; it does so a moment later."""
        body = {"type": "assign", "droplet_id": droplet_id}
        self._ask("assign the address", "POST", f"{RESERVED_IP.path}/{address}/actions", body)

    def act(self, droplet_id: int, kind: str) -> None:
        """power_on, shutdown, power_off or reboot; it is on its way afterwards."""
        self._ask(kind.replace("_", " "), "POST", f"{DROPLET.path}/{droplet_id}/actions", {"type": kind})

    def resize(self, droplet_id: int, size: str) -> None:
        """Change memory and processors of a droplet that is off; its disk stays."""
        body = {"type": "resize", "size": size, "disk": False}
        self._ask("resize", "POST", f"{DROPLET.path}/{droplet_id}/actions", body)

    def join_firewall(self, firewall_id: str, tag: str) -> None:
        """Have the firewall select, from now on, the droplets with the tag."""
        path = f"{FIREWALL.path}/{_in_path(firewall_id)}/tags"
        self._ask("add a tag to the firewall", "POST", path, {"tags": [tag]})

    def leave_firewall(self, firewall_id: str, tag: str) -> None:
        """Have the firewall select the tag no more; success if it did not, or is gone."""
        path = f"{FIREWALL.path}/{_in_path(firewall_id)}/tags"
        with contextlib.suppress(errors.NotFound):
            self._ask("take a tag from the firewall", "DELETE", path, {"tags": [tag]})

    def delete(self, kind: ResourceType, key: str | int) -> None:
        """Remove a thing; absent is success, InUse while something else needs it."""
        with contextlib.suppress(errors.NotFound):
            self._ask(f"remove the {kind.noun}", "DELETE", f"{kind.path}/{_in_path(key)}")

    # how it is asked

    def _one(self, doing: str, kind: ResourceType, path: str, body: Any = None, *, repeat: bool = True) -> Json:
        found = self._ask(doing, "GET" if body is None else "POST", path, body, repeat=repeat)
        return dict(_inside(found, kind.key, dict))

    def _list(self, doing: str, key: str, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """The entries of a list, from all of its pages."""
        suffix = "?" + urllib.parse.urlencode(query) if query else ""
        found: list[Json] = []
        for page in range(1, MOST_PAGES + 1):
            answer = self._ask(doing, "GET", path + suffix, params={"page": page})
            entries = _inside(answer, key, list)
            if not all(isinstance(entry, dict) for entry in entries):
                raise _nonsense(doing, f"{key} has entries that are no objects")
            found += entries
            pages = _object(_object(answer, "links"), "pages")
            if not pages.get("next") or not entries:
                return found
        raise _nonsense(doing, f"the list has more than {MOST_PAGES} pages")

    def _ask(
        self,
        doing: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        repeat: bool = True,
    ) -> Json:
        """The answer's JSON, {} if it has none. Not to `repeat` is for what must not be done twice."""
        connection = self._connection()
        patience = self.config.retry_seconds
        connection.retryCls = connection.patient if repeat else connection.careful
        with errors.sdk_errors(_convert, doing):
            answer = connection.request(
                path,
                params=dict(params or {}),
                data=None if body is None else json.dumps(body),
                method=method,
                retry_failed=patience > 0,
            ).object
        if answer in ("", None):
            return {}
        if not isinstance(answer, dict):
            raise _nonsense(doing, str(answer))
        return answer

    def _connection(self) -> Any:
        if self._cloud is None:
            token = errors.usable_token(ERRORS, self.config.access_token)
            self._cloud = _transport().connect(
                self.config.endpoint,
                token,
                self.config.api_timeout,
                self.config.retry_seconds,
            )
        return self._cloud.connection


def _convert(error: Exception, doing: str) -> errors.CloudError | None:
    import requests
    from libcloud.common.exceptions import RateLimitReachedError
    from libcloud.common.types import LibcloudError

    from machine.drivers.digitalocean.transport import RequestRefused

    if isinstance(error, RequestRefused):
        return translate(error.status, error.text, doing)
    if isinstance(error, RateLimitReachedError):
        return translate(429, "too many requests", doing)
    said = errors.connection_error(str(error))
    if isinstance(error, requests.exceptions.Timeout):
        return ERRORS.error(errors.ApiTimeout, f"DigitalOcean did not answer in time (to {doing})", said)
    if isinstance(error, OSError):  # also the errors of requests, of which one for JSON is a ValueError too
        return ERRORS.error(errors.Unreachable, f"DigitalOcean cannot be reached (to {doing})", said)
    if isinstance(error, LibcloudError | ValueError | TypeError | LookupError | AttributeError):
        return _nonsense(doing, str(error))
    return None


def _transport() -> Any:
    with errors.sdk_needed("digitalocean", "apache-libcloud", ERRORS):
        from machine.drivers.digitalocean import transport
    return transport


def _inside(answer: Json, key: str, kind: type) -> Any:
    """`key` of an answer. Raises ServiceBroken if it is not in there, as when something else answered."""
    found = answer.get(key)
    if not isinstance(found, kind):
        raise _nonsense(f"find {key}", f"the answer has no {key}")
    return found


def _object(answer: Json, key: str) -> Json:
    """`key` of an answer, {} when there is no object of that name."""
    found = answer.get(key)
    return found if isinstance(found, dict) else {}


def _nonsense(doing: str, text: str) -> errors.CloudError:
    return ERRORS.error(errors.ServiceBroken, f"DigitalOcean's answer makes no sense (to {doing})", text)


def _in_path(text: object) -> str:
    return urllib.parse.quote(str(text), safe=":")
