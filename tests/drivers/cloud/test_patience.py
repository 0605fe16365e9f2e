"""Calls of an SDK over requests are repeated as long as the user wants, and not longer."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from urllib3.exceptions import SSLError

from machine.drivers.cloud.patience import repeat
from tests.drivers.pauses import written_down


class Site:
    """Answers with the statuses of a list, one by one; the last one for ever. None closes the connection."""

    def __init__(self) -> None:
        self.statuses: list[int | None] = [200]
        self.headers: dict[str, str] = {}
        self.said = b"said"
        self.calls = 0
        self.every: float | None = None  # seconds after which one more byte comes, without end
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                site.calls += 1
                status = site.statuses.pop(0) if len(site.statuses) > 1 else site.statuses[0]
                if status is not None:
                    self.send_response(status)
                    for name, value in site.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(site.said)
                    with contextlib.suppress(ConnectionError):
                        while site.every is not None:
                            time.sleep(site.every)
                            self.wfile.write(b".")

            def log_message(self, *parts: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    yield found
    found.every = None
    found.http.shutdown()
    found.http.server_close()
    found.thread.join(10)


def test_what_passes_is_repeated_also_a_post(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = written_down("urllib3.util.retry", monkeypatch)
    site.statuses = [503, None, 429, 200]
    session = requests.Session()
    repeat(session, 30)
    assert session.post(site.url).status_code == 200
    assert site.calls == 4
    assert pauses.asked == sorted(pauses.asked)


@pytest.mark.parametrize("status", [400, 409, 423])
def test_a_refusal_is_not_repeated(site: Site, status: int) -> None:
    site.statuses = [status]
    session = requests.Session()
    repeat(session, 30)
    assert session.post(site.url).status_code == status
    assert site.calls == 1


def test_without_patience_nothing_is_repeated(site: Site) -> None:
    session = requests.Session()
    repeat(session, 0)
    site.statuses = [503]
    answer = session.post(site.url)
    assert (answer.status_code, answer.text, site.calls) == (503, "said", 1)
    site.statuses = [None]
    with pytest.raises(requests.exceptions.ConnectionError):
        session.post(site.url)
    assert site.calls == 2


def test_the_last_answer_is_handed_out_when_the_time_is_over(site: Site) -> None:
    site.statuses = [503]
    session = requests.Session()
    repeat(session, 1)
    began = time.monotonic()
    assert session.post(site.url).text == "said"
    assert site.calls >= 2
    assert time.monotonic() - began < 5


def test_a_pause_that_is_too_long_is_not_begun(site: Site) -> None:
    site.statuses, site.headers = [429], {"Retry-After": "600"}
    session = requests.Session()
    repeat(session, 5)
    began = time.monotonic()
    assert session.post(site.url).status_code == 429
    assert time.monotonic() - began < 3
    assert site.calls == 1


def test_each_call_has_the_whole_time(site: Site) -> None:
    session = requests.Session()
    repeat(session, 1)
    for _ in range(3):
        site.statuses = [503, 200]
        assert session.post(site.url).status_code == 200
        time.sleep(0.5)


def test_what_the_answers_say_of_the_limit(site: Site) -> None:
    session = requests.Session()
    heard = repeat(session, 0)
    session.post(site.url)
    assert heard.words() == ""
    site.headers = {"RateLimit-Limit": "3600", "RateLimit-Reset": "45296"}
    session.post(site.url)
    assert heard.words() == "; all 3600 calls of an hour are free again at 12:34:56 UTC"
    site.headers = {"RateLimit-Limit": "3600", "RateLimit-Reset": "9" * 40}
    session.post(site.url)
    assert "UTC" in heard.words()


def test_an_answer_is_read_whole_and_not_without_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    session = requests.Session()
    repeat(session, 0)
    assert session.post(site.url).content == b"said"
    monkeypatch.setattr("machine.drivers.cloud.patience.LARGEST", 3)
    with pytest.raises(ValueError, match="longer than 3 bytes"):
        session.post(site.url)


@pytest.mark.parametrize("bounded", [True, False])
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(
    site: Site, bounded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, so that no timeout of the socket ends it; also where urllib3 reads whole chunks only."""
    if not bounded:
        monkeypatch.delattr("urllib3.response.HTTPResponse.read1")
        monkeypatch.delattr("urllib3.response.BaseHTTPResponse.read1")
        monkeypatch.setattr("machine.drivers.cloud.patience.CHUNK", 4)
    site.every = 0.05
    session = requests.Session()
    repeat(session, 0, timeout=0.1)
    began = time.monotonic()
    with pytest.raises(requests.ReadTimeout, match="timed out"):
        session.post(site.url, timeout=5)
    assert 0.3 < time.monotonic() - began < 5


def test_an_answer_that_stops_half_way_has_timed_out(site: Site) -> None:
    site.every = 3
    session = requests.Session()
    repeat(session, 0)
    with pytest.raises(requests.ConnectionError, match="timed out"):
        session.post(site.url, timeout=0.2)


def test_a_packed_answer_is_unpacked_and_a_short_one_is_an_error(site: Site) -> None:
    session = requests.Session()
    repeat(session, 0)
    site.said, site.headers = gzip.compress(b"said" * 50_000), {"Content-Encoding": "gzip"}
    assert session.post(site.url).content == b"said" * 50_000
    site.said = b"no gzip"
    with pytest.raises(requests.RequestException):
        session.post(site.url)
    site.said, site.headers = b"said", {"Content-Length": "9"}
    with pytest.raises(requests.RequestException):
        session.post(site.url)


def test_the_pages_of_one_question_are_counted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.drivers.cloud.patience.MOST_PAGES", 3)
    session = requests.Session()
    answers = repeat(session, 0)
    for _ in range(2):
        answers.begin()
        for _ in range(3):
            session.post(site.url)
        with pytest.raises(ValueError, match="more than 3 pages"):
            session.post(site.url)


def test_a_redirect_is_not_followed(site: Site) -> None:
    """A removal would be asked for as a GET there, and look as if it were done."""
    site.statuses, site.headers = [302], {"Location": site.url}
    session = requests.Session()
    repeat(session, 0)
    with pytest.raises(requests.TooManyRedirects, match="it is at http"):
        session.post(site.url)
    assert site.calls == 1


def test_a_certificate_that_is_not_accepted_is_no_better_a_second_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise SSLError("certificate verify failed")

    pauses = written_down("urllib3.util.retry", monkeypatch)
    monkeypatch.setattr("urllib3.connection.HTTPConnection.request", refuse)
    session = requests.Session()
    repeat(session, 30)
    with pytest.raises(requests.exceptions.SSLError):
        session.post(site.url)
    assert pauses.asked == []
