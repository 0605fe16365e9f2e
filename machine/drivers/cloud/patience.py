"""Repeating the calls of an SDK that asks by requests, for as many seconds as the user wants. Imports requests.

urllib3 makes the pauses, so that no driver does. Import it where the SDK is imported, not at the top of a driver.
https://urllib3.readthedocs.io/en/stable/reference/urllib3.util.html
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from requests import ConnectionError, ReadTimeout, Response, Session, TooManyRedirects
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError
from urllib3.util.retry import Retry

PASSING = (429, 500, 502, 503, 504)  # HTTP statuses after which a call is repeated
LARGEST = 2**24  # bytes of an answer
CHUNK = 2**16  # bytes that are read at once, if so many are there
BODY_TIMEOUTS = 4
MOST_PAGES = 200  # of one list, 50 entries and more each; more servers than that have no account
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


class Answers:
    """The answers of a session, as a hook of requests: read within bounds, and heard for the limit of calls.

    That is in the headers RateLimit-Limit and RateLimit-Reset. `begin` is to be called before each question.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds  # for the body of one
        self.limit = self.reset = ""  # as the last one said
        self.pages = 0  # answers to the question that was begun last

    def begin(self) -> None:
        """A question is asked from now on, whose answer may come in pages."""
        self.pages = 0

    def __call__(self, response: Response, *_: Any, **__: Any) -> None:
        """Look at an answer and read it. Raises TooManyRedirects for any, ValueError for one without an end.

        requests would go after a redirect with a GET, so that a removal that was never made would look like one.
        """
        self.limit, self.reset = (response.headers.get(f"RateLimit-{name}", "") for name in ("Limit", "Reset"))
        self.pages += 1
        if response.is_redirect:
            raise TooManyRedirects(f"it answered that it is at {response.headers['location'][:200]}")
        if self.pages > MOST_PAGES:
            raise ValueError(f"it has more than {MOST_PAGES} pages")
        response._content = _read(response, time.monotonic() + self.seconds)  # where requests keeps what it has read

    def words(self) -> str:
        """When all calls are free again, to complete an error's details; "" if that is not known."""
        if not self.reset.isdecimal() or not self.limit.isdecimal() or len(self.reset + self.limit) > 100:
            return ""
        moment = time.strftime("%H:%M:%S UTC", time.gmtime(min(int(self.reset), 2**33)))
        return f"; all {self.limit} calls of an hour are free again at {moment}"


def _read(response: Response, deadline: float) -> bytes:
    """The body of an answer. Raises ValueError for more than LARGEST bytes, ReadTimeout when the deadline is over."""
    said = bytearray()
    for chunk in _chunks(response):
        said += chunk
        if len(said) > LARGEST:
            response.close()
            raise ValueError(f"it is longer than {LARGEST} bytes")
        if time.monotonic() > deadline:
            response.close()
            raise ReadTimeout("the answer has begun, and timed out before its end")
    return bytes(said)


def _chunks(response: Response) -> Iterator[bytes]:
    """The body as it arrives: a whole chunk of an answer that comes byte by byte would take hours."""
    read = getattr(response.raw, "read1", None)  # which older versions of urllib3 lack
    if read is None:
        yield from response.iter_content(CHUNK)
        return
    try:
        while chunk := read(CHUNK, decode_content=True):
            yield chunk
    except HTTPError as error:
        raise ConnectionError(error) from None


def repeat(session: Session, seconds: float, timeout: float = 30.0) -> Answers:
    """From now on each call of the session is repeated for so many seconds; 0 is never. Returns what hears the answers.

    `timeout` is what the session waits for the next bytes; a whole body may take BODY_TIMEOUTS of it. A thing is made
    twice by a repeated call unless its name is unique, or the cloud knows the call again.
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
    answers = Answers(timeout * BODY_TIMEOUTS)
    session.hooks["response"].append(answers)
    return answers
