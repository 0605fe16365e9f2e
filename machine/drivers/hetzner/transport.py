"""hcloud's connection to Hetzner, made to measure. Importing this costs 0.2 s: client.py does when it asks.

hcloud 2 repeats five times, whatever the time, and has no option for it; so its own repetition is switched off, and
the session that it sends with repeats as long as the user wants. The two private names that this takes stand here.
https://hcloud-python.readthedocs.io/en/stable/api.html
"""

from __future__ import annotations

import time
from typing import Any

import hcloud
from requests import Response
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, SSLError
from urllib3.util.retry import Retry

PASSING = (429, 500, 502, 503, 504)  # HTTP statuses after which a call is repeated


class Patience(Retry):
    """Repeats for some seconds what was throttled, failed or got no answer. Names are unique at Hetzner, so that a
    thing is not made twice by it."""

    seconds = 0.0
    deadline = 0.0  # 0: the first try is still to come

    def new(self, **changes: Any) -> Patience:
        other: Patience = super().new(**changes)
        other.seconds, other.deadline = self.seconds, self.deadline or time.monotonic() + self.seconds
        return other

    def increment(self, *given: Any, **named: Any) -> Patience:
        """What is known for the next try. Raises MaxRetryError if there is none."""
        error, response = named.get("error"), named.get("response")
        after: Patience = super().increment(*given, **named)
        pause = (self.get_retry_after(response) if response else None) or after.get_backoff_time()
        if isinstance(error, SSLError) or time.monotonic() + pause > after.deadline:
            raise MaxRetryError(named["_pool"], "", error)
        return after


class Connection:
    """hcloud's client for one token, and what the last answer said of the limit of calls."""

    def __init__(self, url: str, token: str, timeout: float, patience: float) -> None:
        self.limit: dict[str, int] = {}  # Limit, Remaining, and Reset (seconds since 1970)
        self.cloud = hcloud.Client(token, api_endpoint=url.rstrip("/"), application_name="machine", timeout=timeout)
        base: Any = self.cloud._client
        base._retry_max_retries = 0
        repeating = Patience(
            total=None, allowed_methods=None, status_forcelist=PASSING, raise_on_status=False, backoff_factor=0.25,
            backoff_max=10,
        )  # fmt: skip
        repeating.seconds = patience
        base._session.mount("http://", HTTPAdapter(max_retries=repeating))
        base._session.mount("https://", HTTPAdapter(max_retries=repeating))
        base._session.hooks["response"].append(self._look)

    def _look(self, response: Response, *_: Any, **__: Any) -> None:
        words = {name: response.headers.get(f"RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset")}
        self.limit = {name: int(word) for name, word in words.items() if word.isdigit()}
