"""One function per call to DigitalOcean, by libcloud. Nothing of libcloud leaves this module: its errors become ours.

libcloud's own functions leave out most of what is needed (VPC, volumes, firewalls, tags, one image by slug), so its
connection is used for all of them: it signs, repeats and reads JSON.
https://docs.digitalocean.com/reference/api/digitalocean/
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.digitalocean.config import Config
from machine.drivers.digitalocean.errors import ERRORS, translate
from machine.errors import PreflightFailed

Json = dict[str, Any]
MOST_PAGES = 100  # of one list, 200 entries each; more servers than that have no account


class Api:
    """DigitalOcean as one token sees it; `config` is read at the first call."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._cloud: Any = None

    # what there is

    def account(self) -> Json:
        """The account; BadCredentials, NotAllowed."""
        return self._one("ask for the account", "account", "/v2/account")

    def region(self, slug: str) -> Json | None:
        """A region, None if there is none of that slug."""
        found = self._list("list regions", "regions", "/v2/regions")
        return next((region for region in found if region.get("slug") == slug), None)

    def size(self, slug: str) -> Json | None:
        """A size, None if there is none of that slug."""
        found = self._list("list sizes", "sizes", "/v2/sizes")
        return next((size for size in found if size.get("slug") == slug), None)

    def image(self, slug_or_id: str) -> Json:
        """An image; NotFound."""
        return self._one(f"show the image {slug_or_id}", "image", f"/v2/images/{_in_path(slug_or_id)}")

    def vpc(self, uuid: str) -> Json:
        """A VPC; NotFound."""
        return self._one(f"show the VPC {uuid}", "vpc", f"/v2/vpcs/{_in_path(uuid)}")

    def vpcs(self) -> list[Json]:
        """Every VPC of the account."""
        return self._list("list VPCs", "vpcs", "/v2/vpcs")

    def ssh_keys(self) -> list[Json]:
        """Every ssh key of the account."""
        return self._list("list ssh keys", "ssh_keys", "/v2/account/keys")

    def key(self, fingerprint_or_id: str) -> Json:
        """An ssh key; NotFound."""
        path = f"/v2/account/keys/{_in_path(fingerprint_or_id)}"
        return self._one(f"show the ssh key {fingerprint_or_id}", "ssh_key", path)

    def firewalls(self) -> list[Json]:
        """Every firewall of the account."""
        return self._list("list firewalls", "firewalls", "/v2/firewalls")

    def firewalls_of(self, droplet_id: int) -> list[Json]:
        """The firewalls that a droplet is behind."""
        return self._list("list its firewalls", "firewalls", f"/v2/droplets/{droplet_id}/firewalls")

    def volumes(self, *, name: str = "", region: str = "") -> list[Json]:
        """Every volume of the account, or those of that name in that region."""
        query = {key: value for key, value in (("name", name), ("region", region)) if value}
        return self._list("list volumes", "volumes", "/v2/volumes", query)

    def reserved_ips(self) -> list[Json]:
        """Every address that the account has reserved, `droplet` being where it leads."""
        return self._list("list reserved addresses", "reserved_ips", "/v2/reserved_ips")

    def reserved_ip(self, address: str) -> Json:
        """A reserved address; NotFound."""
        return self._one(f"show the address {address}", "reserved_ip", f"/v2/reserved_ips/{address}")

    def droplet(self, droplet_id: int) -> Json | None:
        """A droplet, None if there is none."""
        try:
            return self._one("show the droplet", "droplet", f"/v2/droplets/{droplet_id}")
        except errors.NotFound:
            return None

    def droplets(self, tag: str) -> list[Json]:
        """Every droplet with the tag."""
        return self._list("list droplets", "droplets", "/v2/droplets", {"tag_name": tag})

    def count_droplets(self) -> int:
        """How many droplets the account has."""
        found = self._ask("count droplets", "GET", "/v2/droplets", params={"per_page": 1})
        return int(_inside(found, "meta", dict).get("total") or 0)

    # what is made

    def make_key(self, name: str, public_key: str) -> Json:
        """A new ssh key; NameTaken when the account has that key already."""
        body = {"name": name, "public_key": public_key}
        return self._one("add an ssh key", "ssh_key", "/v2/account/keys", body)

    def make_tag(self, name: str) -> None:
        """The tag exists."""
        try:
            self._ask("make a tag", "POST", "/v2/tags", {"name": name})
        except errors.NameTaken:
            return

    def make_firewall(self, body: Mapping[str, Any]) -> Json:
        """A new firewall; NameTaken."""
        return self._one("make a firewall", "firewall", "/v2/firewalls", body)

    def join_firewall(self, firewall_id: str, tag: str) -> None:
        """From now on the firewall selects what has the tag."""
        path = f"/v2/firewalls/{_in_path(firewall_id)}/tags"
        self._ask("add a tag to the firewall", "POST", path, {"tags": [tag]})

    def make_volume(self, body: Mapping[str, Any]) -> Json:
        """A new volume; NameTaken."""
        return self._one("make a volume", "volume", "/v2/volumes", body)

    def make_droplet(self, body: Mapping[str, Any]) -> Json:
        """A new droplet. Repeated only if throttled: nothing tells DigitalOcean that it would be the same one."""
        return self._one("make a droplet", "droplet", "/v2/droplets", body, repeat=False)

    def make_reserved_ip(self, droplet_id: int) -> Json:
        """A new reserved address that leads to the droplet."""
        return self._one("reserve an address", "reserved_ip", "/v2/reserved_ips", {"droplet_id": droplet_id})

    # what is done with it

    def assign(self, address: str, droplet_id: int) -> None:
        """Let a reserved address lead to the droplet; it does so a moment later."""
        body = {"type": "assign", "droplet_id": droplet_id}
        self._ask("assign the address", "POST", f"/v2/reserved_ips/{address}/actions", body)

    def act(self, droplet_id: int, kind: str) -> None:
        """power_on, shutdown, power_off or reboot; it is on its way afterwards."""
        self._ask(kind.replace("_", " "), "POST", f"/v2/droplets/{droplet_id}/actions", {"type": kind})

    def delete_droplet(self, droplet_id: int) -> None:
        """Delete it; absent is success."""
        self._delete("remove the droplet", f"/v2/droplets/{droplet_id}")

    def delete_reserved_ip(self, address: str) -> None:
        """Delete it; absent is success."""
        self._delete("give the address back", f"/v2/reserved_ips/{address}")

    def delete_volume(self, volume_id: str) -> None:
        """Delete it; absent is success, InUse while something has it attached."""
        self._delete("remove the volume", f"/v2/volumes/{_in_path(volume_id)}")

    def delete_firewall(self, firewall_id: str) -> None:
        """Delete it; absent is success."""
        self._delete("remove the firewall", f"/v2/firewalls/{_in_path(firewall_id)}")

    def leave_firewall(self, firewall_id: str, tag: str) -> None:
        """The firewall selects the tag no more; absent is success."""
        path = f"/v2/firewalls/{_in_path(firewall_id)}/tags"
        self._delete("take a tag from the firewall", path, {"tags": [tag]})

    def delete_key(self, key_id: int) -> None:
        """Delete it; absent is success."""
        self._delete("remove the ssh key", f"/v2/account/keys/{key_id}")

    def delete_tag(self, name: str) -> None:
        """Delete it; absent is success."""
        self._delete("remove the tag", f"/v2/tags/{_in_path(name)}")

    # how it is asked

    def _one(self, doing: str, key: str, path: str, body: Any = None, *, repeat: bool = True) -> Json:
        found = self._ask(doing, "GET" if body is None else "POST", path, body, repeat=repeat)
        return dict(_inside(found, key, dict))

    def _delete(self, doing: str, path: str, body: Any = None) -> None:
        try:
            self._ask(doing, "DELETE", path, body)
        except errors.NotFound:
            return

    def _list(self, doing: str, key: str, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """All pages of a list."""
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
        with _translated(doing):
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
            token = self.config.access_token.strip()
            if not token or not token.isascii() or not token.isprintable() or " " in token:
                raise ERRORS.error(errors.BadCredentials, "there is no API token that can be used")
            self._cloud = _transport().connect(
                self.config.endpoint,
                token,
                self.config.api_timeout,
                self.config.retry_seconds,
            )
        return self._cloud.connection


def _translated(doing: str) -> AbstractContextManager[None]:
    """A `with` block out of which come errors of ours instead of the SDK's; `doing` are words for the call."""
    return errors.sdk_errors(lambda error: _convert(error, doing))


def _convert(error: Exception, doing: str) -> errors.CloudError | None:
    import requests
    from libcloud.common.exceptions import RateLimitReachedError
    from libcloud.common.types import LibcloudError

    from machine.drivers.digitalocean.transport import Refused

    if isinstance(error, Refused):
        return translate(error.status, error.text, doing)
    if isinstance(error, RateLimitReachedError):
        return translate(429, "too many requests", doing)
    if isinstance(error, requests.exceptions.Timeout):
        return ERRORS.error(errors.ApiTimeout, f"DigitalOcean did not answer in time (to {doing})", str(error))
    if isinstance(error, OSError):  # also the errors of requests, of which one for JSON is a ValueError too
        return ERRORS.error(errors.Unreachable, f"DigitalOcean cannot be reached (to {doing})", str(error))
    if isinstance(error, LibcloudError | ValueError | TypeError | LookupError | AttributeError):
        return _nonsense(doing, str(error))
    return None


def _transport() -> Any:
    try:
        from machine.drivers.digitalocean import transport
    except ImportError:
        raise PreflightFailed(
            "the driver digitalocean needs the package apache-libcloud",
            resolution="pip install '.[digitalocean]' in the source's directory;"
            " with pipx: pipx inject container-hosts apache-libcloud",
        ) from None
    except ValueError as error:  # libcloud's, when $SSL_CERT_FILE names no file
        raise ERRORS.error(errors.Unreachable, "the package apache-libcloud does not load", str(error)) from None
    return transport


def _inside(answer: Json, key: str, kind: type) -> Any:
    """`key` of an answer; ServiceBroken when it is not in there, as when something else answered."""
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


def _in_path(text: str) -> str:
    return urllib.parse.quote(str(text), safe=":")
