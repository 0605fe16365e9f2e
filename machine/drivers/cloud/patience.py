"""Repeating the calls of an SDK that asks by requests, for as many seconds as the user wants. Imports requests.

urllib3 makes the pauses, so that no driver does. Import it where the SDK is imported, not at the top of a driver.
https://urllib3.readthedocs.io/en/stable/reference/urllib3.util.html
"""

from __future__ import annotations

import time
from typing import Any

from requests import Response, Session, TooManyRedirects
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, SSLError
from urllib3.util.retry import Retry

PASSING = (429, 500, 502, 503, 504)  # HTTP statuses after which a call is repeated
LARGEST = 2**24  # bytes of an answer
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0  # seconds; each one after the first doubles it, if the cloud asks for no other


class Patience(Retry):
    """Repeats what was throttled, failed or got no answer, whatever its method."""

    seconds = 0.0
    deadline = 0.0  # 0: the first try is still to come

    def new(self, **changes: Any) -> Patience:
        other: Patience = super().new(**changes)
        other.seconds, other.deadline = self.seconds, self.deadline or time.monotonic() + self.seconds
        return other

    def increment(self, *given: Any, **named: Any) -> Patience:
        """What is known at the next try. Raises MaxRetryError if there is none."""
        error, response = named.get("error"), named.get("response")
        after: Patience = super().increment(*given, **named)
        pause = (self.get_retry_after(response) if response else None) or after.get_backoff_time()
        if isinstance(error, SSLError) or time.monotonic() + pause > after.deadline:
            raise MaxRetryError(named["_pool"], "", error)
        return after


class CallLimit:
    """What the last answer said of the limit of calls, by the headers RateLimit-Limit and RateLimit-Reset."""

    def __init__(self) -> None:
        self.limit = self.reset = ""

    def __call__(self, response: Response, *_: Any, **__: Any) -> None:
        """Look at an answer; a hook of requests."""
        self.limit, self.reset = (response.headers.get(f"RateLimit-{name}", "") for name in ("Limit", "Reset"))

    def words(self) -> str:
        """When all calls are free again, to complete an error's details; "" if that is not known."""
        if not self.reset.isdecimal() or not self.limit.isdecimal() or len(self.reset + self.limit) > 100:
            return ""
        moment = time.strftime("%H:%M:%S UTC", time.gmtime(min(int(self.reset), 2**33)))
        return f"; all {self.limit} calls of an hour are free again at {moment}"


def read_bounded(response: Response, *_: Any, **__: Any) -> None:
    """Read an answer, LARGEST at most; a hook of requests. Raises TooManyRedirects for any.

    requests would go after a redirect with a GET, so that a removal that was never made would look like one.
    """
    if response.is_redirect:
        raise TooManyRedirects(f"it answered that it is at {response.headers['location'][:200]}")
    said = bytearray()
    for chunk in response.iter_content(2**16):
        said += chunk
        if len(said) > LARGEST:
            response.close()
            raise ValueError(f"it is longer than {LARGEST} bytes")
    response._content = bytes(said)  # where requests keeps what it has read


def repeat(session: Session, seconds: float) -> CallLimit:
    """From now on each call of the session is repeated for so many seconds; 0 is never. Returns what it hears.

    A thing is made twice by a repeated call unless its name is unique, or the cloud knows the call again.
    """
    patience = Patience(
        total=None,
        allowed_methods=None,
        status_forcelist=PASSING,
        raise_on_status=False,
        backoff_factor=FIRST_PAUSE,
        backoff_max=LONGEST_PAUSE,
    )
    patience.seconds = seconds
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=patience))
    heard = CallLimit()
    session.hooks["response"] += [heard, read_bounded]
    return heard
