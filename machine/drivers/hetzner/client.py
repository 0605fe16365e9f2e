"""Calls to Hetzner, by hcloud. What is there comes back as its objects; its errors become ours.

What is made goes through its `request`, as Hetzner's own body: its methods want an object for every id.
https://docs.hetzner.cloud and https://hcloud-python.readthedocs.io
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.hetzner.config import OWN_LABEL, Config
from machine.drivers.hetzner.errors import ERRORS, translate


class Kind(StrEnum):
    """A kind of things that a project has, by hcloud's name for the part of it that knows them."""

    FIREWALL = "firewalls"
    IMAGE = "images"
    LOCATION = "locations"
    NETWORK = "networks"
    PLACEMENT_GROUP = "placement_groups"
    PRIMARY_IP = "primary_ips"
    SERVER = "servers"
    SERVER_TYPE = "server_types"
    SSH_KEY = "ssh_keys"
    VOLUME = "volumes"

    @property
    def noun(self) -> str:
        """As messages call one."""
        return self.removesuffix("s").replace("_", " ")


class Api:
    """Hetzner as one token sees it; `config` is read at the first call."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._cloud: Any = None
        self._answers: Any = None

    def get(self, kind: Kind, number: int) -> Any:
        """A thing by its id, None if there is none."""
        with contextlib.suppress(errors.NotFound):
            return self._ask(f"show the {kind.noun} {number}", lambda cloud: getattr(cloud, kind).get_by_id(number))

    def list_all(self, kind: Kind, **query: Any) -> list[Any]:
        """Every thing of its kind that the project has, or those that fit the query."""
        return list(self._ask(f"list {kind.noun}s", lambda cloud: getattr(cloud, kind).get_all(**query)))

    def labelled(self, kind: Kind, machine_label: str) -> list[Any]:
        """The things that were made for a machine; none for "". They are removed, so that the query is not believed."""
        found = self.list_all(kind, label_selector=f"{OWN_LABEL}=={machine_label}") if machine_label else []
        return [one for one in found if (one.labels or {}).get(OWN_LABEL) == machine_label]

    def make(self, kind: Kind, body: Mapping[str, Any]) -> Any:
        """A new thing; its id and its labels. Raises NameTaken if there is one of that name."""
        doing, key = f"make the {kind.noun} {body['name']}", kind.removesuffix("s")
        return self._ask(doing, lambda cloud: _made(cloud.request("POST", f"/{kind}", json=body)[key]))

    def label(self, kind: Kind, number: int, labels: Mapping[str, str]) -> None:
        """Add labels to a thing, or change their values; the others stay. Absent is success."""
        if (found := self.get(kind, number)) is not None:
            body = {"labels": {**(found.labels or {}), **labels}}
            with contextlib.suppress(errors.NotFound):
                self._ask(f"label the {kind.noun}", lambda cloud: cloud.request("PUT", f"/{kind}/{number}", json=body))

    def act(self, server: int, verb: str) -> None:
        """poweron, shutdown, poweroff or reboot; it is on its way afterwards."""
        self._ask(f"{verb} the server", lambda cloud: cloud.request("POST", f"/servers/{server}/actions/{verb}"))

    def change_type(self, server: int, name: str) -> None:
        """Change the type of a server that is off, its disk included; it is locked until that is done."""
        body = {"server_type": name, "upgrade_disk": True}
        path = f"/servers/{server}/actions/change_type"
        self._ask("change the type of the server", lambda cloud: cloud.request("POST", path, json=body))

    def delete(self, kind: Kind, number: int) -> None:
        """Remove a thing; absent is success, InUse while something else needs it."""
        with contextlib.suppress(errors.NotFound):
            self._ask(f"remove the {kind.noun} {number}", lambda cloud: cloud.request("DELETE", f"/{kind}/{number}"))

    def _ask(self, doing: str, call: Callable[[Any], Any]) -> Any:
        with errors.sdk_errors(self._convert, doing):
            return call(self._connected())

    def _connected(self) -> Any:
        """hcloud's client. It repeats five times, whatever the time, and has no option for that: so its session has our
        repetition instead. Names are unique at Hetzner, so nothing is made twice."""
        if self._cloud is None:
            config, token = self.config, errors.usable_token(ERRORS, self.config.access_token)
            with errors.sdk_needed("hetzner", "hcloud", ERRORS):
                import hcloud

                from machine.drivers.cloud.patience import repeat
            url, timeout = config.endpoint.rstrip("/"), config.api_timeout
            self._cloud = hcloud.Client(token, api_endpoint=url, application_name="machine", timeout=timeout)
            base: Any = self._cloud._client  # there is no public way to its session and its repetition
            base._retry_max_retries = 0
            self._answers = repeat(base._session, config.retry_seconds, timeout)
        self._answers.begin()
        return self._cloud

    def _convert(self, error: Exception, doing: str) -> errors.CloudError | None:
        import hcloud

        if not isinstance(error, hcloud.APIException):
            return errors.unanswered(ERRORS, "Hetzner", error, doing)
        fields = error.details.get("fields") if isinstance(error.details, dict) else None
        named = [one for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []
        blamed = ", ".join(str(one.get("name")) for one in named)
        code = error.code if isinstance(error.code, int) else str(error.code)
        found = translate(code, f"{error.message} ({blamed})" if blamed else str(error.message), doing, blamed)
        if isinstance(found, errors.RateLimited):
            found.details += self._answers.words()
        return found


def _made(answer: Any) -> Any:
    return SimpleNamespace(id=int(answer["id"]), labels=dict(answer["labels"]))
