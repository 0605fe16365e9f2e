"""The cloud's APIs with the standard library alone, for the lab itself: a token, then JSON in and out."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.labs.openstack import settings

SECONDS = 60.0  # for one answer: on a busy computer the first one takes long


class Refused(Exception):
    """The service answered with an error; the text has its status and words."""


class Api:
    """One user in one project."""

    def __init__(self, user: str = "admin", project: str = "admin") -> None:
        """Logs in; OSError when Keystone does not answer yet, Refused when it does not want us."""
        identity = {"name": user, "domain": {"id": "default"}, "password": settings.PASSWORD}
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": identity}}, "scope": scope}}
        self._token = ""
        _, headers = self._ask("POST", settings.KEYSTONE + "/auth/tokens", body)
        self._token = headers["X-Subject-Token"]

    def get(self, service: str, path: str) -> Any:
        """The answer of `service`: identity, image, placement, compute or network."""
        return self._ask("GET", url(service) + path)[0]

    def post(self, service: str, path: str, body: object) -> Any:
        """The answer to a POST, None when there is no text in it."""
        return self._ask("POST", url(service) + path, body)[0]

    def put(self, service: str, path: str, body: object) -> Any:
        """The answer to a PUT of JSON."""
        return self._ask("PUT", url(service) + path, body)[0]

    def delete(self, service: str, path: str) -> None:
        """DELETE."""
        self._ask("DELETE", url(service) + path)

    def upload(self, path: str, file: Path) -> None:
        """A file's bytes to Glance."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
        with open(file, "rb") as content:
            request = urllib.request.Request(
                url("image") + path, content, {**headers, "X-Auth-Token": self._token}, method="PUT"
            )
            with urllib.request.urlopen(request, timeout=600):
                pass

    def _ask(self, method: str, address: str, body: object = None) -> tuple[Any, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"X-Auth-Token": self._token} if self._token else {}
        # 2.81 is where an aggregate can be told to fetch images; Zed knows 2.93
        headers |= {"OpenStack-API-Version": "compute 2.81"} if ":8774" in address else {}
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                text = answer.read()
                return (json.loads(text) if text else None), answer.headers
        except urllib.error.HTTPError as error:
            words = error.read().decode(errors="replace")
            raise Refused(f"{method} {address}: {error.code} {words[:1000]}") from error


def url(service: str) -> str:
    """Where a service answers, with its API version where that is not in the catalogue's URL."""
    if service == "identity":
        return settings.KEYSTONE
    return settings.ENDPOINTS[service][1] + {"image": "/v2", "network": "/v2.0"}.get(service, "")
