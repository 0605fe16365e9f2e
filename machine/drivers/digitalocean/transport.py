"""libcloud's connection to DigitalOcean, made to measure. Importing this costs 0.1 s: client.py does when it asks.

Over libcloud 3.9's own driver: any URL, a deadline for each answer, repetition of calls that were throttled or
failed, and errors that keep status and text whatever the body is.
https://libcloud.readthedocs.io/en/stable/compute/drivers/digital_ocean.html
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import requests
from libcloud.common.digitalocean import (
    DigitalOcean_v2_BaseDriver,
    DigitalOcean_v2_Connection,
    DigitalOcean_v2_Response,
)
from libcloud.utils.retry import MinimalRetry, Retry

from machine import hostport

FIRST_PAUSE = 0.25  # seconds before the first repetition; each one after doubles it
PAGE = 200  # entries of a list in one answer, DigitalOcean's most
LONGEST_PAUSE = 60.0  # seconds that DigitalOcean may ask to wait for; beyond that it is an error


class RequestRefused(Exception):
    """An answer that is none of success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


class Answer(DigitalOcean_v2_Response):
    """Keeps what was said, also by something that is not DigitalOcean."""

    def parse_error(self) -> str:
        """What libcloud makes its "slow down" of; everything else is Refused."""
        text = _message(str(self.body or ""))
        if self.status == 429 and _seconds(self.headers.get("retry-after", "")) <= LONGEST_PAUSE:
            return text
        raise RequestRefused(int(self.status), text)


class RetryingTransport(Retry):
    """Repeats what was throttled or failed, and nothing that would be refused again."""

    def should_retry(self, exception: Exception) -> bool:
        if isinstance(exception, RequestRefused):
            return exception.status >= 500
        return isinstance(exception, OSError) and not isinstance(exception, requests.exceptions.SSLError)


class Connection(DigitalOcean_v2_Connection):
    """libcloud's connection, with our way to read errors, and a page size only where there are pages."""

    responseCls = Answer

    def add_default_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """The query of a call, with PAGE entries of a list at once unless the call says otherwise."""
        return {"per_page": PAGE, **params} if self.method == "GET" else params


class Cloud(DigitalOcean_v2_BaseDriver):
    """libcloud's driver over our connection."""

    connectionCls = Connection


def connect(url: str, token: str, timeout: float, patience: float) -> Any:
    """A driver for the API at `url`; `timeout` seconds for an answer, `patience` seconds for repetitions.

    Its connection's `retryCls` has to be set before a call: to `patient`, or to `careful`, which repeats only what was
    throttled, and so not done.
    """
    make: Any = Cloud  # whose parameters libcloud has not typed
    cloud = make(token)
    link = cloud.connection
    parts = urllib.parse.urlsplit(url)
    link.secure = int(parts.scheme == "https")
    link.host = hostport.with_brackets(str(parts.hostname))
    link.port = parts.port or (443 if link.secure else 80)
    link.request_path = parts.path.rstrip("/")
    link.timeout = timeout
    link.patient, link.careful = (_repeating(kind, patience) for kind in (RetryingTransport, MinimalRetry))
    link.user_agent_append("machine")
    link.connect()
    return cloud


def _repeating(kind: Any, patience: float) -> Callable[..., Any]:
    """What libcloud makes for each call. Its own way would take one number for patience and for the deadline."""
    return lambda **_: kind(retry_delay=FIRST_PAUSE, timeout=patience, backoff=2)


def _message(body: str) -> str:
    """The sentence in an error's body, or the body itself."""
    try:
        found = json.loads(body)
        return str(found["message"])
    except (ValueError, TypeError, KeyError):
        return body


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
